"""A challenger against other models on the cells that are held out now."""

from collections.abc import Mapping

import numpy as np

from hcf_spark.evaluation.comparison import compare
from hcf_spark.evaluation.evaluate import company_ndcg
from hcf_spark.evaluation.model_result import REGIMES
from hcf_spark.models.base import Model
from hcf_spark.models.companies import Regimes

NdcgByRegime = Mapping[str, np.ndarray]
"""(B,) NDCG@K of the companies of each regime."""


def ndcg_by_regime(model: Model, test: Regimes, cutoff: int) -> NdcgByRegime:
    """NDCG@``cutoff`` of a model that takes the companies and ranks the products of ``test``."""
    return {regime: company_ndcg(model, getattr(test, regime), cutoff) for regime in REGIMES}


def gain_over(other: NdcgByRegime, challenger: NdcgByRegime, seed: int) -> dict[str, dict[str, float]]:
    """By regime ``difference`` of the mean NDCG, ``low`` and ``high`` of its 95% interval (paired bootstrap)."""
    gains = {}
    for regime in REGIMES:
        figures = {"challenger": {"ndcg": challenger[regime]}, "other": {"ndcg": other[regime]}}
        gains[regime] = compare(figures, "other", seed)["challenger"]["over_baseline"]["ndcg"]
    return gains
