"""Text and text neighbours together, in closed form: the cold part of the fused model."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import scipy.linalg

from hcf_spark.models.companies import Companies, unit_rows
from hcf_spark.models.ranks import over_ranks
from hcf_spark.models.reference import Reference
from hcf_spark.models.text_knn import TextNeighbours

_ROWS = 2048


@dataclass(frozen=True)
class Neighbourhood:
    """The neighbour profile N: what the k text-nearest training companies use, a company itself left out.

    Attributes:
        neighbours: finds at least k.
        k: neighbours that count.
        sharpness: of their weights.
    """

    neighbours: TextNeighbours
    k: int
    sharpness: float

    @property
    def mean(self) -> np.ndarray:
        """(D,) float32, of the training companies' text vectors."""
        return self.neighbours.reference.mean

    def profiles(self, companies: Companies) -> np.ndarray:
        """N, (B, P) float32 in [0, 1]."""
        weights = self.neighbours.weights(companies, self.k, self.sharpness)
        return self.neighbours.reference.profiles(weights)

    def arrays(self) -> dict[str, np.ndarray]:
        settings = {"k": np.array([self.k]), "sharpness": np.array([self.sharpness])}
        return {**self.neighbours.reference.arrays(), **settings}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        k = arrays["k"].item()
        return cls(TextNeighbours(Reference.from_arrays(arrays), k), k, arrays["sharpness"].item())


@dataclass(frozen=True)
class NeighbourRidge:
    """Score = f W + c N, f = [e, 1]: a ridge from the text to what the text's neighbours leave open.

    Attributes:
        text_weights: W, (D + 1, P) float32, the last row for the constant.
        offset: c.
        neighbourhood: gives N.
    """

    name: ClassVar[str] = "neighbour_ridge"
    folds_in: ClassVar[bool] = False
    text_weights: np.ndarray
    offset: float
    neighbourhood: Neighbourhood

    def score(self, companies: Companies) -> np.ndarray:
        """(B, P) float32, an estimate of the 0/1 cell, not held to [0, 1]."""
        scores = _with_constant(companies, self.neighbourhood.mean) @ self.text_weights
        scores += np.float32(self.offset) * self.neighbourhood.profiles(companies)
        return scores

    def arrays(self) -> dict[str, np.ndarray]:
        own = {"text_weights": self.text_weights, "offset": np.array([self.offset])}
        return {**own, **self.neighbourhood.arrays()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        return cls(arrays["text_weights"], arrays["offset"].item(), Neighbourhood.from_arrays(arrays))


@dataclass(frozen=True)
class NeighbourRidgeStatistics:
    """What ``NeighbourRidge`` needs of the training companies, for any strengths: sums over their rows.

    Attributes:
        neighbourhood: gives N.
        features: F'F, (D + 1, D + 1) float64, f = [e, 1].
        cross: F'X, (D + 1, P) float32.
        neighbour_cross: F'N, (D + 1, P) float32.
    """

    neighbourhood: Neighbourhood
    features: np.ndarray
    cross: np.ndarray
    neighbour_cross: np.ndarray

    @classmethod
    def of(cls, train: Companies, neighbourhood: Neighbourhood) -> Self:
        """The sums over ``train``, some rows at a time."""
        size = train.text.shape[1] + 1
        features = np.zeros((size, size))
        cross, neighbour_cross = (np.zeros((size, train.known.shape[1]), np.float32) for _ in range(2))
        for rows in _row_blocks(train):
            block = _with_constant(rows, neighbourhood.mean)
            features += block.T @ block
            cross += (rows.known.T @ block).T
            neighbour_cross += block.T @ neighbourhood.profiles(rows)
        return cls(neighbourhood, *map(over_ranks, (features, cross, neighbour_cross)))

    def fit(self, text_strength: float, offset: float) -> NeighbourRidge:
        """The minimum over W of |T - F W|^2 + text_strength |W_e|^2, T = X - c N, the constant's weights free.

        Args:
            text_strength: ridge of the text's weights.
            offset: c, the share of the neighbour profile that is taken as it is.
        """
        ridge = np.append(np.full(len(self.features) - 1, text_strength), 0.0)
        target = self.cross - np.float32(offset) * self.neighbour_cross
        weights = scipy.linalg.solve(self.features + np.diag(ridge), target, assume_a="pos").astype(np.float32)
        return NeighbourRidge(weights, offset, self.neighbourhood)


def _with_constant(companies: Companies, mean: np.ndarray) -> np.ndarray:
    """f = [e, 1], (B, D + 1) float32, e the unit text vector."""
    return np.hstack([unit_rows(companies.text, mean), np.ones((len(companies), 1), np.float32)])


def _row_blocks(companies: Companies) -> Iterator[Companies]:
    """The companies, so many at a time that a dense row of products for each is held easily."""
    return (companies.take(slice(start, start + _ROWS)) for start in range(0, len(companies), _ROWS))
