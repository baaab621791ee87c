"""Do the same communities come back: with other seeds, and with a part of the companies left out?"""

from itertools import combinations

import numpy as np
import scipy.sparse as sp
from sklearn.metrics import adjusted_rand_score

from hcf_spark.communities.leiden import Partition, find_partition

RUNS = 10
_SHARE_KEPT = 0.8


def find_best(graph: sp.csr_matrix, resolution: float, seed: int) -> tuple[Partition, list[float]]:
    """The partition of the highest modularity among ``RUNS`` seeds, and the adjusted Rand index of every two of them.

    Arguments as of ``find_partition``; the seeds follow ``seed``.
    """
    found = [find_partition(graph, resolution, seed + run) for run in range(RUNS)]
    agreement = [adjusted_rand_score(one.labels, other.labels) for one, other in combinations(found, 2)]
    return max(found, key=lambda partition: partition.modularity), agreement


def resample(graph: sp.csr_matrix, labels: np.ndarray, resolution: float, seed: int) -> list[float]:
    """Adjusted Rand index of ``labels`` and of what Leiden finds among 80% of the nodes, drawn ``RUNS`` times.

    Args:
        graph: (C, C) symmetric weights, zero diagonal.
        labels: (C,) int64, of the whole graph.
        resolution: as of ``find_partition``.
        seed: of the draws.
    """
    random, count = np.random.default_rng(seed), len(labels)
    agreement = []
    for run in range(RUNS):
        kept = np.sort(random.permutation(count)[: max(1, round(_SHARE_KEPT * count))])
        part = find_partition(graph[kept][:, kept], resolution, seed + run)
        agreement.append(adjusted_rand_score(labels[kept], part.labels))
    return agreement
