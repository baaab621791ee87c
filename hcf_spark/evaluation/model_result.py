"""All that is found out about one model."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hcf_spark.evaluation.candidate import SettingsByRegime, Trial
from hcf_spark.evaluation.companies_for_products import ProductMetrics
from hcf_spark.evaluation.evaluate import Metrics
from hcf_spark.evaluation.slices import Slices

REGIMES = ("warm", "cold")


@dataclass(frozen=True)
class ModelResult:
    """How a model did.

    Attributes:
        warm: on companies seen in training, test.
        cold: on companies held out whole, test.
        companies_warm: the other direction, those companies ranked for each product.
        companies_cold: the same, of the companies held out whole.
        by_vectors: NDCG@K on test by regime when products are ranked by company vector times product vector; empty for
            a model without product vectors.
        bpdm: the paper's probe of its company vectors, warm test.
        exposure: what it shows to the test companies of each regime, taken together.
        slices: its test figures by regime, kind of slice (``slice_ranking``, ``slice_told_products``) and slice.
        calibration: how far its probabilities can be trusted, by regime (``measure_reliability``).
        validation_ndcg: NDCG@K of the validation companies, (B,) float64 by regime, of the model fitted on the inner
            companies; what winners are chosen by.
        settings: the chosen ones, by regime.
        trials: all that was tried on validation.
        tune_seconds: spent on trials and calibration.
        fit_seconds: spent on the fit to all training companies.
    """

    warm: Metrics
    cold: Metrics
    companies_warm: ProductMetrics
    companies_cold: ProductMetrics
    by_vectors: dict[str, float]
    bpdm: Metrics
    exposure: dict[str, dict[str, float]]
    slices: dict[str, dict[str, Slices]]
    calibration: dict[str, dict[str, Any]]
    validation_ndcg: dict[str, np.ndarray]
    settings: SettingsByRegime
    trials: Sequence[Trial]
    tune_seconds: float
    fit_seconds: float

    @property
    def validation(self) -> dict[str, float]:
        """The means of ``validation_ndcg``."""
        return {regime: float(ndcg.mean()) for regime, ndcg in self.validation_ndcg.items()}

    def row(self) -> dict[str, Any]:
        """All of it but the figures per company, as plain values."""
        return {
            "warm": self.warm.summary,
            "cold": self.cold.summary,
            "companies_warm": self.companies_warm.summary,
            "companies_cold": self.companies_cold.summary,
            "by_vectors": self.by_vectors,
            "bpdm": self.bpdm.summary,
            "exposure": self.exposure,
            "slices": self.slices,
            "calibration": self.calibration,
            "validation": self.validation,
            "settings": dict(self.settings),
            "trials": [asdict(trial) for trial in self.trials],
            "tune_seconds": self.tune_seconds,
            "fit_seconds": self.fit_seconds,
        }
