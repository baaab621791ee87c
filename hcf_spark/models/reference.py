"""Training companies as neighbours: who is nearest to a company, and what the near ones use."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from hcf_spark.models.companies import Companies, text_mean, unit_rows
from hcf_spark.models.popularity import product_shares

Neighbours = tuple[np.ndarray, np.ndarray]
"""(B, k) int32 rows of the reference, the nearest first, and their (B, k) float32 similarities; -inf: none further."""

_CELLS = 8_000_000


@dataclass(frozen=True)
class BaseReference(ABC):
    """The companies that others are compared with; how their texts are compared is left to those built on this.

    Attributes:
        known: X, (C, P) float32 CSR.
        index: (C,) int64, their ``company_idx``; a company is not its own neighbour.
        shares: (P,) float32, share of them that use each product; stands in where no neighbour uses any.
        unit: (C, n) float32, dense or CSR, what their texts are compared by, a row each.
    """

    known: sp.csr_matrix
    index: np.ndarray
    shares: np.ndarray
    unit: np.ndarray | sp.csr_matrix

    @classmethod
    @abstractmethod
    def of(cls, train: Companies) -> Self:
        """The reference of training companies."""

    @abstractmethod
    def texts_of(self, companies: Companies) -> list[np.ndarray]:
        """All that ``text_cosines`` reads of companies."""

    @abstractmethod
    def text_cosines(self, companies: Companies) -> np.ndarray:
        """(B, C) float32; -inf where one of the two has no text."""

    def __len__(self) -> int:
        return len(self.index)

    def take(self, rows: np.ndarray) -> Self:
        """Those at ``rows`` alone, what was learnt of all left as it is."""
        return replace(self, known=self.known[rows], index=self.index[rows], unit=self.unit[rows])

    def product_cosines(self, companies: Companies) -> np.ndarray:
        """(B, C) float32 cosines of the rows of known products; 0 where one of the two has none."""
        return (_unit_products(companies.known) @ self._unit_products.T).toarray()

    @cached_property
    def _unit_products(self) -> sp.csr_matrix:
        return _unit_products(self.known)

    def nearest(self, companies: Companies, size: int, similarity: Callable[[Companies], np.ndarray]) -> Neighbours:
        """The ``size`` most similar companies, or all others if they are fewer.

        Works block by block: about 32 MB of similarities are held at once.

        Args:
            similarity: companies to their (B, C) float32 similarities, -inf where two cannot be compared.
        """
        rows = max(1, _CELLS // max(len(self), 1))
        blocks = [companies.take(slice(start, start + rows)) for start in range(0, max(len(companies), 1), rows)]
        found = [self._nearest(block, min(size, len(self)), similarity(block)) for block in blocks]
        return tuple(np.concatenate(side) for side in zip(*found, strict=True))

    def _nearest(self, companies: Companies, size: int, similarities: np.ndarray) -> Neighbours:
        if not size:
            return np.zeros((len(companies), 0), np.int32), np.zeros((len(companies), 0), np.float32)
        itself = (companies.index[:, None] == self.index) & (companies.index[:, None] >= 0)
        similarities[itself] = -np.inf
        rows = np.argpartition(-similarities, size - 1, axis=1)[:, :size]
        values = np.take_along_axis(similarities, rows, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        return np.take_along_axis(rows, order, axis=1).astype(np.int32), np.take_along_axis(values, order, axis=1)

    def weigh(self, neighbours: Neighbours, sharpness: float) -> sp.csr_matrix:
        """(B, C) float32 weights of the neighbours: exp(sharpness (similarity - 1)), scaled to sum 1 in each row.

        A row without neighbours is zero.
        """
        rows, similarities = neighbours
        best = similarities.max(axis=1, keepdims=True, initial=-1)  # cancels out; spares an underflow
        weights = np.exp(np.float32(sharpness) * (similarities - best))
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        starts = np.arange(len(rows) + 1) * rows.shape[1]
        return sp.csr_matrix((weights.ravel(), rows.ravel(), starts), shape=(len(rows), len(self)))

    def profiles(self, weights: sp.csr_matrix) -> np.ndarray:
        """(B, P) float32, mean of the neighbours' product rows by ``weights``; ``shares`` where it is all zeros."""
        profiles = (weights @ self.known).toarray()
        profiles[~profiles.any(axis=1)] = self.shares
        return profiles

    def arrays(self) -> dict[str, np.ndarray]:
        """All that ``from_arrays`` needs, X by the parts of its CSR form."""
        return {
            "known_data": self.known.data,
            "known_products": self.known.indices,
            "known_starts": self.known.indptr,
            "index": self.index,
            "shares": self.shares,
        }

    @classmethod
    @abstractmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The reference that ``arrays`` were taken from."""


def fields_of(train: Companies) -> dict[str, Any]:
    """The fields of ``BaseReference`` from training companies."""
    return {"known": train.known, "index": train.index, "shares": product_shares(train).astype(np.float32)}


def fields_from(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The fields of ``BaseReference`` from the arrays of a reference."""
    parts = arrays["known_data"], arrays["known_products"], arrays["known_starts"]
    known = sp.csr_matrix(parts, shape=(len(arrays["index"]), len(arrays["shares"])))
    return {"known": known, "index": arrays["index"], "shares": arrays["shares"]}


@dataclass(frozen=True)
class Reference(BaseReference):
    """The companies that others are compared with, their texts by their vectors.

    Attributes:
        mean: (D,) float32, mean of their text vectors.
        unit: E, (C, D) float32, their centred text vectors at length 1; zeros without text.
    """

    mean: np.ndarray
    unit: np.ndarray

    @classmethod
    def of(cls, train: Companies) -> Self:
        mean = text_mean(train.text)
        return cls(**fields_of(train), mean=mean, unit=unit_rows(train.text, mean))

    def texts_of(self, companies: Companies) -> list[np.ndarray]:
        return [companies.text]

    def text_cosines(self, companies: Companies) -> np.ndarray:
        unit = unit_rows(companies.text, self.mean)
        cosines = unit @ self.unit.T
        cosines[~unit.any(axis=1)] = -np.inf
        cosines[:, ~self.unit.any(axis=1)] = -np.inf
        return cosines

    def arrays(self) -> dict[str, np.ndarray]:
        return {**super().arrays(), "mean": self.mean, "unit": self.unit}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        return cls(**fields_from(arrays), mean=arrays["mean"], unit=arrays["unit"])


def _unit_products(known: sp.csr_matrix) -> sp.csr_matrix:
    """0/1 rows scaled to length 1; rows of zeros stay zeros."""
    lengths = np.sqrt(np.maximum(known.getnnz(axis=1), 1)).astype(np.float32)
    return (sp.diags_array(1 / lengths) @ known).tocsr()
