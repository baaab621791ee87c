"""Losses of the second stage."""

from collections.abc import Callable
from functools import partial

import torch
from torch.nn import functional

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(B, P) float32 logits and (B, P) float32 matrix, 1 where the company uses the product, to a scalar."""


def make_loss(name: str, huber_delta: float, positive_weight: float) -> Loss:
    """The loss of this name (``train.loss``).

    Args:
        name: huber, mse, bce or multinomial.
        huber_delta: where Huber's loss turns from square to linear.
        positive_weight: of a cell that holds an interaction; multinomial has no weights, since it has no other cells.

    Raises:
        KeyError: there is no loss of this name.
    """
    return {
        "huber": partial(huber_loss, delta=huber_delta, positive_weight=positive_weight),
        "mse": partial(mse_loss, positive_weight=positive_weight),
        "bce": partial(bce_loss, positive_weight=positive_weight),
        "multinomial": multinomial_loss,
    }[name]


def huber_loss(logits: torch.Tensor, known: torch.Tensor, delta: float, positive_weight: float) -> torch.Tensor:
    """Huber loss between predicted probability and matrix, the paper's choice (arXiv 2410.20325, stage 2).

    h(r) = r^2 / 2 where |r| <= delta, else delta (|r| - delta / 2), with r = sigmoid(logit) - x, weighted by
    ``positive_weight`` where x = 1, summed over products and averaged over companies. No |r| is above 1, so with a
    delta of 1 or more this is half of ``mse_loss``.

    Args:
        logits: (B, P) float32.
        known: (B, P) float32, x, 1 where the company uses the product.
        delta: where the loss turns from square to linear.
        positive_weight: of a cell that holds an interaction.

    Returns:
        Scalar float32.
    """
    losses = functional.huber_loss(torch.sigmoid(logits), known, reduction="none", delta=delta)
    return _weighted(losses, known, positive_weight)


def mse_loss(logits: torch.Tensor, known: torch.Tensor, positive_weight: float) -> torch.Tensor:
    """Squared error (sigmoid(logit) - x)^2, weighted and averaged as ``huber_loss``; scalar float32."""
    losses = functional.mse_loss(torch.sigmoid(logits), known, reduction="none")
    return _weighted(losses, known, positive_weight)


def bce_loss(logits: torch.Tensor, known: torch.Tensor, positive_weight: float) -> torch.Tensor:
    """Binary cross-entropy -x log p - (1 - x) log(1 - p), p = sigmoid(logit), weighted and averaged as ``huber_loss``.

    Returns:
        Scalar float32.
    """
    losses = functional.binary_cross_entropy_with_logits(logits, known, reduction="none")
    return _weighted(losses, known, positive_weight)


def multinomial_loss(logits: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Multinomial negative log-likelihood -sum_p x_p log softmax(logits)_p, averaged over companies.

    The products compete for one probability mass (Liang et al. 2018, Variational Autoencoders for Collaborative
    Filtering, equation 2).

    Args:
        logits: (B, P) float32.
        known: (B, P) float32, x.

    Returns:
        Scalar float32.
    """
    return -(known * functional.log_softmax(logits, dim=1)).sum(dim=1).mean()


def _weighted(losses: torch.Tensor, known: torch.Tensor, positive_weight: float) -> torch.Tensor:
    return (losses * (1.0 + (positive_weight - 1.0) * known)).sum(dim=1).mean()
