"""What each part of the fused model is worth: its own model without it, on several splits of one data set.

make benchmark NAME=ablation [DATA=folder] [CONF=file] [OUT=file]
"""

from pathlib import Path
from typing import Any

from benchmarks.command import run_benchmark
from benchmarks.splits import mean_gain
from hcf_spark.config import Config
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.fused import ADDED, BASE, GUARD, FusedCandidate
from hcf_spark.evaluation.harness import REGIMES
from hcf_spark.experiment import judge, load_snapshot, make_candidates, prepare_snapshot
from hcf_spark.models.text_dae import TextDae
from hcf_spark.spark.look import look_up_ids
from hcf_spark.spark.session import get_session
from hcf_spark.spark.tables import Tables
from jobs import load_tables

_OWN = "own"
PARTS = dict.fromkeys([*ADDED["warm"], *ADDED["cold"], *BASE])


class Without(FusedCandidate):
    """The fused model without guard and some parts, under a name of its own."""

    def __init__(self, network, *parts: str) -> None:
        super().__init__(CLOSED_FORM, network, left_out=[GUARD, *parts])
        self.name = f"without {', '.join(parts)}" if parts else _OWN


def run(config: Config, seeds: int) -> dict[str, dict[str, Any]]:
    """By regime and parts left out: what test NDCG@K of the own model, which no guard replaces, loses without them.

    The row ``fused`` is what the guard is worth: fused less the own model.
    """
    spark = get_session("benchmark", config)
    load_tables.run(spark, config)
    config = config.model_copy(update={"evaluation": config.evaluation.model_copy(update={"models": [TextDae.name]})})
    ndcg, found = f"ndcg_at_{config.evaluation.cutoff}", {regime: {} for regime in REGIMES}
    ids: dict[str, list[list[str]]] = {regime: [] for regime in REGIMES}
    for seed in range(config.seed, config.seed + seeds):
        split = config.model_copy(update={"seed": seed})
        folder = prepare_snapshot(spark, split)
        (network,) = make_candidates(spark, split, folder, Path(config.output) / "training" / str(seed))
        whole = FusedCandidate(CLOSED_FORM, network)
        variants = [Without(network, part) for part in PARTS] + [Without(network, *PARTS)]
        candidates = [whole, Without(network), *variants]
        snapshot = load_snapshot(folder, split)
        models = judge(candidates, snapshot, split, Path(config.output) / f"{seed}.db").models
        for regime, losses in found.items():
            ids[regime].append(look_up_ids(Tables(spark, split), snapshot.test_index[regime]))
            values = {name: getattr(model, regime).per_company[ndcg] for name, model in models.items()}
            losses.setdefault(whole.name, []).append(values[whole.name] - values[_OWN])
            for variant in variants:
                losses.setdefault(variant.name, []).append(values[_OWN] - values[variant.name])
    return {
        regime: {name: mean_gain(ids[regime], values, seed=0) for name, values in losses.items()}
        for regime, losses in found.items()
    }


def print_table(found: dict[str, dict[str, Any]]) -> None:
    """As Markdown."""
    for regime, rows in found.items():
        print(f"\n| {regime} | NDCG that it is worth (95%) |\n|---|---|")
        for name, row in rows.items():
            print(f"| {name} | {row['difference']:+.4f} ({row['low']:+.4f} to {row['high']:+.4f}) |")


if __name__ == "__main__":
    run_benchmark(__doc__, run, print_table, seeds=3)
