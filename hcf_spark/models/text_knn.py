"""Text only, by example: what the companies with the most similar texts use."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from hashlib import blake2b
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from hcf_spark.models.companies import Companies
from hcf_spark.models.reference import BaseReference, Neighbours, Reference
from hcf_spark.models.score_axes import score_axes


class TextNeighbours:
    """The companies of a reference whose texts are nearest.

    A search scores the same companies with every trial, and no trial changes who is near: with ``remembered`` above 0
    the neighbours of companies asked for last are kept.

    Args:
        reference: C companies.
        size: neighbours to find.
        remembered: neighbours to keep, at most, 8 bytes each.
    """

    def __init__(self, reference: BaseReference, size: int, remembered: int = 0) -> None:
        self.reference, self.size = reference, min(size, len(reference))
        self._room = remembered // max(self.size, 1)
        self._found: dict[bytes, Neighbours] = {}

    def find(self, companies: Companies) -> Neighbours:
        """The nearest, best first; none for a company without text."""
        if len(companies) > self._room:
            return self._search(companies)
        key = blake2b(companies.index.tobytes())
        for part in self.reference.texts_of(companies):
            key.update(np.ascontiguousarray(part))
        found = self._found.pop(key.digest(), None)
        self._found[key.digest()] = found or self._search(companies)
        while sum(len(rows) for rows, _ in self._found.values()) > self._room:
            del self._found[next(iter(self._found))]
        return self._found[key.digest()]

    def weights(self, companies: Companies, k: int, sharpness: float) -> sp.csr_matrix:
        """(B, C) float32, weights of the k nearest, at most ``size``."""
        rows, cosines = self.find(companies)
        return self.reference.weigh((rows[:, :k], cosines[:, :k]), sharpness)

    def _search(self, companies: Companies) -> Neighbours:
        return self.reference.nearest(companies, self.size, self.reference.text_cosines)


@dataclass(frozen=True)
class TextKnn:
    """Score = mean of the product rows of the k text-nearest training companies, weights exp(sharpness (cosine - 1)).

    A company is not its own neighbour; one without text gets popularity.

    Attributes:
        neighbours: finds at least k.
        k: neighbours that count.
        sharpness: 0 weighs them alike.
        make_axes: gives V, (P, d) float32, the top right singular directions of the training companies' scores.
    """

    name: ClassVar[str] = "text_knn"
    folds_in: ClassVar[bool] = False
    reference_class: ClassVar[type[BaseReference]] = Reference
    neighbours: TextNeighbours
    k: int
    sharpness: float
    make_axes: Callable[[], np.ndarray]

    @classmethod
    def fit(cls, train: Companies, neighbours: TextNeighbours, seed: int, k: int, sharpness: float) -> Self:
        """The model whose reference, that of ``neighbours``, is ``train``."""
        return cls(neighbours, k, sharpness, cache(partial(_axes, train, neighbours, seed, k, sharpness)))

    def score(self, companies: Companies) -> np.ndarray:
        """(B, P) float32 in [0, 1]."""
        return self.neighbours.reference.profiles(self.neighbours.weights(companies, self.k, self.sharpness))

    def embed(self, companies: Companies) -> np.ndarray:
        """(B, d) float32, u = V's; u . V_j is nearly the score of product j."""
        return self.score(companies) @ self.make_axes()

    def arrays(self) -> dict[str, np.ndarray]:
        settings = {"k": np.array([self.k]), "sharpness": np.array([self.sharpness])}
        return {**self.neighbours.reference.arrays(), **settings, "axes": self.make_axes()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        k, sharpness = arrays["k"].item(), arrays["sharpness"].item()
        return cls(TextNeighbours(cls.reference_class.from_arrays(arrays), k), k, sharpness, lambda: arrays["axes"])


def _axes(train: Companies, neighbours: TextNeighbours, seed: int, k: int, sharpness: float) -> np.ndarray:
    return score_axes([(neighbours.weights(train, k, sharpness), train.known)], seed)
