"""Every model on one data set, tuned alike, over several splits: the table of results in README.

make benchmark NAME=quality [DATA=folder] [CONF=file] [OUT=file]
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import SparkSession

from hcf_spark.config import Config, load_config
from hcf_spark.evaluation.candidate import Candidate, Search
from hcf_spark.evaluation.comparison import compare
from hcf_spark.evaluation.harness import REGIMES, HarnessResult, run_harness
from hcf_spark.evaluation.search import FixedCandidate
from hcf_spark.launch import DistributedCandidate
from hcf_spark.log import configure_logging
from hcf_spark.modelling import make_candidates
from hcf_spark.spark.export import export_snapshot
from hcf_spark.spark.session import get_session
from hcf_spark.spark.tables import Tables
from hcf_spark.text.spec import resolve_encoder
from hcf_spark.train.manifest import Manifest
from hcf_spark.train.snapshot import Snapshot, read_snapshot
from jobs import build_matrix, embed_companies, load_tables

DEMO = Path(__file__).parent.parent / "conf" / "demo.yml"
FIGURES = ("recall", "ndcg")
WHOLE = ("auc", "average_precision")


def run(config: Config, n_seeds: int) -> dict[str, Any]:
    """Rows by regime and model: means over the splits, and how far NDCG@K is from the best simple method's.

    The settings found on the first split serve the others; networks settle their epochs on each.
    """
    spark = get_session("benchmark", config)
    load_tables.run(spark, config)
    results: list[HarnessResult] = []
    chosen = {}
    for seed in range(config.seed, config.seed + n_seeds):
        split = config.model_copy(update={"seed": seed})
        snapshot, candidates = _prepare(spark, split)
        known = [_with_settings(candidate, chosen) for candidate in candidates]
        search = Search(
            config.evaluation.trials, config.evaluation.cutoff, seed, f"sqlite:///{config.output}/{seed}.db"
        )
        result = run_harness(
            known, snapshot.inner, snapshot.validation, snapshot.full, snapshot.test, search, progress=True
        )
        results.append(result)
        chosen = chosen or {name: model.settings for name, model in result.models.items()}
    names = [candidate.name for candidate in candidates]
    return {regime: _rows(results, names, regime, config.evaluation.cutoff) for regime in REGIMES} | {
        "bpdm": _probes(results, names),
        "settings": {name: chosen[name] for name in names},
        "seconds": {
            name: {part: getattr(results[0].models[name], f"{part}_seconds") for part in ("tune", "fit")}
            for name in names
        },
        "seeds": list(range(config.seed, config.seed + n_seeds)),
    }


def _prepare(spark: SparkSession, config: Config) -> tuple[Snapshot, list[Candidate]]:
    for job in (build_matrix, embed_companies):
        job.run(spark, config)
    tables, limits = Tables(spark, config), config.evaluation
    folder = export_snapshot(tables, config, resolve_encoder(config.encoder).encoder_id)
    snapshot = read_snapshot(folder, Manifest.read(folder), limits.max_fit_companies, limits.max_companies, config.seed)
    work = Path(config.output) / "training" / str(config.seed)
    return snapshot, make_candidates(spark, config, folder, work)


def _with_settings(candidate: Candidate, chosen: dict[str, Any]) -> Candidate:
    if candidate.name not in chosen or isinstance(candidate, DistributedCandidate):
        return candidate
    return FixedCandidate(candidate, chosen[candidate.name])


def _rows(results: Sequence[HarnessResult], names: Sequence[str], regime: str, cutoff: int) -> dict[str, Any]:
    ndcg = f"ndcg_at_{cutoff}"
    judged = {name: [getattr(result.models[name], regime) for result in results] for name in names}
    pooled = {name: {ndcg: np.concatenate([m.per_company[ndcg] for m in own])} for name, own in judged.items()}
    baseline = results[0].baselines[regime]
    evidence = compare(pooled, baseline, seed=0)
    keys = [*(f"{figure}_at_{cutoff}" for figure in FIGURES), *WHOLE]
    return {
        name: {key: float(np.mean([m.summary[key] for m in own])) for key in keys}
        | {"over_baseline": {"baseline": baseline, **evidence[name]["over_baseline"][ndcg]}}
        for name, own in judged.items()
    }


def _probes(results: Sequence[HarnessResult], names: Sequence[str]) -> dict[str, Any]:
    keys = ("precision", "recall", "auc", "average_precision")
    return {
        name: {key: float(np.mean([result.models[name].bpdm.summary[key] for result in results])) for key in keys}
        for name in names
    }


def print_table(found: dict[str, Any]) -> None:
    """README's rows, as Markdown."""
    for regime in REGIMES:
        first = next(iter(found[regime].values()))
        keys = [key for key in first if key != "over_baseline"]
        print(f"\n| {regime} | {' | '.join(keys)} | NDCG over {first['over_baseline']['baseline']} (95%) |")
        print("|---" * (len(keys) + 2) + "|")
        for name, row in found[regime].items():
            gain = row["over_baseline"]
            cells = " | ".join(f"{row[key]:.3f}" for key in keys)
            print(f"| {name} | {cells} | {gain['difference']:+.4f} ({gain['low']:+.4f} to {gain['high']:+.4f}) |")
    print("\n| probe (BPDM) | precision | recall | AUC | AP |\n|---|---|---|---|---|")
    for name, row in found["bpdm"].items():
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in row.values())} |")


def main(argv: list[str] | None = None) -> int:
    """Print the tables, and write them as JSON where --out says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data")
    parser.add_argument("--conf", action="append", default=[])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out")
    flags = parser.parse_args(argv)
    configure_logging("info")
    with tempfile.TemporaryDirectory() as output:
        data = ["input.source=csv", f"input.folder={flags.data}"] if flags.data else []
        found = run(load_config([DEMO, *flags.conf], [f"output={output}", *data]), flags.seeds)
    print_table(found)
    if flags.out:
        Path(flags.out).write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
