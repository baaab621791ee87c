"""The directions in which a model's scores vary most: company vectors of fixed size are read out along them."""

import numpy as np
import scipy.sparse as sp

_OVERSAMPLING = 10
_POWER_ITERATIONS = 4


def score_axes(known: sp.csr_matrix, weights: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Top right singular directions of S = X W, so that S V V' ~ S, without holding S.

    Randomised subspace iteration (Halko, Martinsson and Tropp 2011, algorithm 4.4) on S'S, then Rayleigh-Ritz.

    Args:
        known: X, (C, P) float32.
        weights: W, (P, P) float32.
        size: d, at most P.

    Returns:
        V, (P, d) float32, orthonormal columns, the strongest first.
    """
    products = known.shape[1]
    random = np.random.default_rng(seed)
    basis = random.standard_normal((products, min(size + _OVERSAMPLING, products)), np.float32)
    for _ in range(_POWER_ITERATIONS):
        basis = np.linalg.qr(weights.T @ (known.T @ (known @ (weights @ basis))))[0]
    projected = known @ (weights @ basis)
    _, rotation = np.linalg.eigh(projected.T @ projected)
    return basis @ rotation[:, ::-1][:, :size]
