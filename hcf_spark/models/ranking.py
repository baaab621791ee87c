"""Rankings read off a score matrix."""

import numpy as np
import scipy.sparse as sp

_GROUP = 16
_CROWDED = 3


def top_k(scores: np.ndarray, cutoff: int) -> np.ndarray:
    """The products of the K highest scores of each row, best first; equal scores in product order.

    Args:
        scores: (B, P), -inf where a product is known and may not be ranked.

    Returns:
        (B, min(K, P)) int64 product indices.
    """
    size = min(cutoff, scores.shape[1])
    chosen = scores >= _lower_bound(scores, size)
    rows, products, counts = _cells(chosen)
    crowded = np.flatnonzero(counts > _CROWDED * size)
    if len(crowded):
        chosen[crowded] = _highest(scores[crowded], size)
        rows, products, counts = _cells(chosen)
    places = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    values = np.full((len(scores), counts.max(initial=size)), -np.inf, scores.dtype)
    columns = np.zeros(values.shape, np.int64)
    values[rows, places], columns[rows, places] = scores[rows, products], products
    return np.take_along_axis(columns, np.argsort(-values, axis=1, kind="stable")[:, :size], axis=1)


def _lower_bound(scores: np.ndarray, size: int) -> np.ndarray:
    """(B, 1), what at least ``size`` scores of each row reach, and hardly more of them.

    In wide rows it is the ``size``-th highest of the maxima of groups, each of every ``P // 16``-th column.
    """
    n_groups = scores.shape[1] // _GROUP
    if n_groups > 2 * size:
        scores = scores[:, : _GROUP * n_groups].reshape(len(scores), _GROUP, n_groups).max(axis=1)
    width = scores.shape[1]
    return np.partition(scores, width - size, axis=1)[:, width - size, None]


def _cells(chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row and column of each chosen cell, and how many each row has."""
    rows, columns = np.divmod(np.flatnonzero(chosen), chosen.shape[1])
    return rows, columns, np.bincount(rows, minlength=len(chosen))


def _highest(scores: np.ndarray, size: int) -> np.ndarray:
    """(B, P) bool, true for exactly the ``size`` highest of each row, of equal ones the first."""
    width = scores.shape[1]
    last = np.partition(scores, width - size, axis=1)[:, width - size, None]
    above, tied = scores > last, scores == last
    room = size - above.sum(axis=1, keepdims=True)
    return above | (tied & (np.cumsum(tied, axis=1, dtype=np.int32) <= room))


def csr_rows(matrix: sp.csr_matrix) -> np.ndarray:
    """The row of each stored cell; ``matrix.indices`` has the columns in the same order."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def recommend(scores: np.ndarray, known: sp.csr_matrix | None, cutoff: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each company its best products and their scores, known ones left out; fewer than K where fewer are left.

    Args:
        scores: (B, P) float32; changed in place.
        known: (B, P) CSR of products to leave out; None leaves none out.
        cutoff: K.

    Returns:
        For each row, (n,) int64 product indices, best first, and their (n,) float32 scores; n <= K.

    Raises:
        ValueError: K is below 1, or a score is not finite.
    """
    ranked, values = best_products(leave_out(scores, known), cutoff)
    return [(own[keep], best[keep]) for own, best, keep in zip(ranked, values, values > -np.inf, strict=True)]


def leave_out(scores: np.ndarray, known: sp.csr_matrix | None) -> np.ndarray:
    """The same (B, P) float32 scores, changed in place: -inf where a product is known.

    Raises:
        ValueError: a score is not finite.
    """
    n_bad = scores.size - np.count_nonzero(np.isfinite(scores))
    if n_bad:
        raise ValueError(
            f"{n_bad} of {scores.size} scores are not finite: train the model again with a lower learning rate"
        )
    if known is not None:
        scores[csr_rows(known), known.indices] = -np.inf
    return scores


def best_products(scores: np.ndarray, cutoff: int) -> tuple[np.ndarray, np.ndarray]:
    """The best products of scores that ``leave_out`` was at, as matrices.

    Returns:
        (B, min(K, P)) int64 product indices, best first, and (B, min(K, P)) their scores; -inf where none is left.

    Raises:
        ValueError: K is below 1.
    """
    if cutoff < 1:
        raise ValueError(f"at least 1 product must be asked for, found {cutoff}")
    ranked = top_k(scores, cutoff)
    return ranked, np.take_along_axis(scores, ranked, axis=1)
