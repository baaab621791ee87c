"""Models side by side, with the best of each column marked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hcf_spark.report.evidence import difference, gain
from hcf_spark.report.formats import ABSENT, is_number, metric

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
_WITHIN_COMPANIES = {
    "company_auc": "AUC per company",
    "company_average_precision": "Average precision per company",
}
_PROBED_FIRST = ("precision", "recall", "f1")

Models = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Cell:
    """A number as written, and whether none in its column is higher as written."""

    text: str
    is_best: bool = False


@dataclass(frozen=True)
class MetricTable:
    """Column labels, and for each model one cell per column."""

    columns: list[str]
    rows: dict[str, list[Cell]]


def build_metric_table(models: Models, group: str, cutoff: int) -> MetricTable | None:
    """The metrics of a group (warm, cold, companies_warm, companies_cold) that at least one model has, else None.

    Beside a metric stands how far it is from the baseline's, where that is known.
    """
    return build_table(select(models, group), _titles(cutoff), differences(models, group))


def build_probe_table(models: Models, cutoff: int) -> MetricTable | None:
    """The metrics of the probe that at least one model has, else None; beside one, its gain over the text alone."""
    all_titles = _titles(cutoff)
    titles = {**{key: all_titles[key] for key in _PROBED_FIRST}, **_WITHIN_COMPANIES, **all_titles}
    gains = select(models, "bpdm_gain")
    beside = {
        key: ("gain over text alone", {name: gain(found[key]) for name, found in gains.items() if key in found})
        for key in titles
    }
    return build_table(select(models, "bpdm"), titles, beside)


def _titles(cutoff: int) -> dict[str, str]:
    return {key.format(cutoff=cutoff): title.format(cutoff=cutoff) for key, title in _METRICS.items()}


def select(models: Models, group: str) -> dict[str, Mapping[str, Any]]:
    """The group of each model that has it."""
    return {name: model[group] for name, model in models.items() if model.get(group)}


def differences(models: Models, group: str) -> dict[str, tuple[str, dict[str, str]]]:
    """For each metric of a group that is compared with the baseline: column label, and model name to what is found."""
    found = {name: over for name, model in models.items() if (over := model.get("over_baseline", {}).get(group))}
    beside = {}
    for name, over in found.items():
        baseline = over["baseline"]
        for key, value in over.items():
            if key != "baseline":
                column = beside.setdefault(key, (f"against {baseline}", {}))[1]
                column[name] = "baseline" if name == baseline else difference(value)
    return beside


def build_table(
    measured: Models,
    titles: Mapping[str, str],
    beside: Mapping[str, tuple[str, Mapping[str, str]]] | None = None,
    mark: bool = True,
) -> MetricTable | None:
    """A column for each metric that at least one model has as a number; None if there is none.

    Values that look equal at the digits shown are all marked as best.

    Args:
        measured: model name to metric to value.
        titles: metric to column label.
        beside: metric to a further column: its label, and model name to text.
        mark: the highest value of a column is the best one; if not, none is marked.
    """
    columns, cells = [], {name: [] for name in measured}
    for key, title in titles.items():
        values = {name: metrics.get(key) for name, metrics in measured.items()}
        numbers = [value for value in values.values() if is_number(value)]
        if not numbers:
            continue
        best = metric(max(numbers))
        columns.append(title)
        for name, value in values.items():
            cells[name].append(Cell(metric(value), mark and metric(value) == best))
        label, texts = (beside or {}).get(key, ("", {}))
        if texts:
            columns.append(label)
            for name in measured:
                cells[name].append(Cell(texts.get(name, ABSENT)))
    return MetricTable(columns, cells) if columns else None
