"""Intervals of every model's test figures, and of their distance to the best simple method's."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from hcf_spark.evaluation.candidate import Search
from hcf_spark.evaluation.comparison import compare, compare_cells, probe_gains
from hcf_spark.evaluation.evaluate import Metrics
from hcf_spark.evaluation.model_result import REGIMES, ModelResult
from hcf_spark.models.companies import Holdout, Regimes

_KINDS = ("interval", "over_baseline")
_WHOLE = ("company_auc", "company_average_precision")


def gather_evidence(
    models: Mapping[str, ModelResult], baselines: Mapping[str, str | None], test: Regimes, search: Search
) -> dict[str, dict[str, Any]]:
    """By model name: ``interval`` and ``over_baseline`` of each part of the test, and ``bpdm_gain``.

    The parts are warm and cold, with all that ``Metrics`` has per company, and precision, recall and f1 over all cells;
    and companies_warm and companies_cold, with all that ``ProductMetrics`` has per product. Companies are drawn again
    for the former, products for the latter.

    Args:
        models: result by name.
        baselines: regime to the model that the others are compared with; None compares with none.
        test: the test companies; vectors were probed on the warm ones.
        search: its seed is that of the draws.
    """
    compared = {}
    for regime in REGIMES:
        baseline, holdout = baselines[regime], getattr(test, regime)
        judged = {name: getattr(model, regime) for name, model in models.items()}
        of_companies = compare({name: own.per_company for name, own in judged.items()}, baseline, search.seed)
        of_cells = compare_cells({name: _cells(own, holdout) for name, own in judged.items()}, baseline, search.seed)
        compared[regime] = {
            name: {kind: of_companies[name][kind] | of_cells[name][kind] for kind in _KINDS} for name in models
        }
        of_products = {name: getattr(model, f"companies_{regime}").per_product for name, model in models.items()}
        compared[f"companies_{regime}"] = compare(of_products, baseline, search.seed)
    probed = {
        name: _cells(model.bpdm, test.warm) | {key: model.bpdm.per_company[key] for key in _WHOLE}
        for name, model in models.items()
    }
    gains = probe_gains(probed, search.seed)
    return {
        name: {
            **{kind: {part: compared[part][name][kind] for part in compared} for kind in _KINDS},
            "bpdm_gain": gains.get(name, {}),
        }
        for name in models
    }


def _cells(judged: Metrics, holdout: Holdout) -> dict[str, np.ndarray]:
    return {"hits": judged.hits, "predicted": judged.predicted, "hidden": holdout.hidden.getnnz(axis=1)}
