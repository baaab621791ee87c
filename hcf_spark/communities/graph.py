"""Who is near whom: exact nearest neighbours by cosine, block by block, and the graph of them."""

import numpy as np
import scipy.sparse as sp

from hcf_spark.models.ranking import top_k

_CELLS = 8_000_000


Rows = np.ndarray | sp.csr_matrix
"""(N, d) float32 rows of length 1."""


def nearest(unit: Rows, among: Rows, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The most similar rows of ``among`` for each row of ``unit``; about 32 MB of similarities are held at once.

    Args:
        unit: (B, d).
        among: (C, d), at least one row.
        size: k, at most C.

    Returns:
        (B, k) int64 rows of ``among``, the nearest first, and their (B, k) float32 cosines.
    """
    step = max(1, _CELLS // among.shape[0])
    starts = range(0, max(unit.shape[0], 1), step)
    found = [_nearest(unit[start : start + step] @ among.T, size) for start in starts]
    return tuple(np.concatenate(side) for side in zip(*found, strict=True))


def neighbour_graph(unit: Rows, size: int) -> sp.csr_matrix:
    """The symmetric graph in which each row is tied to its nearest others by their cosine.

    Args:
        unit: (C, d).
        size: neighbours of each, or all others if they are fewer; a tie of one side is a tie, one that is not above 0
            is none.

    Returns:
        (C, C) float32 CSR, zero diagonal.
    """
    count = unit.shape[0]
    rows, cosines = nearest(unit, unit, min(size + 1, count))
    sources = np.repeat(np.arange(count), rows.shape[1])
    is_tie = (sources != rows.ravel()) & (cosines.ravel() > 0)
    ties = (cosines.ravel()[is_tie], (sources[is_tie], rows.ravel()[is_tie]))
    directed = sp.csr_matrix(ties, shape=(count, count))
    return directed.maximum(directed.T).tocsr()


def _nearest(cosines: Rows, size: int) -> tuple[np.ndarray, np.ndarray]:
    cosines = cosines.toarray() if sp.issparse(cosines) else cosines
    rows = top_k(cosines, size)
    return rows, np.take_along_axis(cosines, rows, axis=1)
