"""The directions in which a model's scores vary most: company vectors of fixed size are read out along them."""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from hcf_spark.models.ranks import over_ranks

Matrix = np.ndarray | sp.csr_matrix

_SIZE = 256
_OVERSAMPLING = 10
_POWER_ITERATIONS = 4


def score_axes(parts: Sequence[tuple[Matrix, Matrix]], seed: int, size: int = _SIZE) -> np.ndarray:
    """Top right singular directions of S = the sum of L R over ``parts``, so that S V V' ~ S, without holding S.

    Randomised subspace iteration (Halko, Martinsson and Tropp 2011, algorithm 4.4) on S'S, then Rayleigh-Ritz.

    Args:
        parts: pairs of L, (C, n), and R, (n, P), float32, dense or sparse.
        seed: of the random start.
        size: d, or P if that is less.

    Returns:
        V, (P, d) float32, orthonormal columns, the strongest first.
    """
    products = parts[0][1].shape[1]
    size = min(size, products)
    random = np.random.default_rng(seed)
    basis = random.standard_normal((products, min(size + _OVERSAMPLING, products)), np.float32)
    for _ in range(_POWER_ITERATIONS):
        projected = sum(left @ (right @ basis) for left, right in parts)
        basis = np.linalg.qr(over_ranks(sum(right.T @ (left.T @ projected) for left, right in parts)))[0]
    projected = sum(left @ (right @ basis) for left, right in parts)
    _, rotation = np.linalg.eigh(over_ranks(projected.T @ projected))
    return basis @ rotation[:, ::-1][:, :size]
