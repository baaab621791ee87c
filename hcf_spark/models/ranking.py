"""Rankings read off a score matrix."""

import numpy as np
import scipy.sparse as sp

_GROUP = 16
_WIDE = 2


def top_k(scores: np.ndarray, cutoff: int) -> np.ndarray:
    """The products of the K highest scores of each row, best first; equal scores in product order.

    Args:
        scores: (B, P), -inf where a product is known and may not be ranked.

    Returns:
        (B, min(K, P)) int64 product indices.
    """
    products = _highest(scores, min(cutoff, scores.shape[1]))
    order = np.argsort(-np.take_along_axis(scores, products, axis=1), axis=1, kind="stable")
    return np.take_along_axis(products, order, axis=1)


def _highest(scores: np.ndarray, size: int) -> np.ndarray:
    """(B, size) int64, the columns that ``top_k`` ranks, in ascending order.

    In wide rows most columns are only looked at for the maximum of their group, which is every ``width // 16``-th
    column: the highest lie in the ``size`` groups with the highest maxima, unless more groups than that have a maximum
    as high as the last of these; such rows are gone through as a whole.
    """
    width = scores.shape[1]
    if width <= _WIDE * _GROUP * size:
        return _highest_of_all(scores, size)
    n_groups = width // _GROUP
    maxima = scores[:, : _GROUP * n_groups].reshape(len(scores), _GROUP, n_groups).max(axis=1)
    groups = _highest(maxima, size)
    columns = (groups[:, None, :] + np.arange(0, _GROUP * n_groups, n_groups)[:, None]).reshape(len(scores), -1)
    rest = np.broadcast_to(np.arange(_GROUP * n_groups, width), (len(scores), width - _GROUP * n_groups))
    columns = np.hstack([columns, rest])
    candidates = np.take_along_axis(scores, columns, axis=1)
    highest = np.take_along_axis(columns, _highest_of_all(candidates, size), axis=1)
    last = np.take_along_axis(maxima, groups, axis=1).min(axis=1, keepdims=True)
    tied = np.flatnonzero(np.count_nonzero(maxima >= last, axis=1) > size)
    highest[tied] = _highest_of_all(scores[tied], size)
    return highest


def _highest_of_all(scores: np.ndarray, size: int) -> np.ndarray:
    """The same, of equal ones the first."""
    width = scores.shape[1]
    last = np.partition(scores, width - size, axis=1)[:, width - size, None]
    chosen = scores >= last
    crowded = np.flatnonzero(np.count_nonzero(chosen, axis=1) > size)
    above, tied = scores[crowded] > last[crowded], scores[crowded] == last[crowded]
    room = size - above.sum(axis=1, keepdims=True)
    chosen[crowded] = above | (tied & (np.cumsum(tied, axis=1, dtype=np.int32) <= room))
    return np.flatnonzero(chosen).reshape(len(scores), size) - np.arange(len(scores))[:, None] * width


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
    return best_products(leave_out(scores, known), cutoff)


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


def best_products(scores: np.ndarray, cutoff: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """What ``recommend`` returns, of scores that ``leave_out`` was at.

    Raises:
        ValueError: K is below 1.
    """
    if cutoff < 1:
        raise ValueError(f"at least 1 product must be asked for, found {cutoff}")
    ranked = top_k(scores, cutoff)
    best = np.take_along_axis(scores, ranked, axis=1)
    return [(products[keep], values[keep]) for products, values, keep in zip(ranked, best, best > -np.inf, strict=True)]
