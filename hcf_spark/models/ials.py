"""iALS: a low-rank model of who uses what, with company vectors folded in from any known products."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from threadpoolctl import threadpool_limits

from hcf_spark.errors import TrainingError
from hcf_spark.models.companies import Companies
from hcf_spark.models.popularity import product_shares

_KNOWN_AT_ONCE = 100_000


def mean_cells(train: Companies) -> float:
    """The geometric mean of the products per company and the companies per product."""
    return train.known.nnz / float(np.sqrt(np.prod(train.known.shape)))


@dataclass(frozen=True)
class Ials:
    """Matrix factorisation for implicit feedback (Hu, Koren and Volinsky 2008), fitted by the library ``implicit``.

    Score = u . y_j. For any company, u is the exact minimum of alpha sum_known (1 - u . y_j)^2 +
    sum_others (u . y_j)^2 + ridge |u|^2 with the fitted product vectors, so that what is known now counts.
    A company without known products gets popularity.

    Attributes:
        products: Y, (P, d) float32.
        projection: Z = Y (Y'Y + ridge I)^-1, (P, d) float32.
        alpha: weight of a known cell; that of any other is 1.
        shares: (P,) float32, share of the training companies that use each product.
    """

    name: ClassVar[str] = "ials"
    folds_in: ClassVar[bool] = True
    products: np.ndarray
    projection: np.ndarray
    alpha: float
    shares: np.ndarray

    @classmethod
    def fit(
        cls, train: Companies, seed: int, factors: int, regularization: float, alpha: float, iterations: int
    ) -> Self:
        """Alternating least squares, on one thread.

        The ridge is ``regularization`` alpha sqrt(m), m as of ``mean_cells``: it penalises the nuclear norm, and stands
        against noise that grows like the square root of the cells in a row or column (Negahban and Wainwright 2012).

        Raises:
            TrainingError: no product is used by any training company.
        """
        from implicit.cpu.als import AlternatingLeastSquares  # here: a served model does without

        if not train.known.nnz:
            raise TrainingError("ials: no product is used by any training company; check the filter settings")
        ridge = regularization * alpha * mean_cells(train) ** 0.5
        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=factors, regularization=ridge, alpha=alpha, iterations=iterations, num_threads=1,
                random_state=seed,
            )  # fmt: skip
            model.fit(train.known, show_progress=False)
        shares = product_shares(train).astype(np.float32)
        return cls.of(model.item_factors, ridge, alpha, shares)

    @classmethod
    def of(cls, products: np.ndarray, ridge: float, alpha: float, shares: np.ndarray) -> Self:
        """The model with these product vectors."""
        gram = products.T.astype(np.float64) @ products + ridge * np.eye(products.shape[1])
        return cls(products, np.linalg.solve(gram, products.T).T.astype(np.float32), alpha, shares)

    def score(self, companies: Companies) -> np.ndarray:
        """(B, P) float32, estimates of the 0/1 cell, not held to [0, 1]."""
        scores = self.embed(companies) @ self.products.T
        scores[~scores.any(axis=1)] = self.shares
        return scores

    def embed(self, companies: Companies) -> np.ndarray:
        """(B, d) float32, u; zeros without known products.

        u = alpha Z_S' (I + (alpha - 1) Y_S Z_S')^-1 1 with S the known products, by Woodbury's identity: a system of
        the size of S in place of d.
        """
        vectors = np.zeros((len(companies), self.products.shape[1]), np.float32)
        known, counts = companies.known, companies.known.getnnz(axis=1)
        with threadpool_limits(1, "blas"):  # the systems are small: threads would only wait for each other
            for size in np.unique(counts[counts > 0]):
                rows = np.flatnonzero(counts == size)
                for some in np.array_split(rows, -(-len(rows) * size // _KNOWN_AT_ONCE)):
                    vectors[some] = self._fold_in(known.indices[known.indptr[some][:, None] + np.arange(size)])
        return vectors

    def _fold_in(self, own: np.ndarray) -> np.ndarray:
        """(B, d) float32 for companies with as many known products each, (B, n)."""
        projection = self.projection[own]
        kernel = np.float32(self.alpha - 1) * (self.products[own] @ projection.swapaxes(1, 2))
        kernel += np.eye(own.shape[1], dtype=np.float32)
        solved = np.linalg.solve(kernel, np.ones((*own.shape, 1), np.float32))
        return np.float32(self.alpha) * (solved.swapaxes(1, 2) @ projection)[:, 0]

    def arrays(self) -> dict[str, np.ndarray]:
        return {
            "products": self.products,
            "projection": self.projection,
            "alpha": np.array([self.alpha]),
            "shares": self.shares,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        return cls(arrays["products"], arrays["projection"], arrays["alpha"].item(), arrays["shares"])
