"""The fused model: text, neighbours and known products of any company, seen or not, in one vector and one score."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from hcf_spark.models.base import Model
from hcf_spark.models.by_regime import ByRegime
from hcf_spark.models.companies import Companies, told_nothing
from hcf_spark.models.parts import unpack_part
from hcf_spark.models.score_axes import score_axes

_AXES_COMPANIES, _AXES_CELLS = 3000, 100_000_000
_COLD_LENGTH = np.float32(0.1)


@dataclass(frozen=True)
class Prior:
    """How much the cold score counts beside the warm one: weight / n^decay for a company with n known products."""

    weight: float
    decay: float

    def of(self, counts: np.ndarray) -> np.ndarray:
        """(B, 1) float32 from the (B,) numbers of known products."""
        return (self.weight / np.maximum(counts, 1.0) ** self.decay).astype(np.float32)[:, None]


NO_PRIOR = Prior(0.0, 1.0)


@dataclass(frozen=True)
class Fused(ByRegime):
    """Companies without known products are scored by ``cold``, those with by ``warm`` + ``prior`` of ``cold``.

    Attributes:
        warm, cold: the parts; both know the text.
        prior: what a company is thought to use before its products are known counts less the more are.
        make_axes: gives V, (P, d) float32, the product vectors; d is the vector size asked for, or P if that is less.
    """

    name: ClassVar[str] = "fused"
    prior: Prior
    make_axes: Callable[[], np.ndarray]

    @classmethod
    def of_parts(cls, warm: Model, cold: Model, prior: Prior, train: Companies, vector_size: int, seed: int) -> Self:
        """The model of two fitted parts; V is worked out from the scores of ``train`` when first asked for."""
        model = cls(warm, cold, prior, cache(lambda: _axes(model, train, vector_size, seed)))
        return model

    def score_known(self, companies: Companies) -> np.ndarray:
        """(B, P) float32, of companies with known products."""
        scores = self.warm.score(companies)
        if self.prior.weight:
            scores = scores + self.prior.of(companies.known.getnnz(axis=1)) * self.cold.score(told_nothing(companies))
        return scores

    def embed(self, companies: Companies) -> np.ndarray:
        """(B, d) float32 company vectors u = V's; u . V_j is nearly the score s_j, less the mean of the company's s."""
        return self.score(companies) @ self.make_axes()

    def arrays(self) -> dict[str, np.ndarray]:
        prior = np.array([self.prior.weight, self.prior.decay])
        return {"axes": self.make_axes(), "prior": prior, **super().arrays()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        parts = (unpack_part(arrays, "warm"), unpack_part(arrays, "cold"))
        return cls(*parts, Prior(*arrays["prior"].tolist()), lambda: arrays["axes"])


def _axes(model: Fused, train: Companies, size: int, seed: int) -> np.ndarray:
    """Top right singular directions of the scores that companies get with and without their products.

    Each row is taken less its mean, so that no axis is spent on what all products of a company have in common, and at
    length 1, so that companies of small scores count as much; those without products at a tenth of it: they take the
    axes that the others leave. Of 3,000 companies, fewer where more than 0.8 GB of scores would be held.
    """
    random = np.random.default_rng(seed)
    most = max(1, min(_AXES_COMPANIES, _AXES_CELLS // train.known.shape[1]))
    drawn = train.take(np.sort(random.permutation(len(train))[:most]))
    scores = np.vstack([model.score(drawn), model.score(told_nothing(drawn))])
    scores -= scores.mean(axis=1, keepdims=True)
    scores /= np.maximum(np.linalg.norm(scores, axis=1, keepdims=True), 1e-12)
    scores[len(drawn) :] *= _COLD_LENGTH
    return score_axes([(scores, sp.identity(scores.shape[1], np.float32, "csr"))], seed, size)
