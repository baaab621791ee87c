"""EASE: what the known products alone say, in closed form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import ClassVar, Self

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from hcf_spark.errors import TrainingError
from hcf_spark.models.companies import Companies
from hcf_spark.models.popularity import product_shares, shares_at_level
from hcf_spark.models.product_weights import (
    Head,
    Weights,
    head_products,
    spread,
    vote,
    weights_from_arrays,
    weights_to_arrays,
)
from hcf_spark.models.ranks import over_ranks
from hcf_spark.models.score_axes import score_axes

_MIRRORED_ROWS = 512
_MATRICES_AT_ONCE = 3


@dataclass(frozen=True)
class Ease:
    """Embarrassingly shallow autoencoder (Steck 2019, arXiv 1905.03375): score = x B, diag B = 0.

    A company whose known products say nothing (none, or none that training companies combine with others) gets
    ``fallback``.

    Attributes:
        weights: B, (P, P) float32; CSR where products are left out of the closed form.
        fallback: (P,) float32, popularity at the level of the scores: share of the training companies times
            (mean score / mean share) over the training companies, so that one threshold can serve both kinds of rows.
        make_axes: gives V, (P, d) float32, the top right singular directions of the training companies' scores,
            d = min(256, P); only asked when a vector is, since a trial has no use for it.
    """

    name: ClassVar[str] = "ease"
    folds_in: ClassVar[bool] = True
    weights: Weights
    fallback: np.ndarray
    make_axes: Callable[[], np.ndarray]

    def score(self, companies: Companies) -> np.ndarray:
        """(B, P) float32, x B; an estimate of the 0/1 cell, not held to [0, 1]."""
        scores = vote(companies.known, self.weights)
        scores[~scores.any(axis=1)] = self.fallback
        return scores

    def embed(self, companies: Companies) -> np.ndarray:
        """(B, d) float32, u = V's; u . V_j is nearly the score of product j."""
        return self.score(companies) @ self.make_axes()

    def arrays(self) -> dict[str, np.ndarray]:
        return {**weights_to_arrays(self.weights), "fallback": self.fallback, "axes": self.make_axes()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        return cls(weights_from_arrays(arrays), arrays["fallback"], lambda: arrays["axes"])


@dataclass(frozen=True)
class EaseStatistics:
    """What ``Ease`` needs of the training companies, for any strength.

    Attributes:
        known: X, (C, P) float32 CSR.
        head: the H products of the closed form.
        gram: X'X of these, (H, H) float32 (counts, exact up to 16.7 million companies).
        shares: (P,) float64, share of the companies that use each product.
    """

    known: sp.csr_matrix
    head: Head
    gram: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(cls, train: Companies) -> Self:
        head = head_products(train.known, Ease.name, _MATRICES_AT_ONCE)
        return cls(train.known, head, head_gram(train.known, head), product_shares(train))

    def fit(self, strength: float, seed: int) -> Ease:
        """The minimum over B, diag B = 0, of |X - X B|^2 + strength |B|^2; beyond the head B is 0."""
        weights = ease_weights(self.gram, strength)
        weights = spread(weights, self.head, len(self.shares))
        axes = cache(partial(score_axes, [(self.known, weights)], seed))
        return Ease(weights, shares_at_level(self.shares, weights), axes)


def head_gram(known: sp.csr_matrix, head: Head) -> np.ndarray:
    """X'X of the products in ``head``, (H, H) float32."""
    known = known[:, head]
    return over_ranks((known.T @ known).toarray())


def ease_weights(gram: np.ndarray, ridge: float) -> np.ndarray:
    """Steck 2019, equation 8: K = (G + ridge I)^-1, B = I - K diag(1 / K_jj).

    Args:
        gram: G, (P, P) float32.
        ridge: above 0.

    Returns:
        B, (P, P) float32, zero diagonal.
    """
    weights = _penalised_inverse(gram, ridge)
    weights /= -weights.diagonal().copy()
    np.fill_diagonal(weights, 0)
    return weights


def _penalised_inverse(gram: np.ndarray, ridge: float) -> np.ndarray:
    """K = (G + ridge I)^-1.

    It is taken in place (Cholesky), in float32: the condition number is at most 1 + trace(G) / ridge, some ten
    times P for the ridges that are tried. 4 bytes a cell are held beside ``gram``.

    Args:
        gram: G, (P, P) float32, symmetric.
        ridge: above 0.

    Returns:
        K, (P, P) float32.

    Raises:
        TrainingError: there is no inverse.
    """
    penalised = np.array(gram.T, np.float32, order="F")
    penalised[np.diag_indices_from(penalised)] += ridge
    try:
        factor = scipy.linalg.cholesky(penalised, lower=True, overwrite_a=True, check_finite=False)
    except np.linalg.LinAlgError as error:
        raise TrainingError("ease: no product is used by any training company; check the filter settings") from error
    lower, _ = scipy.linalg.lapack.spotri(factor, lower=True, overwrite_c=True)
    return _mirrored(lower.T)


def _mirrored(upper: np.ndarray) -> np.ndarray:
    """The symmetric matrix of an upper triangle, made in place."""
    for start in range(0, len(upper), _MIRRORED_ROWS):
        stop = start + _MIRRORED_ROWS
        upper[start:stop, :start] = upper[:start, start:stop].T
        square = upper[start:stop, start:stop]
        square[:] = np.triu(square) + np.triu(square, 1).T
    return upper
