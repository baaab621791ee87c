"""Losses of the second stage."""

import torch
from torch.nn import functional


def huber_loss(logits: torch.Tensor, known: torch.Tensor, delta: float, positive_weight: float) -> torch.Tensor:
    """Huber loss between predicted probability and matrix, the paper's choice (arXiv 2410.20325, stage 2).

    h(r) = r^2 / 2 where |r| <= delta, else delta (|r| - delta / 2), with r = sigmoid(logit) - x, weighted by
    ``positive_weight`` where x = 1, summed over products and averaged over companies.

    Args:
        logits: (B, P) float32.
        known: (B, P) float32, x, 1 where the company uses the product.
        delta: where the loss turns from square to linear.
        positive_weight: of a cell that holds an interaction.

    Returns:
        Scalar float32.
    """
    losses = functional.huber_loss(torch.sigmoid(logits), known, reduction="none", delta=delta)
    return (losses * (1.0 + (positive_weight - 1.0) * known)).sum(dim=1).mean()
