"""Intervals of every model's test figures, and of their distance to the best simple method's."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hcf_spark.evaluation.candidate import Search
from hcf_spark.evaluation.comparison import compare, probe_gains
from hcf_spark.evaluation.model_result import REGIMES, ModelResult
from hcf_spark.models.companies import Holdout


def gather_evidence(
    models: Mapping[str, ModelResult], baselines: Mapping[str, str | None], warm: Holdout, search: Search
) -> dict[str, dict[str, Any]]:
    """By model name: ``interval`` and ``over_baseline`` of each part of the test, and ``bpdm_gain``.

    The parts are warm and cold, with Recall@K, NDCG@K, company_auc and company_average_precision, and companies_warm
    and companies_cold, with Recall@K and NDCG@K. Figures are drawn again over companies in the former, over products in
    the latter.

    Args:
        models: result by name.
        baselines: regime to the model that the others are compared with; None compares with none.
        warm: the test companies whose vectors were probed.
        search: its cutoff is K; its seed is that of the draws.
    """
    ranking = [f"{name}_at_{search.cutoff}" for name in ("recall", "ndcg")]
    whole = ["company_auc", "company_average_precision"]
    compared = {}
    for regime in REGIMES:
        of_companies = {
            name: _pick(getattr(model, regime).per_company, ranking + whole) for name, model in models.items()
        }
        of_products = {name: getattr(model, f"companies_{regime}").per_product for name, model in models.items()}
        compared[regime] = compare(of_companies, baselines[regime], search.seed)
        compared[f"companies_{regime}"] = compare(of_products, baselines[regime], search.seed)
    hidden = warm.hidden.getnnz(axis=1)
    probed = {
        name: {
            "hits": model.bpdm.hits,
            "predicted": model.bpdm.predicted,
            "hidden": hidden,
            **_pick(model.bpdm.per_company, whole),
        }
        for name, model in models.items()
    }
    gains = probe_gains(probed, search.seed)
    return {
        name: {
            **{kind: {part: compared[part][name][kind] for part in compared} for kind in ("interval", "over_baseline")},
            "bpdm_gain": gains.get(name, {}),
        }
        for name in models
    }


def _pick(figures: Mapping[str, np.ndarray], names: Sequence[str]) -> dict[str, np.ndarray]:
    return {name: figures[name] for name in names}
