"""AUC and average precision of each company by itself: a mean over companies, with pairs of companies to compare."""

import numpy as np
import scipy.sparse as sp

from hcf_spark.models.ranking import csr_rows

_CELLS = 4_000_000


def company_auc_and_ap(scores: np.ndarray, hidden: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """ROC-AUC and average precision within each row, as scikit-learn has them.

    Args:
        scores: (B, P) float32, -inf at known cells (which don't count).
        hidden: (B, P) CSR, at least one product in each row.

    Returns:
        AUC, (B,) float64 in [0, 1], 0.5 where a row has no cell but hidden ones; average precision, (B,) float64.
    """
    rows, n_hidden = csr_rows(hidden), hidden.getnnz(axis=1)
    values = scores[rows, hidden.indices]
    above, at_least = _count_around(scores, rows, values)
    hidden_above, hidden_at_least = _count_around(_padded(values, rows, hidden.indptr), rows, values)
    n_other = np.count_nonzero(scores > -np.inf, axis=1) - n_hidden
    others_ahead = (above - hidden_above + at_least - hidden_at_least) / 2
    share_ahead = np.bincount(rows, others_ahead, len(scores)) / (n_hidden * np.maximum(n_other, 1))
    precision = np.bincount(rows, hidden_at_least / at_least, len(scores)) / n_hidden
    return np.where(n_other > 0, 1 - share_ahead, 0.5), precision


def _count_around(scores: np.ndarray, rows: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each of n cells, the cells of its row above its value, and at or above it: (n,) int64 each."""
    above, at_least = np.empty((2, len(rows)), np.int64)
    step = max(1, _CELLS // scores.shape[1])
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        beside, value = scores[rows[part]], values[part, None]
        above[part] = np.count_nonzero(beside > value, axis=1)
        at_least[part] = np.count_nonzero(beside >= value, axis=1)
    return above, at_least


def _padded(values: np.ndarray, rows: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The values of each row side by side, (B, most in a row), -inf where a row has fewer."""
    padded = np.full((len(starts) - 1, np.diff(starts).max()), -np.inf, np.float32)
    padded[rows, np.arange(len(rows)) - starts[rows]] = values
    return padded
