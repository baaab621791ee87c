"""Ranking metrics per company, and exact metrics over all cells from their counts."""

import numpy as np
import scipy.sparse as sp

from hcf_spark.evaluation.cell_counts import CellCounts

CUTOFFS = (5, 20, 50)
"""K of all ranking metrics, beside the one that models are chosen by."""


def is_among(ranked: np.ndarray, cells: sp.csr_matrix) -> np.ndarray:
    """(B, K) bool, whether each of the (B, K) ranked products is among the row's (B, P) CSR cells."""
    return cells[np.arange(len(ranked))[:, None], ranked].toarray() > 0


def recall_at_k(ranked: np.ndarray, hidden: sp.csr_matrix) -> np.ndarray:
    """Share of a company's hidden products (all of them, not min(K, n)) that are among the K ranked.

    Args:
        ranked: (B, K) product indices, from ``top_k``.
        hidden: (B, P) CSR, at least one product in each row.

    Returns:
        (B,) float64 in [0, 1].
    """
    return is_among(ranked, hidden).sum(axis=1) / hidden.getnnz(axis=1)


def precision_at_k(ranked: np.ndarray, hidden: sp.csr_matrix, cutoff: int) -> np.ndarray:
    """Hidden products among the K ranked, by K, even where fewer than K products were left to rank.

    Args:
        ranked: (B, min(K, P)) product indices, from ``top_k``.
        hidden: (B, P) CSR.
        cutoff: K.

    Returns:
        (B,) float64 in [0, 1].
    """
    return is_among(ranked, hidden).sum(axis=1) / cutoff


def ndcg_at_k(ranked: np.ndarray, hidden: sp.csr_matrix) -> np.ndarray:
    """Normalised discounted cumulative gain, binary relevance (Järvelin and Kekäläinen 2002).

    Sum of 1 / log2(1 + rank) over the hits among K ranks, by the same sum over the first min(K, n hidden) ranks.

    Args:
        ranked: (B, K) product indices, from ``top_k``.
        hidden: (B, P) CSR, at least one product in each row.

    Returns:
        (B,) float64 in [0, 1].
    """
    size = ranked.shape[1]
    discounts = 1 / np.log2(np.arange(2, size + 2))
    ideal = np.cumsum(discounts)[np.minimum(hidden.getnnz(axis=1), size) - 1]
    return is_among(ranked, hidden) @ discounts / ideal


def roc_auc(counts: CellCounts) -> float:
    """Chance that a hidden cell outscores another, ties half; 0.5 where there is no other cell."""
    n_hidden = int(counts.hidden.sum())
    n_other = counts.n_cells - n_hidden
    if n_other == 0:
        return 0.5
    other_at_least = counts.at_least - counts.hidden_at_least
    other_above = counts.above - (counts.hidden_at_least - counts.hidden)
    outscored_twice = 2 * n_other - other_at_least - other_above
    return float(counts.hidden @ outscored_twice) / 2 / n_hidden / n_other


def average_precision(counts: CellCounts) -> float:
    """Sum over thresholds of (gain in recall) x precision, as scikit-learn has it."""
    precision = counts.hidden_at_least / counts.at_least
    return float(counts.hidden @ precision / counts.hidden.sum())


def best_f1_threshold(counts: CellCounts) -> float:
    """The threshold of the highest F1 over all cells, a cell at it counting as predicted; one of ``thresholds``."""
    f1 = 2 * counts.hidden_at_least / (counts.hidden.sum() + counts.at_least)
    return float(counts.thresholds[np.argmax(f1)])


def micro_precision_recall_f1(
    hits: np.ndarray, predicted: np.ndarray, hidden: np.ndarray
) -> tuple[float, float, float]:
    """Precision, recall and F1 over all cells; 0 where nothing is predicted.

    Args:
        hits: (P,) hidden cells at or above the threshold, per product.
        predicted: (P,) cells at or above the threshold, per product.
        hidden: (P,) hidden cells, per product.
    """
    precision, recall, f1 = _precision_recall_f1(hits.sum(), predicted.sum(), hidden.sum())
    return float(precision), float(recall), float(f1)


def macro_precision_recall_f1(
    hits: np.ndarray, predicted: np.ndarray, hidden: np.ndarray
) -> tuple[float, float, float]:
    """Means over the products with a hidden cell (the others have no recall); 0 where nothing is predicted.

    Arguments as of ``micro_precision_recall_f1``.
    """
    judged = hidden > 0
    precision, recall, f1 = _precision_recall_f1(hits[judged], predicted[judged], hidden[judged])
    return float(precision.mean()), float(recall.mean()), float(f1.mean())


def _precision_recall_f1(hits, predicted, hidden):
    return hits / np.maximum(predicted, 1), hits / np.maximum(hidden, 1), 2 * hits / np.maximum(predicted + hidden, 1)
