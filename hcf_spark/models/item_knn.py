"""Item-based nearest neighbours: products that the same companies use."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from hcf_spark.models.companies import Companies
from hcf_spark.models.free_memory import require_memory
from hcf_spark.models.popularity import product_shares, shares_at_level
from hcf_spark.models.score_axes import score_axes

_SAMPLED = 1000
_BYTES_OF_A_PAIR = 75
"""Of two products with companies in common, in either order, while the strongest similarities are looked for."""


@dataclass(frozen=True)
class ItemKnn:
    """Score = x S, S_ij the similarity of products i and j where i is among the k most similar to j, else 0.

    A company whose known products say nothing (none, or none that is a neighbour of others) gets ``fallback``.

    Attributes:
        similarities: S, (P, P) float32 CSR, zero diagonal.
        fallback: (P,) float32, popularity at the level of the scores.
        make_axes: gives V, (P, d) float32, the top right singular directions of the training companies' scores.
    """

    name: ClassVar[str] = "item_knn"
    folds_in: ClassVar[bool] = True
    similarities: sp.csr_matrix
    fallback: np.ndarray
    make_axes: Callable[[], np.ndarray]

    def score(self, companies: Companies) -> np.ndarray:
        """(B, P) float32, x S; at least 0."""
        scores = (companies.known @ self.similarities).toarray()
        scores[~scores.any(axis=1)] = self.fallback
        return scores

    def embed(self, companies: Companies) -> np.ndarray:
        """(B, d) float32, u = V's; u . V_j is nearly the score of product j."""
        return self.score(companies) @ self.make_axes()

    def arrays(self) -> dict[str, np.ndarray]:
        return {
            "data": self.similarities.data,
            "products": self.similarities.indices,
            "starts": self.similarities.indptr,
            "fallback": self.fallback,
            "axes": self.make_axes(),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        parts, n_products = (arrays["data"], arrays["products"], arrays["starts"]), len(arrays["fallback"])
        return cls(sp.csr_matrix(parts, (n_products, n_products)), arrays["fallback"], lambda: arrays["axes"])


@dataclass(frozen=True)
class ItemKnnStatistics:
    """What ``ItemKnn`` needs of the training companies, for any settings.

    Attributes:
        known: X, (C, P) float32 CSR.
        gram: X'X, (P, P) float32 CSR without its diagonal: companies that two products have in common.
        shares: (P,) float64, share of the companies that use each product.
    """

    known: sp.csr_matrix
    gram: sp.csr_matrix
    shares: np.ndarray

    @classmethod
    def of(cls, train: Companies) -> Self:
        """The counts of ``train``.

        Raises:
            TrainingError: they need more memory than is free.
        """
        pairs, n_products = _estimate_pairs(train.known), train.known.shape[1]
        what = f"{ItemKnn.name}: the similarity of {pairs:,.0f} pairs among {n_products} products"
        require_memory(what, pairs * _BYTES_OF_A_PAIR / 1e9)
        gram = (train.known.T @ train.known).tocsr()
        gram.setdiag(0)
        gram.eliminate_zeros()
        return cls(train.known, gram, product_shares(train))

    def fit(self, k: int, shrinkage: float, exponent: float, seed: int) -> ItemKnn:
        """S_ij = c_ij / (n_i^exponent n_j^(1 - exponent) + shrinkage), c the companies in common, n those of a product.

        An exponent of 1/2 gives the cosine; above, the votes of popular products count less (Aiolli 2013, "Efficient
        top-n recommendation for very large scale binary rated datasets"). Shrinkage distrusts small counts.
        """
        counts = np.maximum(self.shares * self.known.shape[0], 1)
        similarities = self.gram.tocoo()
        voters, targets = similarities.row, similarities.col
        norms = counts[voters] ** exponent * counts[targets] ** (1 - exponent)
        similarities.data = (similarities.data / (norms + shrinkage)).astype(np.float32)
        similarities = _strongest(similarities.tocsc(), k)
        axes = cache(partial(score_axes, [(self.known, similarities)], seed))
        return ItemKnn(similarities, shares_at_level(self.shares, similarities), axes)


def _estimate_pairs(known: sp.csr_matrix) -> float:
    """Of products that have companies in common, in either order: counted for some products, evenly over all."""
    n_products = known.shape[1]
    some = np.linspace(0, n_products, min(n_products, _SAMPLED), endpoint=False).astype(int)
    return (known[:, some].T @ known).nnz * n_products / len(some)


def _strongest(similarities: sp.csc_matrix, k: int) -> sp.csr_matrix:
    """The k largest entries of each column; of equal ones those of the lower rows."""
    columns = np.repeat(np.arange(similarities.shape[1]), np.diff(similarities.indptr))
    order = np.lexsort((-similarities.data, columns))
    rank = np.arange(len(order)) - similarities.indptr[columns[order]]
    kept = order[rank < k]
    parts = similarities.data[kept], (similarities.indices[kept], columns[kept])
    return sp.csr_matrix(parts, similarities.shape)
