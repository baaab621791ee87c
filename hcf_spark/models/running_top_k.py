"""The best of a matrix that is never held as a whole: its columns come block by block."""

import numpy as np

from hcf_spark.models.ranking import top_k


class RunningTopK:
    """The K highest values of each row among the columns seen so far, best first; equal ones as they came.

    Attributes:
        values: (N, K) float32; -inf where fewer than K are above it.
        columns: (N, K) int64, counted from the first column of the first block; of no meaning where the value is -inf.
        beside: (N, K) float32, what came with the values; of no meaning where the value is -inf.
    """

    def __init__(self, n_rows: int, cutoff: int) -> None:
        self.values = np.full((n_rows, cutoff), -np.inf, np.float32)
        self.columns = np.zeros((n_rows, cutoff), np.int64)
        self.beside = np.zeros((n_rows, cutoff), np.float32)
        self._seen = 0

    def add(self, block: np.ndarray, beside: np.ndarray | None = None) -> None:
        """Look at the next columns.

        Args:
            block: (N, B) float32, -inf where a cell may not be chosen.
            beside: (N, B) float32, kept with the values that are chosen; None: the values themselves.
        """
        cutoff = self.values.shape[1]
        rows = np.flatnonzero((block > self.values[:, -1:]).any(axis=1))
        values = np.hstack([self.values[rows], block[rows]])
        best = top_k(values, cutoff)
        is_kept, place, column = best < cutoff, np.minimum(best, cutoff - 1), np.maximum(best - cutoff, 0)
        own, new = rows[:, None], block if beside is None else beside
        self.values[rows] = np.take_along_axis(values, best, axis=1)
        self.beside[rows] = np.where(is_kept, self.beside[own, place], new[own, column])
        self.columns[rows] = np.where(is_kept, self.columns[own, place], column + self._seen)
        self._seen += block.shape[1]
