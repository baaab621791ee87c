"""Is there more in the communities than chance would give: usage against usage rewired at the same degrees."""

from dataclasses import dataclass

import igraph
import numpy as np
import scipy.sparse as sp

from hcf_spark.communities.graph import neighbour_graph
from hcf_spark.communities.leiden import find_partition, modularity, seed_igraph

RUNS = 10


@dataclass(frozen=True)
class AgainstChance:
    """Modularity in graphs of companies that use the same products.

    Attributes:
        modularity: of the communities, in the graph of the usage as it is.
        rewired: of the best that Leiden finds in the graph of each rewired matrix.
    """

    modularity: float
    rewired: list[float]


def compare_with_rewired(
    known: sp.csr_matrix, labels: np.ndarray, neighbours: int, resolution: float, seed: int
) -> AgainstChance:
    """Judge communities by the usage, and chance by the usage rewired ``RUNS`` times.

    Args:
        known: (C, P) CSR, 1 where a company uses a product.
        labels: (C,) int64, the communities, from 0.
        neighbours: of each company in the graphs.
        resolution: as of ``find_partition``.
        seed: of the rewiring and of Leiden.
    """
    graphs = (_usage_graph(rewire(known, seed + run), neighbours) for run in range(RUNS))
    return AgainstChance(
        modularity(_usage_graph(known, neighbours), labels),
        [find_partition(graph, resolution, seed).modularity for graph in graphs],
    )


def rewire(known: sp.csr_matrix, seed: int) -> sp.csr_matrix:
    """The matrix with pairs of its cells swapped at random: every company and product keeps its number of cells.

    Args:
        known: (C, P) CSR of zeros and ones.
        seed: of the swaps, ten tries for each cell.
    """
    if not known.nnz:
        return known
    n_companies, n_products = known.shape
    companies, products = known.nonzero()
    cells = np.column_stack([companies, products + n_companies])
    bipartite = igraph.Graph(n_companies + n_products, cells.tolist(), directed=True)
    seed_igraph(seed)
    bipartite.rewire()
    companies, products = np.array(bipartite.get_edgelist()).T
    return sp.csr_matrix((np.ones(len(companies), np.float32), (companies, products - n_companies)), known.shape)


def _usage_graph(known: sp.csr_matrix, neighbours: int) -> sp.csr_matrix:
    lengths = np.sqrt(np.maximum(known.getnnz(axis=1), 1)).astype(np.float32)
    return neighbour_graph((sp.diags_array(1 / lengths) @ known).tocsr(), neighbours)
