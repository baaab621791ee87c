import igraph
import numpy as np
import pytest
import scipy.sparse as sp
from planted import planted

from hcf_spark.communities.graph import neighbour_graph
from hcf_spark.communities.leiden import find_partition, modularity
from hcf_spark.communities.stability import find_best, resample
from hcf_spark.models.companies import unit_rows


def graph_of(vectors, neighbours=15):
    return neighbour_graph(unit_rows(vectors, vectors.mean(axis=0)), neighbours)


@pytest.fixture(scope="module")
def world():
    group, vectors, _ = planted((40, 30, 20))
    return group, graph_of(vectors)


def test_planted_groups_are_found_and_numbered_by_size(world):
    group, graph = world
    found = find_partition(graph, 1.0, seed=0)
    assert found.labels.tolist() == group.tolist()
    assert found.n_communities == 3


def test_the_same_seed_gives_the_same_partition():
    graph = graph_of(np.random.default_rng(0).standard_normal((80, 8)).astype(np.float32))
    first, second = (find_partition(graph, 1.0, seed=3) for _ in range(2))
    assert (first.labels == second.labels).all()
    assert any((find_partition(graph, 1.0, seed).labels != first.labels).any() for seed in range(4, 12))


def test_resolution_makes_more_communities(world):
    assert find_partition(world[1], 8.0, seed=0).n_communities > 3


def test_modularity_is_that_of_igraph(world):
    labels = np.arange(world[1].shape[0]) % 4
    upper = sp.triu(world[1]).tocoo()
    nodes = igraph.Graph(len(labels), np.column_stack([upper.row, upper.col]).tolist())
    assert modularity(world[1], labels) == pytest.approx(nodes.modularity(labels.tolist(), upper.data.tolist()))
    assert modularity(sp.csr_matrix((3, 3)), np.array([0, 1, 1])) == 0


def test_a_graph_without_edges_is_all_singletons():
    assert find_partition(sp.csr_matrix((3, 3), dtype=np.float32), 1.0, seed=0).labels.tolist() == [0, 1, 2]


def test_planted_groups_are_stable_and_noise_is_not(world):
    group, graph = world
    best, seeds = find_best(graph, 1.0, seed=0)
    assert best.labels.tolist() == group.tolist()
    assert len(seeds) == 45
    assert min(seeds) == 1.0
    assert min(resample(graph, best.labels, 1.0, seed=0)) > 0.9
    noise = graph_of(np.random.default_rng(0).standard_normal((90, 8)).astype(np.float32))
    best, seeds = find_best(noise, 1.0, seed=0)
    assert best.modularity == max(find_partition(noise, 1.0, seed).modularity for seed in range(10))
    assert np.mean(seeds) < 0.9
    assert np.mean(resample(noise, best.labels, 1.0, seed=0)) < 0.8
