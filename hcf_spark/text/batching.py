"""Batches of windows of like length, each within a budget of padded tokens."""

from collections.abc import Sequence
from math import ceil

import numpy as np

_LIKE_LENGTH = 0.7
_TOKENS_WORTH_A_PASS = 256  # on a CPU


def token_batches(lengths: Sequence[int], budget: int, close_early: bool = False) -> list[np.ndarray]:
    """Group windows so that padding costs little.

    Args:
        lengths: tokens of each window, special ones included.
        budget: most tokens in a batch, all padded to its longest. A window longer than that is a batch of its own.
        close_early: whether a batch of 256 tokens ends before a window of less than 0.7 of its longest. On a CPU a
            batch costs little beside its tokens, and a few windows of all lengths would be padded much.

    Returns:
        For each batch the positions of its windows in ``lengths`` (int64), the longest first. Every position is in
        exactly one batch, so that ``out[batch] = result`` brings the results back into the order given.

    >>> [batch.tolist() for batch in token_batches([2, 9, 3, 8], budget=18)]
    [[1, 3], [2, 0]]
    """
    lengths = np.asarray(lengths, dtype=np.int64)
    longest_first = np.argsort(-lengths, kind="stable")
    batches: list[np.ndarray] = []
    start = 0
    while start < len(longest_first):
        longest = max(lengths[longest_first[start]], 1)
        batch = longest_first[start : start + max(budget // longest, 1)]
        if close_early:
            rows = max(np.count_nonzero(lengths[batch] >= _LIKE_LENGTH * longest), ceil(_TOKENS_WORTH_A_PASS / longest))
            batch = batch[:rows]
        batches.append(batch)
        start += len(batch)
    return batches
