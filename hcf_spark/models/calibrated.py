"""A model's scores as probabilities."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp
from scipy.special import expit

from hcf_spark.models.base import Model
from hcf_spark.models.companies import Companies
from hcf_spark.models.parts import pack_parts, unpack_part
from hcf_spark.models.ranking import csr_rows

_TOP = 10
_MOST = 3.0


@dataclass(frozen=True)
class RowCalibration:
    """Probability of a cell = sigmoid(a(row) + b asinh(score / t)).

    b is above 0, so the order inside a row stays. a is linear in what tells rows apart (``row_features``).

    Attributes:
        scale: t.
        slope: b.
        intercept: of a.
        weights: (2,) float64, of a.
        centre, spread: (2,) float64, of the features.
    """

    scale: float
    slope: float
    intercept: float
    weights: np.ndarray
    centre: np.ndarray
    spread: np.ndarray

    def probabilities(self, scores: np.ndarray, known: sp.csr_matrix) -> np.ndarray:
        """(B, P) float32 in [0, 1].

        Args:
            scores: (B, P) float32.
            known: (B, P) CSR, the known products.
        """
        features = standardised(row_features(scores, known), self.centre, self.spread)
        rows = self.intercept + features @ self.weights
        return expit(rows[:, None] + self._log_odds(scores)).astype(np.float32)

    def for_products(self, scores: np.ndarray, known: sp.csr_matrix, reach: float) -> np.ndarray:
        """(B, P) float32 log odds; rows are told apart by their n known products alone: + reach log(1 + n), centred.

        Arguments as of ``probabilities``.
        """
        rows = self.intercept + reach * (np.log1p(known.getnnz(axis=1)) - self.centre[0])
        return (rows[:, None] + self._log_odds(scores)).astype(np.float32)

    def _log_odds(self, scores: np.ndarray) -> np.ndarray:
        return self.slope * np.arcsinh(scores / self.scale, dtype=np.float64)

    def array(self) -> np.ndarray:
        """(9,) float64, all of it."""
        return np.concatenate([[self.scale, self.slope, self.intercept], self.weights, self.centre, self.spread])

    @classmethod
    def from_array(cls, array: np.ndarray) -> Self:
        """What ``array`` was taken from."""
        return cls(*array[:3].tolist(), *np.split(array[3:], 3))


def standardised(features: np.ndarray, centre: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """(B, 2) float64: each feature centred and scaled, and held to 3 standard deviations."""
    return np.clip((features - centre) / spread, -_MOST, _MOST)


def row_features(scores: np.ndarray, known: sp.csr_matrix) -> np.ndarray:
    """What tells rows apart: log(1 + n) of n known products, and the mean of the 10 best scores of the others, if any.

    Args:
        scores: (B, P) float32.
        known: (B, P) CSR.

    Returns:
        (B, 2) float64.
    """
    others = scores.astype(np.float64)
    others[csr_rows(known), known.indices] = -np.inf
    size = min(_TOP, scores.shape[1])
    best = np.partition(others, -size, axis=1)[:, -size:]
    is_other = np.isfinite(best)
    mean = np.where(is_other, best, 0).sum(axis=1) / np.maximum(is_other.sum(axis=1), 1)
    return np.column_stack([np.log1p(known.getnnz(axis=1)), mean])


@dataclass(frozen=True)
class Calibrated:
    """A model whose scores are turned into probabilities, row by row; all else is the model's own.

    Attributes:
        model: whose scores are ranked as before.
        warm: for companies with known products, if the model makes something of them.
        cold: for the others.
        reach: what log(1 + n) adds where companies are ranked for a product, n their number of known products.
    """

    name: ClassVar[str] = "calibrated"
    model: Model
    warm: RowCalibration
    cold: RowCalibration
    reach: float

    @property
    def folds_in(self) -> bool:
        return self.model.folds_in

    def score(self, companies: Companies) -> np.ndarray:
        """(B, P) float32, the probability that the company uses the product."""
        return self.probabilities(self.model.score(companies), companies)

    def score_for_products(self, companies: Companies) -> np.ndarray:
        """(B, P) float32, to rank companies for each product by: another order of rows than that of ``score``."""
        return self.for_products(self.model.score(companies), companies)

    def probabilities(self, scores: np.ndarray, companies: Companies) -> np.ndarray:
        """What ``score`` gives, from (B, P) scores of ``model``."""
        return self._by_regime(scores, companies, RowCalibration.probabilities)

    def for_products(self, scores: np.ndarray, companies: Companies) -> np.ndarray:
        """What ``score_for_products`` gives, from (B, P) scores of ``model``."""
        return self._by_regime(scores, companies, partial(RowCalibration.for_products, reach=self.reach))

    def _by_regime(self, scores: np.ndarray, companies: Companies, function: Callable[..., np.ndarray]) -> np.ndarray:
        scores = np.array(scores, np.float32)
        is_warm = (companies.known.getnnz(axis=1) > 0) & (self.folds_in | (companies.index >= 0))
        for calibration, rows in ((self.warm, is_warm), (self.cold, ~is_warm)):
            scores[rows] = function(calibration, scores[rows], companies.known[rows])
        return scores

    def embed(self, companies: Companies) -> np.ndarray:
        """(B, d) float32, the model's own."""
        return self.model.embed(companies)

    def arrays(self) -> dict[str, np.ndarray]:
        own = {"warm": self.warm.array(), "cold": self.cold.array(), "reach": np.array([self.reach])}
        return own | pack_parts(model=self.model)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        warm, cold = (RowCalibration.from_array(arrays[regime]) for regime in ("warm", "cold"))
        return cls(unpack_part(arrays, "model"), warm, cold, arrays["reach"].item())
