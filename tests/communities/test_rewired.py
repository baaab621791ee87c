import numpy as np
from planted import planted

from hcf_spark.communities.rewired import compare_with_rewired, rewire


def test_rewired_matrix_keeps_every_degree_and_little_else():
    _, _, known = planted((30, 20))
    rewired = rewire(known, seed=0)
    assert (rewired.sum(axis=0) == known.sum(axis=0)).all()
    assert (rewired.sum(axis=1) == known.sum(axis=1)).all()
    assert set(rewired.data) == {1.0}
    assert (rewired != known).nnz > 0.3 * known.nnz
    assert (rewire(known, seed=0) != rewired).nnz == 0
    assert (rewire(known, seed=1) != rewired).nnz > 0


def test_planted_groups_are_beyond_chance_and_random_ones_are_not():
    group, _, known = planted((30, 20, 10))
    found = compare_with_rewired(known, group, neighbours=8, resolution=1.0, seed=0)
    assert found.modularity > max(found.rewired) + 0.1
    shuffled = np.random.default_rng(0).permutation(group)
    assert compare_with_rewired(known, shuffled, 8, 1.0, seed=0).modularity < min(found.rewired)
