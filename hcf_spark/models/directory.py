"""Training companies that a model can name: look-alikes of a company, and who is most likely to adopt a product."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from hcf_spark.models.base import Model
from hcf_spark.models.both_ways import score_both_ways
from hcf_spark.models.companies import Companies, unit_rows
from hcf_spark.models.ranking import csr_rows, top_k

_ROWS = 2048

Named = list[tuple[np.ndarray, np.ndarray]]
"""For each row asked for, (n,) int64 ``company_idx``, best first, and (n,) float32 scores."""


@dataclass(frozen=True)
class Directory:
    """R training companies as the model sees them.

    Attributes:
        index: (R,) int64, their ``company_idx``.
        vectors: (R, d) float32, their company vectors at length 1.
        adopters: (P, n) int64, rows of the companies most likely to adopt each product, best first.
        adopter_scores: (P, n) float32, the model's scores; -inf where fewer than n do not use the product yet.
    """

    index: np.ndarray
    vectors: np.ndarray
    adopters: np.ndarray
    adopter_scores: np.ndarray

    @classmethod
    def of(cls, model: Model, companies: Companies, n_adopters: int) -> Self:
        """The directory of ``companies``, each scored once.

        Args:
            model: the fitted model.
            companies: R training companies.
            n_adopters: companies kept for each product, at most.
        """
        n_products = companies.known.shape[1]
        vectors = []
        rows = np.zeros((n_products, 0), np.int64)
        scores, order = (np.zeros((n_products, 0), np.float32) for _ in range(2))
        for start in range(0, len(companies), _ROWS):
            block = companies.take(slice(start, start + _ROWS))
            vectors.append(_unit(model.embed(block)))
            of_block, ranked = score_both_ways(model, block)
            for cells in (of_block, ranked):
                cells[csr_rows(block.known), block.known.indices] = -np.inf
            scores, order = np.hstack([scores, of_block.T]), np.hstack([order, ranked.T])
            rows = np.hstack([rows, np.tile(np.arange(start, start + len(block)), (n_products, 1))])
            best = top_k(order, n_adopters)
            rows, scores, order = (np.take_along_axis(cells, best, axis=1) for cells in (rows, scores, order))
        return cls(companies.index, np.concatenate(vectors), rows, scores)

    def __len__(self) -> int:
        return len(self.index)

    def look_alikes(self, vectors: np.ndarray, index: np.ndarray, cutoff: int) -> Named:
        """The companies with the most similar vectors.

        Args:
            vectors: (B, d) company vectors.
            index: (B,) ``company_idx`` of the same companies, -1 if not seen; a company is not its own look-alike.
            cutoff: companies to name.

        Returns:
            Their ``company_idx`` and cosines.
        """
        cosines = _unit(vectors) @ self.vectors.T
        cosines[index[:, None] == self.index] = -np.inf
        rows = top_k(cosines, cutoff)
        return self._named(rows, np.take_along_axis(cosines, rows, axis=1))

    def adopters_of(self, products: np.ndarray, cutoff: int) -> Named:
        """The companies that do not use a product and score it highest.

        Args:
            products: (B,) product indices.
            cutoff: companies to name; no more than were kept.
        """
        return self._named(self.adopters[products, :cutoff], self.adopter_scores[products, :cutoff])

    def _named(self, rows: np.ndarray, scores: np.ndarray) -> Named:
        keep = scores > -np.inf
        return [(self.index[row[kept]], values[kept]) for row, values, kept in zip(rows, scores, keep, strict=True)]

    def arrays(self) -> dict[str, np.ndarray]:
        """All that ``from_arrays`` needs."""
        return {
            "index": self.index,
            "vectors": self.vectors,
            "adopters": self.adopters,
            "adopter_scores": self.adopter_scores,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        return cls(**arrays)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return unit_rows(vectors, np.zeros(vectors.shape[1], np.float32))
