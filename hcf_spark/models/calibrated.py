"""A model's scores as probabilities."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp
from scipy.special import expit, logsumexp

from hcf_spark.errors import RegistryError
from hcf_spark.models.base import Model
from hcf_spark.models.companies import Companies
from hcf_spark.models.parts import pack_parts, unpack_part
from hcf_spark.models.ranking import csr_rows

_TOP = 10
_MOST = 3.0
_NUMBERS = 12


@dataclass(frozen=True)
class RowCalibration:
    """Probability of a cell = sigmoid(a(row) + b asinh(score / t)).

    b is above 0, so the order inside a row stays. a is linear in what tells rows apart (``row_features``).

    Companies are ranked for a product by a0 + b asinh(score / t) + reach log(1 + n) - share mass, n the number of known
    products and mass what the row has in all, log sum exp(b asinh(. / t)) over its other products: with a share of 1
    a row is divided by its sum, as in a softmax. Both are taken less their means over the regime's validation rows.

    Attributes:
        scale: t.
        slope: b.
        intercept: of a.
        weights: (2,) float64, of a.
        centre, spread: (2,) float64, of the features.
        reach, share: of the order of companies.
        mass: mean of the rows' mass.
    """

    scale: float
    slope: float
    intercept: float
    weights: np.ndarray
    centre: np.ndarray
    spread: np.ndarray
    reach: float = 0.0
    share: float = 0.0
    mass: float = 0.0

    def probabilities(self, scores: np.ndarray, known: sp.csr_matrix) -> np.ndarray:
        """(B, P) float32 in [0, 1].

        Args:
            scores: (B, P) float32.
            known: (B, P) CSR, the known products.
        """
        features = standardised(row_features(scores, known), self.centre, self.spread)
        rows = self.intercept + features @ self.weights
        return expit(rows[:, None] + self._log_odds(scores)).astype(np.float32)

    def for_products(self, scores: np.ndarray, known: sp.csr_matrix) -> np.ndarray:
        """(B, P) float32, to rank companies for each product by; arguments as of ``probabilities``."""
        reach = self.reach * (np.log1p(known.getnnz(axis=1)) - self.centre[0])
        rows = self.intercept + reach - self.share * (self.row_mass(scores, known) - self.mass)
        return (rows[:, None] + self._log_odds(scores)).astype(np.float32)

    def row_mass(self, scores: np.ndarray, known: sp.csr_matrix) -> np.ndarray:
        """(B,) float64; the mean for a row whose products are all known. Arguments as of ``probabilities``."""
        others = self._log_odds(scores)
        others[csr_rows(known), known.indices] = -np.inf
        mass = logsumexp(others, axis=1)
        return np.where(np.isfinite(mass), mass, self.mass)

    def _log_odds(self, scores: np.ndarray) -> np.ndarray:
        return self.slope * np.arcsinh(scores / self.scale, dtype=np.float64)

    def array(self) -> np.ndarray:
        """(12,) float64, all of it."""
        rows = [self.weights, self.centre, self.spread, [self.reach, self.share, self.mass]]
        return np.concatenate([[self.scale, self.slope, self.intercept], *rows])

    @classmethod
    def from_array(cls, array: np.ndarray) -> Self:
        """What ``array`` was taken from.

        Raises:
            RegistryError: it is that of another version.
        """
        if len(array) != _NUMBERS:
            raise RegistryError(
                f"this calibration has {len(array)} numbers, not {_NUMBERS}: it was saved by another version of "
                "hcf_spark; load it with that, or train_model again"
            )
        return cls(*array[:3].tolist(), *np.split(array[3:9], 3), *array[9:].tolist())


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
    """

    name: ClassVar[str] = "calibrated"
    model: Model
    warm: RowCalibration
    cold: RowCalibration

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
        return self._by_regime(scores, companies, RowCalibration.for_products)

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
        return {"warm": self.warm.array(), "cold": self.cold.array()} | pack_parts(model=self.model)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        warm, cold = (RowCalibration.from_array(arrays[regime]) for regime in ("warm", "cold"))
        return cls(unpack_part(arrays, "model"), warm, cold)
