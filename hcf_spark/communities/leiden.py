"""Leiden on a weighted graph (Traag, Waltman and van Eck 2019), by igraph."""

import random
from dataclasses import dataclass

import igraph
import numpy as np
import scipy.sparse as sp


@dataclass(frozen=True)
class Partition:
    """Which community each node is in.

    Attributes:
        labels: (C,) int64, 0 the largest community; of equally large ones the one with the first node.
        modularity: of the partition in its graph (Newman and Girvan 2004, weighted).
    """

    labels: np.ndarray
    modularity: float

    @property
    def n_communities(self) -> int:
        """Number of communities."""
        return int(self.labels.max(initial=-1)) + 1


def find_partition(graph: sp.csr_matrix, resolution: float, seed: int) -> Partition:
    """The partition that Leiden ends with when it no longer gets better.

    Args:
        graph: (C, C) symmetric weights, zero diagonal.
        resolution: of the modularity that is made large: above 1 for more and smaller communities.
        seed: of the order in which nodes are looked at.
    """
    nodes = _to_igraph(graph)
    seed_igraph(seed)
    found = nodes.community_leiden("modularity", weights="weight", resolution=resolution, n_iterations=-1)
    labels = _by_size(np.array(found.membership, np.int64))
    return Partition(labels, modularity(graph, labels))


def seed_igraph(seed: int) -> None:
    """Make what igraph draws next depend on ``seed`` alone."""
    igraph.set_random_number_generator(random.Random(seed))  # noqa: S311 - no secret


def modularity(graph: sp.csr_matrix, labels: np.ndarray) -> float:
    """Share of the weight inside communities less what degrees alone would put there; 0 without edges.

    Args:
        graph: (C, C) symmetric weights, zero diagonal.
        labels: (C,) int64 from 0.
    """
    total = graph.sum(dtype=np.float64)
    if not total:
        return 0.0
    rows = np.repeat(np.arange(graph.shape[0]), np.diff(graph.indptr))
    inside = graph.data[labels[rows] == labels[graph.indices]].sum(dtype=np.float64) / total
    degrees = np.bincount(labels, graph.sum(axis=1, dtype=np.float64).A1) / total
    return float(inside - (degrees**2).sum())


def _to_igraph(graph: sp.csr_matrix) -> igraph.Graph:
    upper = sp.triu(graph, k=1).tocoo()
    edges = np.column_stack([upper.row, upper.col])
    return igraph.Graph(graph.shape[0], edges.tolist(), edge_attrs={"weight": upper.data.tolist()})


def _by_size(labels: np.ndarray) -> np.ndarray:
    _, first, inverse, counts = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -counts))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[inverse]
