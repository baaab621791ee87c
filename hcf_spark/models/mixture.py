"""A weighted sum of models."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from hcf_spark.models.base import Model
from hcf_spark.models.companies import Companies
from hcf_spark.models.parts import pack_parts, unpack_part


@dataclass(frozen=True)
class Mixture:
    """Score = sum_k w_k s_k.

    Attributes:
        parts: models over the same products.
        weights: w, one for each.
    """

    name: ClassVar[str] = "mixture"
    folds_in: ClassVar[bool] = True
    parts: tuple[Model, ...]
    weights: tuple[float, ...]

    def score(self, companies: Companies) -> np.ndarray:
        """(B, P) float32."""
        return sum(
            np.float32(weight) * part.score(companies) for weight, part in zip(self.weights, self.parts, strict=True)
        )

    def arrays(self) -> dict[str, np.ndarray]:
        parts = {str(place): part for place, part in enumerate(self.parts)}
        return {"weights": np.array(self.weights), **pack_parts(**parts)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        weights = tuple(arrays["weights"].tolist())
        return cls(tuple(unpack_part(arrays, str(place)) for place in range(len(weights))), weights)
