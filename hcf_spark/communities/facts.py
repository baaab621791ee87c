"""What was found out about the communities, as plain values."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hcf_spark.communities.agreement import Agreement
from hcf_spark.communities.detect import Detected
from hcf_spark.communities.rewired import AgainstChance


def gather_facts(
    detected: Detected, chance: AgainstChance, agreement: Mapping[str, Agreement], profiles: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The content of communities.json.

    Args:
        detected: the communities in the graph.
        chance: them against rewired usage.
        agreement: them against the groups of each column.
        profiles: a row for each community.

    Returns:
        ``companies`` (in a community) and those of them ``in_graph``; ``modularity``; ``stability`` by ``seeds`` and
        by ``resampling``, the mean and the least adjusted Rand index; ``usage``, the modularity of the communities in
        the graph of what companies use, and the mean and highest that Leiden finds in rewired usage; ``groups`` by
        column; ``communities``, the profiles.
    """
    return {
        "companies": sum(profile["size"] for profile in profiles),
        "in_graph": len(detected.rows),
        "modularity": detected.partition.modularity,
        "stability": {"seeds": _spread(detected.seeds), "resampling": _spread(detected.resampling)},
        "usage": {
            "modularity": chance.modularity,
            "rewired_mean": float(np.mean(chance.rewired)),
            "rewired_highest": max(chance.rewired),
        },
        "groups": {
            column: {
                "adjusted_rand": found.adjusted_rand,
                "normalised_mutual_information": found.normalised_mutual_information,
                "cut_across": found.cut_across,
            }
            for column, found in agreement.items()
        },
        "communities": list(profiles),
    }


def to_metrics(facts: Mapping[str, Any]) -> dict[str, float]:
    """The figures that are worth following from run to run."""
    return {
        "count": len(facts["communities"]),
        "modularity": facts["modularity"],
        "seeds_adjusted_rand": facts["stability"]["seeds"]["mean"],
        "resampling_adjusted_rand": facts["stability"]["resampling"]["mean"],
        "usage_modularity": facts["usage"]["modularity"],
        "rewired_modularity": facts["usage"]["rewired_mean"],
        **{f"{column}_adjusted_rand": found["adjusted_rand"] for column, found in facts["groups"].items()},
    }


def _spread(agreement: Sequence[float]) -> dict[str, float]:
    return {"mean": float(np.mean(agreement)), "least": min(agreement)}
