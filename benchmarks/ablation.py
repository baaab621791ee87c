"""What each part of the fused model is worth: its own model without it, on several splits of one data set.

make benchmark NAME=ablation [DATA=folder] [CONF=file] [OUT=file]
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from optuna.storages import InMemoryStorage
from tqdm import tqdm

from benchmarks.command import run_benchmark
from benchmarks.splits import format_gain, mean_gain
from hcf_spark.config import Config
from hcf_spark.evaluation.candidate import Candidate, Search
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.evaluate import company_ndcg
from hcf_spark.evaluation.fused import GUARD, IALS, NETWORK, OFFSET, PARTS, PRIOR, FusedCandidate
from hcf_spark.evaluation.harness import REGIMES
from hcf_spark.experiment import load_snapshot, make_candidates, prepare_snapshot
from hcf_spark.models.hybrid_knn import HybridKnn
from hcf_spark.models.neighbour_ridge import NeighbourRidge
from hcf_spark.models.text_dae import TextDae
from hcf_spark.spark.look import look_up_ids
from hcf_spark.spark.session import get_session
from hcf_spark.spark.tables import Tables
from hcf_spark.train.snapshot import Snapshot
from jobs import load_tables

LEFT_OUT = (*dict.fromkeys([*PARTS["warm"][1:], *PARTS["cold"]]), IALS, OFFSET, PRIOR)
BESIDE_NO_NETWORK = (HybridKnn.name, NeighbourRidge.name)
"""These see much of what the network sees: each looks worth little beside the other."""


def run(config: Config, seeds: int) -> Iterator[dict[str, dict[str, Any]]]:
    """By regime and parts left out: what test NDCG@K of the own model, which no guard replaces, loses without them.

    The row ``guard`` is what the guard is worth: the fused model less the own model; a row "without text_dae" what a
    part is worth where the network is left out.
    """
    spark = get_session("benchmark", config)
    load_tables.run(spark, config)
    config = config.model_copy(update={"evaluation": config.evaluation.model_copy(update={"models": [TextDae.name]})})
    worth: dict[str, dict[str, list[np.ndarray]]] = {regime: {} for regime in REGIMES}
    ids: dict[str, list[list[str]]] = {regime: [] for regime in REGIMES}
    for seed in range(config.seed, config.seed + seeds):
        split = config.model_copy(update={"seed": seed})
        folder = prepare_snapshot(spark, split)
        (network,) = make_candidates(spark, split, folder, Path(config.output) / "training" / str(seed))
        snapshot = load_snapshot(folder, split)
        search = Search(config.evaluation.trials, config.evaluation.cutoff, seed, InMemoryStorage())

        judge = partial(_judge, snapshot, network, search, config.fused.vector_size)
        own, whole = judge([GUARD]), judge([])
        without = {part: judge([GUARD, part]) for part in tqdm(LEFT_OUT, disable=None)}
        alone = {part: judge([GUARD, NETWORK, part]) for part in tqdm(BESIDE_NO_NETWORK, disable=None)}
        for regime in REGIMES:
            ids[regime].append(look_up_ids(Tables(spark, split), snapshot.test_index[regime]))
            gains = {part: own[regime] - ndcg[regime] for part, ndcg in without.items()}
            for part, ndcg in alone.items():
                gains[f"{part} without {NETWORK}"] = without[NETWORK][regime] - ndcg[regime]
            for part, gain in {GUARD: whole[regime] - own[regime], **gains}.items():
                worth[regime].setdefault(part, []).append(gain)
        yield {
            regime: {part: mean_gain(ids[regime], gains, seed=0) for part, gains in parts.items()}
            for regime, parts in worth.items()
        }


def _judge(
    snapshot: Snapshot, network: Candidate, search: Search, vector_size: int, left_out: Sequence[str]
) -> dict[str, np.ndarray]:
    """Test NDCG@K of each company, by regime."""
    candidate = FusedCandidate(CLOSED_FORM, network, vector_size, left_out)
    choice = candidate.tune(snapshot.inner, snapshot.validation, search)
    model = candidate.fit(snapshot.full, choice.settings, search.seed)
    return {regime: company_ndcg(model, getattr(snapshot.test, regime), search.cutoff) for regime in REGIMES}


def print_table(found: dict[str, dict[str, Any]]) -> None:
    """As Markdown."""
    for regime, rows in found.items():
        print(f"\n| {regime}: part | NDCG that it is worth (95% over companies; over splits) |\n|---|---|")
        for name, row in rows.items():
            print(f"| {name} | {format_gain(row)} |")


if __name__ == "__main__":
    run_benchmark(__doc__, run, print_table, seeds=3)
