"""Models beside each other on the same companies: what is a difference, and what is chance."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from hcf_spark.evaluation.intervals import interval, resampled_sums

NOT_SIMPLE = frozenset({"dcf", "hcf", "text_dae", "fused"})
"""The candidates that have to prove themselves; all others are simple baselines."""

GUARDED = "fused"
"""The candidate that is held to being better than the simple ones; another has to be so by more than chance."""

TEXT_ONLY = "ae"
"""The model whose probe the paper compares with (its "AE only")."""

Figures = Mapping[str, Mapping[str, np.ndarray]]


def best_baseline(candidates: Iterable[str], validation: Mapping[str, float]) -> str | None:
    """The simple candidate of the highest validation NDCG, the first of equals; None if there is none.

    Args:
        candidates: names.
        validation: name to validation NDCG, in one regime.
    """
    return max((name for name in candidates if name not in NOT_SIMPLE), key=validation.__getitem__, default=None)


def compare(figures: Figures, baseline: str | None, seed: int) -> dict[str, dict[str, Any]]:
    """Intervals of each model's means, and of how far they are from the baseline's.

    Args:
        figures: model name to metric to (N,) values, one for each company (or product), the same for every model.
        baseline: one of the models, or None to compare with none.
        seed: of the draws.

    Returns:
        Model name to ``interval`` (metric to low, high) and ``over_baseline`` (``baseline``, its name, and metric to
        difference, low, high; no metric without a baseline).
    """
    differences = {
        name: {metric: values - figures[baseline][metric] for metric, values in own.items()}
        for name, own in (figures.items() if baseline is not None else ())
    }
    own_means, mean_differences = (_resampled_means(drawn, seed) for drawn in (figures, differences))
    return {
        name: {
            "interval": {metric: interval(means) for metric, means in own_means[name].items()},
            "over_baseline": {"baseline": baseline}
            | {
                metric: {"difference": float(differences[name][metric].mean()), **interval(means)}
                for metric, means in mean_differences.get(name, {}).items()
            },
        }
        for name in figures
    }


def compare_cells(figures: Figures, baseline: str | None, seed: int) -> dict[str, dict[str, Any]]:
    """As ``compare``, of precision, recall and f1 over all cells of all companies.

    Args:
        figures: model name to hits, predicted, hidden, (N,) each, which count a company's cells.
        baseline: as of ``compare``.
        seed: of the draws.
    """
    drawn = {name: _cell_figures(means) for name, means in _resampled_means(figures, seed).items()}
    actual = {name: _cell_figures({key: values.mean() for key, values in own.items()}) for name, own in figures.items()}
    return {
        name: {
            "interval": {metric: interval(values) for metric, values in drawn[name].items()},
            "over_baseline": {
                metric: {
                    "difference": float(actual[name][metric] - actual[baseline][metric]),
                    **interval(values - drawn[baseline][metric]),
                }
                for metric, values in (drawn[name].items() if baseline is not None else ())
            },
        }
        for name in figures
    }


def probe_gains(figures: Figures, seed: int) -> dict[str, dict[str, Any]]:
    """How much more than the text alone each model's company vectors tell, as the paper has it: figure / AE's - 1.

    Args:
        figures: model name to hits, predicted, hidden, company_auc, company_average_precision of the probe of its
            vectors, (N,) each; the first three count cells.
        seed: of the draws.

    Returns:
        Model name to precision, recall and f1 (over all cells), company_auc and company_average_precision (means over
        companies) to gain, low, high; a figure is left out where that of AE can be 0. Empty without AE.
    """
    if TEXT_ONLY not in figures:
        return {}
    means = {name: _probe_figures(drawn) for name, drawn in _resampled_means(figures, seed).items()}
    actual = {
        name: _probe_figures({key: values.mean() for key, values in own.items()}) for name, own in figures.items()
    }
    return {
        name: {
            metric: {
                "gain": float(actual[name][metric] / actual[TEXT_ONLY][metric] - 1),
                **interval(values / means[TEXT_ONLY][metric] - 1),
            }
            for metric, values in drawn.items()
            if np.all(means[TEXT_ONLY][metric] > 0)
        }
        for name, drawn in means.items()
        if name != TEXT_ONLY
    }


def _cell_figures(means: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "precision": means["hits"] / np.where(means["predicted"] > 0, means["predicted"], 1),
        "recall": means["hits"] / means["hidden"],
        "f1": 2 * means["hits"] / (means["predicted"] + means["hidden"]),
    }


def _probe_figures(means: Mapping[str, Any]) -> dict[str, Any]:
    whole = {key: means[key] for key in ("company_auc", "company_average_precision")}
    return {**_cell_figures(means), **whole}


def _resampled_means(figures: Figures, seed: int) -> dict[str, dict[str, np.ndarray]]:
    """(R,) means of every metric of every model over drawn companies, the same draws for all."""
    places = [(name, metric) for name, own in figures.items() for metric in own]
    means = {name: {} for name in figures}
    if not places:
        return means
    values = np.column_stack([figures[name][metric] for name, metric in places])
    for (name, metric), column in zip(places, (resampled_sums(values, seed) / len(values)).T, strict=True):
        means[name][metric] = column
    return means
