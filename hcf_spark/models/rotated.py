"""A model whose company vectors are turned to those of another, so that what others have stored keeps its meaning."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy.linalg import orthogonal_procrustes

from hcf_spark.models.base import Model
from hcf_spark.models.companies import Companies
from hcf_spark.models.parts import pack_parts, unpack_part


@dataclass(frozen=True)
class Rotated:
    """Scores are those of ``model``; its company vectors are rotated, which leaves lengths and angles as they were.

    Attributes:
        model: what is rotated.
        rotation: R, (d, r) float32, orthonormal rows.
    """

    name: ClassVar[str] = "rotated"
    model: Model
    rotation: np.ndarray

    @property
    def folds_in(self) -> bool:
        """That of ``model``."""
        return self.model.folds_in

    def score(self, companies: Companies) -> np.ndarray:
        """(B, P) float32."""
        return self.model.score(companies)

    def score_for_products(self, companies: Companies) -> np.ndarray:
        """(B, P) float32, those of ``model`` in the other direction, if it has such."""
        return getattr(self.model, "score_for_products", self.model.score)(companies)

    def embed(self, companies: Companies) -> np.ndarray:
        """(B, r) float32, u R."""
        return self.model.embed(companies) @ self.rotation

    def arrays(self) -> dict[str, np.ndarray]:
        return {"rotation": self.rotation, **pack_parts(model=self.model)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        return cls(unpack_part(arrays, "model"), arrays["rotation"])


@dataclass(frozen=True)
class Drift:
    """How far vectors are from those that they were rotated to.

    Attributes:
        companies: number that both models know.
        mean_cosine: of a company's vector and its vector before, over those that have one; 1 where nothing moved.
        relative_residual: |U R - U'| / |U'|, Frobenius norms; 0 where nothing moved.
    """

    companies: int
    mean_cosine: float
    relative_residual: float


def fit_rotation(vectors: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, Drift]:
    """The rotation, mirrors included, that brings vectors nearest to those before (orthogonal Procrustes).

    Schönemann 1966: R = W Z' of the singular value decomposition U'' = W S Z' of U' times the vectors before. Where one
    of the two has fewer dimensions it is filled up with zeros.

    Args:
        vectors: U, (C, d) float32, at least one row.
        before: U', (C, e) float32, of the same companies.

    Returns:
        R, (d, max(d, e)) float32, orthonormal rows; and what is left of the distance.
    """
    size = max(vectors.shape[1], before.shape[1])
    target = _fill_up(before, size)
    rotation = orthogonal_procrustes(_fill_up(vectors, size), target)[0][: vectors.shape[1]].astype(np.float32)
    rotated = vectors @ rotation
    lengths = np.linalg.norm(rotated, axis=1) * np.linalg.norm(target, axis=1)
    cosines = (rotated * target).sum(axis=1)[lengths > 0] / lengths[lengths > 0]
    residual = np.linalg.norm(rotated - target) / max(np.linalg.norm(target), np.finfo(np.float32).tiny)
    return rotation, Drift(len(vectors), float(cosines.mean()) if len(cosines) else 1.0, float(residual))


def _fill_up(vectors: np.ndarray, size: int) -> np.ndarray:
    return np.pad(vectors, [(0, 0), (0, size - vectors.shape[1])])
