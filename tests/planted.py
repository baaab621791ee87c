"""Companies of a few groups, told apart by their vectors and by what they use."""

import numpy as np
import scipy.sparse as sp


def planted(sizes, seed=0, dimension=8, n_products=24, noise=0.3):
    """(group, vectors, known): groups by falling size; each uses products of its own, and some of all."""
    random = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    vectors = np.eye(len(sizes), dimension)[group] + noise * random.standard_normal((len(group), dimension))
    own = group[:, None] == np.arange(n_products) % len(sizes)
    known = (random.random(own.shape) < np.where(own, 0.7, 0.1)).astype(np.float32)
    known[:, 0] = 1
    return group, vectors.astype(np.float32), sp.csr_matrix(known)
