"""Two models as one: the better for companies with known products, the better for companies without."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from hcf_spark.models.base import Model
from hcf_spark.models.companies import Companies, unit_rows
from hcf_spark.models.parts import pack_parts, unpack_part


@dataclass(frozen=True)
class ByRegime:
    """Companies with known products are scored by ``warm``, those without by ``cold``.

    Where ``warm`` does not fold products in, a company that was not in training goes to ``cold`` all the same.

    Scores are comparable among companies of one regime only: thresholds are kept per regime.
    """

    warm: Model
    cold: Model

    @property
    def folds_in(self) -> bool:
        return self.warm.folds_in

    @property
    def name(self) -> str:
        return f"{self.warm.name}+{self.cold.name}"

    @classmethod
    def of(cls, warm: Model, cold: Model) -> Self:
        """The pair of a model's warm part and another's cold part, where they have parts."""
        return cls(warm.warm if type(warm) is cls else warm, cold.cold if type(cold) is cls else cold)

    def score(self, companies: Companies) -> np.ndarray:
        """(B, P) float32, each row from the model of its regime."""
        scores = np.empty(companies.known.shape, np.float32)
        is_warm = (companies.known.getnnz(axis=1) > 0) & (self.warm.folds_in | (companies.index >= 0))
        for score, rows in ((self.score_known, np.flatnonzero(is_warm)), (self.cold.score, np.flatnonzero(~is_warm))):
            scores[rows] = score(companies.take(rows))
        return scores

    def score_known(self, companies: Companies) -> np.ndarray:
        """(B, P) float32, of companies with known products."""
        return self.warm.score(companies)

    def embed(self, companies: Companies) -> np.ndarray:
        """(B, d) float32, the vectors of both parts side by side, each at length 1."""
        return np.hstack([_unit(part.embed(companies)) for part in (self.warm, self.cold)])

    def arrays(self) -> dict[str, np.ndarray]:
        return pack_parts(warm=self.warm, cold=self.cold)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        return cls(unpack_part(arrays, "warm"), unpack_part(arrays, "cold"))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return unit_rows(vectors, np.zeros(vectors.shape[1], np.float32))
