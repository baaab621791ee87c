"""The paired bootstrap (Efron and Tibshirani 1993): all models on the same companies, drawn again and again."""

import numpy as np

RESAMPLES = 2000
_PERCENTILES = (2.5, 97.5)
_AT_ONCE = 100


def resampled_sums(values: np.ndarray, seed: int) -> np.ndarray:
    """Sums of each column over N rows drawn with replacement, the same draws for every column.

    Args:
        values: (N, M).
        seed: of the draws.

    Returns:
        (``RESAMPLES``, M) float64.
    """
    n_rows, random = len(values), np.random.default_rng(seed)
    shift = n_rows * np.arange(_AT_ONCE)[:, None]
    sums = []
    for _ in range(0, RESAMPLES, _AT_ONCE):
        drawn = random.integers(n_rows, size=(_AT_ONCE, n_rows)) + shift
        times = np.bincount(drawn.ravel(), minlength=_AT_ONCE * n_rows).reshape(_AT_ONCE, n_rows)
        sums.append(times.astype(np.float64) @ values)
    return np.concatenate(sums)


def interval(resampled: np.ndarray) -> dict[str, float]:
    """The 95% percentile interval of a figure, from its (R,) values on resamples."""
    low, high = np.percentile(resampled, _PERCENTILES)
    return {"low": float(low), "high": float(high)}
