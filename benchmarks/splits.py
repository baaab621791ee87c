"""Figures over several splits, in which the same companies come back: intervals draw companies, not judgements."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

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

    Arguments as of ``sum_by_company``; a company is drawn with all it has in all splits (cluster bootstrap).
    """
    counts = sum_by_company(ids, [np.ones(len(own)) for own in gains])
    totals, drawn = resampled_sums(np.column_stack([sum_by_company(ids, gains), counts]), seed).T
    mean = float(np.concatenate(gains).mean())
    return {"difference": mean, **interval(totals / drawn), "by_split": [float(own.mean()) for own in gains]}
