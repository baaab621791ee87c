"""From token vectors to window vectors."""

import numpy as np
import torch

from hcf_spark.text.device import to_device


def pool_tokens(hidden: torch.Tensor, starts: np.ndarray, ends: np.ndarray, how: str) -> torch.Tensor:
    """One vector for each window from those of its tokens, as sentence-transformers pools them.

    Args:
        hidden: (T, D) float, the model's last layer, windows one after another, with padding between them or without.
        starts: (B,) int64, position of each window's first token that counts.
        ends: (B,) int64, position after its last one, greater than ``starts``.
        how: ``mean`` of its tokens, ``cls`` (the first) or ``lasttoken``.

    Returns:
        (B, D) float32.
    """
    if how == "cls":
        return hidden[to_device(starts, hidden.device)].float()
    if how == "lasttoken":
        return hidden[to_device(ends - 1, hidden.device)].float()
    lengths = ends - starts
    offsets = np.cumsum(lengths) - lengths
    positions = np.arange(lengths.sum()) + np.repeat(starts - offsets, lengths)
    bags = [to_device(indices, hidden.device) for indices in (positions, offsets)]
    return torch.nn.functional.embedding_bag(bags[0], hidden.float(), bags[1], mode="mean")
