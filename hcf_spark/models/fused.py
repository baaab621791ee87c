"""The fused model: text, neighbours and known products of any company, seen or not, in one vector and one score."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from hcf_spark.models.base import Model
from hcf_spark.models.by_regime import ByRegime
from hcf_spark.models.companies import Companies
from hcf_spark.models.parts import unpack_part
from hcf_spark.models.score_axes import score_axes

_AXES_COMPANIES = 3000


@dataclass(frozen=True)
class Fused(ByRegime):
    """Companies with known products are scored by ``warm``, those without by ``cold``; both know the text.

    Attributes:
        warm, cold: the parts.
        make_axes: gives V, (P, d) float32, the product vectors; d is the vector size asked for, or P if that is less.
    """

    name: ClassVar[str] = "fused"
    make_axes: Callable[[], np.ndarray]

    @classmethod
    def of_parts(cls, warm: Model, cold: Model, train: Companies, vector_size: int, seed: int) -> Self:
        """The model of two fitted parts; V is worked out from the scores of ``train`` when first asked for."""
        return cls(warm, cold, cache(partial(_axes, warm, cold, train, vector_size, seed)))

    def embed(self, companies: Companies) -> np.ndarray:
        """(B, d) float32 company vectors u = V's; u . V_j is nearly the score of product j."""
        return self.score(companies) @ self.make_axes()

    def arrays(self) -> dict[str, np.ndarray]:
        return {"axes": self.make_axes(), **super().arrays()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        return cls(unpack_part(arrays, "warm"), unpack_part(arrays, "cold"), lambda: arrays["axes"])


def _axes(warm: Model, cold: Model, train: Companies, size: int, seed: int) -> np.ndarray:
    """Top right singular directions of the scores that companies get with and without their products."""
    random = np.random.default_rng(seed)
    drawn = train.take(np.sort(random.permutation(len(train))[:_AXES_COMPANIES]))
    unknown = replace(drawn, known=sp.csr_matrix(drawn.known.shape, dtype=np.float32))
    scores = np.vstack([warm.score(drawn), cold.score(unknown)])
    return score_axes([(scores, sp.identity(scores.shape[1], np.float32, "csr"))], seed, size)
