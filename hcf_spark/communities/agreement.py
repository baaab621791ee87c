"""Communities against groups that were known before, such as industries."""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

_MAJORITY = 0.5


@dataclass(frozen=True)
class Agreement:
    """How far communities repeat known groups.

    Attributes:
        adjusted_rand: 0 for chance, 1 for the same groups.
        normalised_mutual_information: 0 for independence (above it by chance in small groups), 1 for the same.
        largest: for each community, by number, the group that most of its companies are of, and their share; None
            where the group of none is known.
        cut_across: communities no group has the majority of, that is, more than half of its companies.
    """

    adjusted_rand: float
    normalised_mutual_information: float
    largest: list[tuple[str, float] | None]
    cut_across: list[int]


def compare_with_groups(counts: np.ndarray, groups: list[str]) -> Agreement:
    """Compare by the table of both.

    Args:
        counts: (communities, groups) int, companies of each community in each group; a row of zeros where the groups of
            its companies are not known.
        groups: their names, in the order of the columns; of equally large ones the first is the largest.
    """
    rows, columns = counts.nonzero()
    times = counts[rows, columns]
    labels = np.repeat(rows, times), np.repeat(columns, times)
    sizes = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(sizes, 1)
    return Agreement(
        float(adjusted_rand_score(*labels)),
        float(normalized_mutual_info_score(*labels)),
        [(groups[row.argmax()], float(row.max())) if row.any() else None for row in shares],
        np.flatnonzero((sizes[:, 0] > 0) & (shares.max(axis=1) <= _MAJORITY)).tolist(),
    )
