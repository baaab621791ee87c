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

from hcf_spark.config import Config, load_config
from hcf_spark.evaluation.candidate import Candidate
from hcf_spark.evaluation.comparison import compare
from hcf_spark.evaluation.harness import REGIMES, HarnessResult
from hcf_spark.evaluation.search import FixedCandidate
from hcf_spark.experiment import judge, load_snapshot, make_candidates, prepare_snapshot
from hcf_spark.launch import DistributedCandidate
from hcf_spark.log import configure_logging
from hcf_spark.spark.session import get_session
from jobs import load_tables

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
        folder = prepare_snapshot(spark, split)
        candidates = make_candidates(spark, split, folder, Path(config.output) / "training" / str(seed))
        known = [_with_settings(candidate, chosen) for candidate in candidates]
        result = judge(known, load_snapshot(folder, split), split, Path(config.output) / f"{seed}.db")
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
