"""A denoising autoencoder that sees a company's text beside its known products."""

import torch
from torch import nn

_TEXT_DROPOUT = 0.3
_PRODUCT_SCALE = 0.05


class TextAutoencoder(nn.Module):
    """Text and known products in, one logit per product out: logits = V h + b, h = GELU(LayerNorm(W e + U x / sqrt n)).

    Mult-DAE (Liang et al. 2018, Variational Autoencoders for Collaborative Filtering) with the text as a second input;
    n is the number of known products. It holds no vector of a company of its own, so a company that was not in training
    is as good as one that was, and newly known products count at once. V starts at 0 and b at the log odds of each
    product's share of companies, so that training starts at popularity.

    Args:
        n_products: P.
        text_dimension: D.
        hidden_size: H.
        dropout: of h.
    """

    def __init__(self, n_products: int, text_dimension: int, hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.text = nn.Linear(text_dimension, hidden_size)
        self.known = nn.Linear(n_products, hidden_size, bias=False)
        nn.init.normal_(self.known.weight, std=_PRODUCT_SCALE)
        self.norm = nn.LayerNorm(hidden_size)
        self.text_dropout, self.dropout = nn.Dropout(_TEXT_DROPOUT), nn.Dropout(dropout)
        self.products = nn.Linear(hidden_size, n_products)
        nn.init.zeros_(self.products.weight)

    def start_at_shares(self, product_shares: torch.Tensor) -> None:
        """Set b to the log odds of (P,) shares of companies."""
        with torch.no_grad():
            self.products.bias.copy_(torch.logit(product_shares, eps=1e-4))

    def company_vectors(self, text: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """h: (B, H) float32.

        Args:
            text: (B, D) float32, centred and of length 1 (zeros without text).
            known: (B, P) float32, 1 at the products that are told.
        """
        counts = known.sum(dim=1, keepdim=True).clamp(min=1)
        hidden = self.text(self.text_dropout(text)) + self.known(known / counts.sqrt())
        return nn.functional.gelu(self.norm(hidden))

    def forward(self, text: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """(B, P) float32 logits; arguments as of ``company_vectors``."""
        return self.products(self.dropout(self.company_vectors(text, known)))
