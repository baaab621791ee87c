"""The best of a matrix that is never held as a whole: its columns come block by block."""

import numpy as np

from hcf_spark.models.ranking import top_k


class RunningTopK:
    """The K highest values of each row among the columns seen so far, best first; equal ones as they came.

    Attributes:
        values: (N, K) float32; -inf where fewer than K are above it.
        columns: (N, K) int64, counted from the first column of the first block; of no meaning where the value is -inf.
    """

    def __init__(self, n_rows: int, cutoff: int) -> None:
        self.values = np.full((n_rows, cutoff), -np.inf, np.float32)
        self.columns = np.zeros((n_rows, cutoff), np.int64)
        self._seen = 0

    def add(self, block: np.ndarray) -> None:
        """Look at the next columns.

        Args:
            block: (N, B) float32, -inf where a cell may not be chosen.
        """
        cutoff = self.values.shape[1]
        rows = np.flatnonzero((block > self.values[:, -1:]).any(axis=1))
        values = np.hstack([self.values[rows], block[rows]])
        best = top_k(values, cutoff)
        kept = np.take_along_axis(self.columns[rows], np.minimum(best, cutoff - 1), axis=1)
        self.values[rows] = np.take_along_axis(values, best, axis=1)
        self.columns[rows] = np.where(best < cutoff, kept, best - cutoff + self._seen)
        self._seen += block.shape[1]
