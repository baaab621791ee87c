"""From window vectors to one vector for each text; numpy only."""

import numpy as np


def pool_windows(window_vectors: np.ndarray, n_tokens: np.ndarray, n_windows: np.ndarray) -> np.ndarray:
    """Mean of each text's window vectors, weighted by the windows' tokens.

    Args:
        window_vectors: (W, D) float32, the windows of the first text, then those of the second, and so on.
        n_tokens: (W,) integer, the weights, greater than 0.
        n_windows: (B,) integer, windows of each text, at least 1; they sum to W.

    Returns:
        (B, D) float32.
    """
    first_window = np.cumsum(n_windows, dtype=np.int64) - n_windows
    weights = n_tokens.astype(np.float64)
    sums = np.add.reduceat(window_vectors * weights[:, None], first_window, axis=0)
    return (sums / np.add.reduceat(weights, first_window)[:, None]).astype(np.float32)


def to_unit_length(vectors: np.ndarray) -> np.ndarray:
    """(B, D) float32: the rows of ``vectors`` scaled to length 1."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
