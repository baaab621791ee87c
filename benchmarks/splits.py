"""Figures over several splits, in which the same companies come back: intervals draw companies, not judgements."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t

from hcf_spark.evaluation.intervals import interval, resampled_sums


def sum_by_company(ids: Sequence[Sequence[str]], values: Sequence[np.ndarray]) -> np.ndarray:
    """(N,) float64, one for each of N companies: its sum over the splits in which it is judged.

    Args:
        ids: of each split, the company_id of each judged company.
        values: of each split, (judged companies,).
    """
    companies, _ = pd.factorize(np.concatenate(ids))
    return np.bincount(companies, np.concatenate(values))


def mean_gain(ids: Sequence[Sequence[str]], gains: Sequence[np.ndarray], seed: int) -> dict[str, float | list[float]]:
    """The mean over all judgements, ``low`` and ``high`` of its 95% interval, and the mean of each split.

    The interval is of other companies under the same splits, settings and seeds.

    Arguments as of ``sum_by_company``; a company is drawn with all it has in all splits (cluster bootstrap).
    """
    counts = sum_by_company(ids, [np.ones(len(own)) for own in gains])
    totals, drawn = resampled_sums(np.column_stack([sum_by_company(ids, gains), counts]), seed).T
    mean = float(np.concatenate(gains).mean())
    return {"difference": mean, **interval(totals / drawn), "by_split": [float(own.mean()) for own in gains]}


def over_splits(by_split: Sequence[float]) -> tuple[float, float]:
    """The 95% interval of the mean by how much the splits, each tuned and fitted anew, differ (Student's t).

    Args:
        by_split: the mean of each split, two of them at least.
    """
    reach = t.ppf(0.975, len(by_split) - 1) * np.std(by_split, ddof=1) / len(by_split) ** 0.5
    return float(np.mean(by_split) - reach), float(np.mean(by_split) + reach)


def format_gain(gain: Mapping[str, Any]) -> str:
    """What ``mean_gain`` found, for a cell of a table; bold where neither interval holds 0."""
    intervals = [(gain["low"], gain["high"])]
    if len(gain["by_split"]) > 1:
        intervals.append(over_splits(gain["by_split"]))
    shown = "; ".join(f"{low:+.4f} to {high:+.4f}" for low, high in intervals)
    is_sure = all(low > 0 or high < 0 for low, high in intervals)
    return f"{'**' * is_sure}{gain['difference']:+.4f}{'**' * is_sure} ({shown})"
