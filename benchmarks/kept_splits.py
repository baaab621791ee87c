"""What ``quality`` needs of a split, in a file, so that a run that was stopped goes on after it."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hcf_spark.config import Config
from hcf_spark.evaluation.companies_for_products import ProductMetrics
from hcf_spark.evaluation.evaluate import Metrics
from hcf_spark.evaluation.harness import REGIMES, HarnessResult

OTHER_WAY = tuple(f"companies_{regime}" for regime in REGIMES)
"""Companies for a product."""
PROBED = ("hits", "predicted", "company_auc", "company_average_precision")
"""Of the probe, by company."""


def describe_split(
    config: Config, result: HarnessResult, ids: Mapping[str, Sequence[str]], hidden: np.ndarray
) -> dict[str, Any]:
    """A split as plain values.

    Args:
        config: of all splits.
        result: of the split.
        ids: by regime, the company_id of each judged company; by ``OTHER_WAY``, the product_id of each judged product.
        hidden: (judged warm companies,) number of hidden products.
    """
    ndcg = f"ndcg_at_{config.evaluation.cutoff}"

    def describe(metrics: Metrics | ProductMetrics) -> dict[str, Any]:
        each = metrics.per_company if isinstance(metrics, Metrics) else metrics.per_product
        return {"summary": metrics.summary, "ndcg": each[ndcg].tolist()}

    return {
        "ids": {part: list(own) for part, own in ids.items()},
        "hidden": hidden.tolist(),
        "champion": result.champion,
        "models": {
            name: {
                "seconds": {"tune": own.tune_seconds, "fit": own.fit_seconds},
                "settings": own.settings,
                "by_vectors": own.by_vectors,
                **{part: describe(getattr(own, part)) for part in (*REGIMES, *OTHER_WAY)},
                "bpdm": {
                    "summary": own.bpdm.summary,
                    "per_company": {key: _by_company(own.bpdm, key).tolist() for key in PROBED},
                },
            }
            for name, own in ((name, result.models[name]) for name in dict.fromkeys(config.evaluation.models))
        },
    }


def write_whole(file: Path, split: Mapping[str, Any]) -> None:
    """Write a split in one atomic step."""
    waiting = file.with_suffix(f".{os.getpid()}")
    waiting.write_text(json.dumps(split), encoding="utf-8")
    os.replace(waiting, file)


def _by_company(metrics: Metrics, key: str) -> np.ndarray:
    return getattr(metrics, key) if key in ("hits", "predicted") else metrics.per_company[key]
