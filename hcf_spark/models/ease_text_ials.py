"""EASE with text plus a low-rank term: what any closed form can add to itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from hcf_spark.models.companies import Companies
from hcf_spark.models.ease_text import EaseText
from hcf_spark.models.ials import Ials
from hcf_spark.models.parts import pack_parts, unpack_part


@dataclass(frozen=True)
class EaseTextIals:
    """Score = that of ``EaseText`` + gamma times that of ``Ials``, which is left out where no product is known.

    Attributes:
        linear: the first part.
        low_rank: the second.
        gamma: above 0.
    """

    name: ClassVar[str] = "ease_text_ials"
    folds_in: ClassVar[bool] = True
    linear: EaseText
    low_rank: Ials
    gamma: float

    def score(self, companies: Companies) -> np.ndarray:
        """(B, P) float32."""
        return self.linear.score(companies) + self._addition(companies) @ self.low_rank.products.T

    def embed(self, companies: Companies) -> np.ndarray:
        """(B, d) float32, the vectors of both parts side by side, the second times gamma."""
        return np.hstack([self.linear.embed(companies), self._addition(companies)])

    def _addition(self, companies: Companies) -> np.ndarray:
        return np.float32(self.gamma) * self.low_rank.embed(companies)

    def arrays(self) -> dict[str, np.ndarray]:
        return {"gamma": np.array([self.gamma]), **pack_parts(linear=self.linear, low_rank=self.low_rank)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        return cls(unpack_part(arrays, "linear"), unpack_part(arrays, "low_rank"), arrays["gamma"].item())
