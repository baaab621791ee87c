"""Text only (the paper's "AE only"): the stage-1 vector with a linear probe."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import scipy.linalg

from hcf_spark.models.companies import Companies, text_mean, unit_rows
from hcf_spark.models.popularity import product_shares
from hcf_spark.models.ranks import over_ranks


@dataclass(frozen=True)
class TextRidge:
    """Ridge from the unit text vector to the products; a company without text gets the intercept, which is popularity.

    Attributes:
        mean: (D,) float32, mean text vector of the training companies.
        weights: (D, P) float32.
        intercept: (P,) float32, share of the training companies that use each product.
    """

    name: ClassVar[str] = "ae"
    folds_in: ClassVar[bool] = False
    mean: np.ndarray
    weights: np.ndarray
    intercept: np.ndarray

    def score(self, companies: Companies) -> np.ndarray:
        """(B, P) float32, e W + intercept; an estimate of the 0/1 cell, not held to [0, 1]."""
        return self.embed(companies) @ self.weights + self.intercept

    def embed(self, companies: Companies) -> np.ndarray:
        """(B, D) float32, the centred text vector at length 1; zeros without text."""
        return unit_rows(companies.text, self.mean)

    def arrays(self) -> dict[str, np.ndarray]:
        return {"mean": self.mean, "weights": self.weights, "intercept": self.intercept}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        return cls(**arrays)


@dataclass(frozen=True)
class TextRidgeStatistics:
    """What ``TextRidge`` needs of the training companies, for any ridge strength: sums over their rows.

    Attributes:
        mean: (D,) float32, mean text vector.
        gram: (D, D) float64, E'E of the unit text vectors.
        cross: (D, P) float64, E'(X - 1 shares').
        shares: (P,) float64, share of the companies that use each product.
    """

    mean: np.ndarray
    gram: np.ndarray
    cross: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(cls, train: Companies) -> Self:
        mean = text_mean(train.text)
        unit = unit_rows(train.text, mean)
        shares = product_shares(train)
        cross = (train.known.T @ unit).T - np.outer(unit.sum(axis=0, dtype=np.float64), shares)
        return cls(mean, over_ranks((unit.T @ unit).astype(np.float64)), over_ranks(cross), shares)

    def fit(self, strength: float) -> TextRidge:
        """The minimum over W of |X - 1 shares' - E W|^2 + strength |W|^2.

        The best strength is noise variance over weight variance, which does not grow with the number of companies: one
        grid of plain numbers serves all sizes.
        """
        penalised = self.gram + strength * np.eye(len(self.gram))
        weights = scipy.linalg.cho_solve(scipy.linalg.cho_factor(penalised), self.cross)
        return TextRidge(self.mean, weights.astype(np.float32), self.shares.astype(np.float32))
