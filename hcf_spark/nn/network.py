"""The deep collaborative filtering network of the paper's second stage."""

import torch
from torch import nn


class DeepCF(nn.Module):
    """Company vector in, one logit per product out: logits = V g(u) + b.

    The paper (arXiv 2410.20325, stage 2) starts the company side of deep collaborative filtering at the text vector and
    fine-tunes it on the company x product matrix. So u_i = e_i + delta_i for a company seen in training, delta
    starting at 0 and held near it by an L2 penalty (``companies_l2``), and u = e for any other company; e is the text
    vector, centred and of length 1. With ``text_start=False`` (the paper's "DCF only") u_i is a free vector that starts
    at random, and an unseen company gets their mean.
    g is ``depth`` residual blocks, u <- u + W2 dropout(GELU(W1 u)), W2 starting at 0; b starts at the log odds of each
    product's share of companies, so that training starts at popularity.

    Args:
        n_companies: number of training companies, the rows of delta.
        n_products: P.
        text_dimension: D.
        hidden_size: H.
        depth: number of residual blocks; 0 scores the company vector itself.
        dropout: inside each block.
        text_start: whether company vectors start at their text.
    """

    def __init__(
        self,
        n_companies: int,
        n_products: int,
        text_dimension: int,
        hidden_size: int,
        depth: int,
        dropout: float,
        text_start: bool,
    ) -> None:
        super().__init__()
        self.text_start = text_start
        self.companies = nn.Embedding(n_companies, text_dimension)
        if text_start:
            nn.init.zeros_(self.companies.weight)
        else:
            nn.init.normal_(self.companies.weight, std=text_dimension**-0.5)
        self.blocks = nn.ModuleList(_Block(text_dimension, hidden_size, dropout) for _ in range(depth))
        self.products = nn.Linear(text_dimension, n_products)
        nn.init.normal_(self.products.weight, std=0.02)

    def start_at_shares(self, product_shares: torch.Tensor) -> None:
        """Set b to the log odds of (P,) shares of companies, so that training starts at popularity."""
        with torch.no_grad():
            self.products.bias.copy_(torch.logit(product_shares, eps=1e-4))

    def company_vectors(self, text: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """u: (B, D) float32.

        Args:
            text: (B, D) float32, centred and of length 1 (zeros without text).
            index: (B,) long, company_idx; -1 for a company not seen in training.
        """
        seen = (index >= 0).unsqueeze(1)
        own = self.companies(index.clamp(min=0))
        if self.text_start:
            return text + torch.where(seen, own, 0.0)
        return torch.where(seen, own, self.companies.weight.mean(dim=0))

    def companies_l2(self, index: torch.Tensor) -> torch.Tensor:
        """Mean squared length of the vectors that training adds to (B,) companies, all of them seen; scalar float32."""
        return self.companies(index).square().sum(dim=1).mean()

    def forward(self, text: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """(B, P) float32 logits; arguments as of ``company_vectors``."""
        hidden = self.company_vectors(text, index)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        return self.products(hidden)


class _Block(nn.Sequential):
    def __init__(self, size: int, hidden_size: int, dropout: float) -> None:
        last = nn.Linear(hidden_size, size)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        super().__init__(nn.Linear(size, hidden_size), nn.GELU(), nn.Dropout(dropout), last)
