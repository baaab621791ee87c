"""How all scores lie around those of the hidden cells, counted exactly and block by block."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np

_BUCKETS_PER_THRESHOLD = 32
_MOST_BUCKETS = 1 << 22
_LARGEST = np.finfo(np.float32).max


@dataclass(frozen=True)
class CellCounts:
    """How all cells lie around the hidden ones; enough for exact AUC, average precision and the best threshold.

    Attributes:
        thresholds: (T,) float32, the distinct scores of hidden cells, ascending.
        hidden: (T,) int64, hidden cells with exactly that score.
        at_least: (T,) int64, cells with that score or a higher one.
        above: (T,) int64, cells with a higher score.
        n_cells: cells in all.
    """

    thresholds: np.ndarray
    hidden: np.ndarray
    at_least: np.ndarray
    above: np.ndarray
    n_cells: int

    @property
    def hidden_at_least(self) -> np.ndarray:
        """(T,) int64, hidden cells with that score or a higher one."""
        return np.cumsum(self.hidden[::-1])[::-1]


@dataclass(frozen=True)
class _Buckets:
    """Equal parts of the line from ``lowest`` on, and all that is below, and all that is above."""

    lowest: np.float32
    scale: np.float32
    number: int

    @classmethod
    def between(cls, lowest: np.float32, highest: np.float32, number: int) -> Self:
        number = min(number, _MOST_BUCKETS)
        width = float(highest) - float(lowest)
        return cls(lowest, np.float32(min(number / width, _LARGEST) if width > 0 else 1), number)

    def of(self, scores: np.ndarray) -> np.ndarray:
        """The bucket of each score, int32 in [0, number + 1]; never lower for a higher score."""
        with np.errstate(over="ignore"):
            place = (scores - self.lowest) * self.scale
        return np.clip(place, -1, self.number, out=place).astype(np.int32) + 1


def count_cells(hidden_scores: np.ndarray, blocks: Iterable[np.ndarray]) -> CellCounts:
    """Count the cells around the hidden scores; one block of scores is held at a time.

    The line of scores is cut into many narrow buckets. Where a bucket holds no threshold, the thresholds that its cells
    reach are known without a look at the cells; only cells that share a bucket with a threshold are sorted.

    Args:
        hidden_scores: scores of all hidden cells, float32.
        blocks: (B, P) float32 scores, -inf at known cells (which don't count); hidden cells among them.
    """
    thresholds, hidden = np.unique(hidden_scores, return_counts=True)
    buckets = _Buckets.between(thresholds[0], thresholds[-1], _BUCKETS_PER_THRESHOLD * len(thresholds))
    shared = len(thresholds) + 1
    occupied = buckets.of(thresholds)
    reached = np.cumsum(np.bincount(occupied, minlength=buckets.number + 2), dtype=np.int32)
    reached[occupied] = shared
    n_reaching = np.zeros(shared + 1, np.int64)
    at_least, above = np.zeros_like(hidden), np.zeros_like(hidden)
    n_cells = 0
    for block in blocks:
        n_cells += np.count_nonzero(block > -np.inf)
        place = reached.take(buckets.of(block))
        n_reaching += np.bincount(place.ravel(), minlength=shared + 1)
        ordered = np.sort(block[place == shared])
        at_least += len(ordered) - np.searchsorted(ordered, thresholds, side="left")
        above += len(ordered) - np.searchsorted(ordered, thresholds, side="right")
    elsewhere = np.cumsum(n_reaching[shared - 1 : 0 : -1])[::-1]
    return CellCounts(thresholds, hidden, at_least + elsewhere, above + elsewhere, n_cells)
