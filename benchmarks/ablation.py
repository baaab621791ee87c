"""What each part of the fused model is worth: the model without it, on several splits of one data set.

make benchmark NAME=ablation [DATA=folder] [CONF=file] [OUT=file]
"""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.command import run_benchmark
from hcf_spark.config import Config
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.comparison import compare
from hcf_spark.evaluation.fused import ADDED, BASE, FusedCandidate
from hcf_spark.evaluation.harness import REGIMES
from hcf_spark.experiment import judge, load_snapshot, make_candidates, prepare_snapshot
from hcf_spark.models.text_dae import TextDae
from hcf_spark.spark.session import get_session
from jobs import load_tables

PARTS = dict.fromkeys([*ADDED["warm"], *ADDED["cold"], *BASE])


class Without(FusedCandidate):
    """The fused model without some parts, under a name of its own."""

    def __init__(self, network, *parts: str) -> None:
        super().__init__(CLOSED_FORM, network, left_out=parts)
        self.name = f"fused without {', '.join(parts)}"


def run(config: Config, seeds: int) -> dict[str, dict[str, Any]]:
    """By regime and parts left out: what test NDCG@K loses, over all companies of all splits."""
    spark = get_session("benchmark", config)
    load_tables.run(spark, config)
    config = config.model_copy(update={"evaluation": config.evaluation.model_copy(update={"models": [TextDae.name]})})
    ndcg, found = f"ndcg_at_{config.evaluation.cutoff}", {regime: {} for regime in REGIMES}
    for seed in range(config.seed, config.seed + seeds):
        split = config.model_copy(update={"seed": seed})
        folder = prepare_snapshot(spark, split)
        (network,) = make_candidates(spark, split, folder, Path(config.output) / "training" / str(seed))
        whole = FusedCandidate(CLOSED_FORM, network)
        candidates = [whole, *(Without(network, part) for part in PARTS), Without(network, *PARTS)]
        models = judge(candidates, load_snapshot(folder, split), split, Path(config.output) / f"{seed}.db").models
        for regime, losses in found.items():
            values = {name: getattr(model, regime).per_company[ndcg] for name, model in models.items()}
            for candidate in candidates[1:]:
                losses.setdefault(candidate.name, []).append(values["fused"] - values[candidate.name])
    return {regime: _intervals(losses, ndcg) for regime, losses in found.items()}


def _intervals(losses: dict[str, list[np.ndarray]], ndcg: str) -> dict[str, Any]:
    pooled = {name: {ndcg: np.concatenate(values)} for name, values in losses.items()}
    intervals = compare(pooled, None, seed=0)
    return {
        name: {"loss": float(values[ndcg].mean()), **intervals[name]["interval"][ndcg]}
        for name, values in pooled.items()
    }


def print_table(found: dict[str, dict[str, Any]]) -> None:
    """As Markdown."""
    for regime, rows in found.items():
        print(f"\n| {regime} | loss of NDCG (95%) |\n|---|---|")
        for name, row in rows.items():
            print(f"| {name} | {row['loss']:+.4f} ({row['low']:+.4f} to {row['high']:+.4f}) |")


if __name__ == "__main__":
    run_benchmark(__doc__, run, print_table, seeds=3)
