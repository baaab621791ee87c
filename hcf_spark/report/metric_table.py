"""Models side by side, with the best of each column marked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hcf_spark.report.formats import is_number, metric

_METRICS = {
    "recall_at_{cutoff}": "Recall@{cutoff}",
    "ndcg_at_{cutoff}": "NDCG@{cutoff}",
    "auc": "AUC",
    "average_precision": "Average precision",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "precision_macro": "Precision, macro",
    "recall_macro": "Recall, macro",
    "f1_macro": "F1, macro",
}


@dataclass(frozen=True)
class Cell:
    """A number as written, and whether none in its column is higher as written."""

    text: str
    is_best: bool


@dataclass(frozen=True)
class MetricTable:
    """Column labels, and for each model one cell per column."""

    columns: list[str]
    rows: dict[str, list[Cell]]


def build_metric_table(models: Mapping[str, Mapping[str, Any]], group: str, cutoff: int) -> MetricTable | None:
    """The metrics of a group (warm, cold, bpdm) that at least one model has; None if there are none.

    All of these metrics are better when higher. Values that look equal at the digits shown are all marked.
    """
    measured = {name: model[group] for name, model in models.items() if model.get(group)}
    columns, cells = [], {name: [] for name in measured}
    for key, title in _METRICS.items():
        values = {name: metrics.get(key.format(cutoff=cutoff)) for name, metrics in measured.items()}
        numbers = [value for value in values.values() if is_number(value)]
        if not numbers:
            continue
        best = metric(max(numbers))
        columns.append(title.format(cutoff=cutoff))
        for name, value in values.items():
            cells[name].append(Cell(metric(value), metric(value) == best))
    return MetricTable(columns, cells) if columns else None
