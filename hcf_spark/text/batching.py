"""Batches of windows of like length, each within a budget of padded tokens."""

from collections.abc import Sequence

import numpy as np


def token_batches(lengths: Sequence[int], budget: int) -> list[np.ndarray]:
    """Group windows so that padding costs little.

    Args:
        lengths: tokens of each window, special ones included.
        budget: most tokens in a batch, all padded to its longest. A window longer than that is a batch of its own.

    Returns:
        For each batch the positions of its windows in ``lengths`` (int64), the longest first. Every position is in
        exactly one batch, so that ``out[batch] = result`` brings the results back into the order given.

    >>> [batch.tolist() for batch in token_batches([2, 9, 3, 8], budget=18)]
    [[1, 3], [2, 0]]
    """
    longest_first = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    batches: list[np.ndarray] = []
    start = 0
    while start < len(longest_first):
        rows = max(budget // max(lengths[longest_first[start]], 1), 1)
        batches.append(longest_first[start : start + rows])
        start += rows
    return batches
