"""Every model on one data set, tuned alike, over several splits: the results in README and docs/results.md.

make benchmark NAME=quality [DATA=folder] [CONF=file] [OUT=file] [KEEP=folder]

With KEEP each split is kept there when it is done, and a run that was stopped goes on after it.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import SparkSession

from benchmarks.command import run_benchmark
from benchmarks.kept_splits import OTHER_WAY, PROBED, describe_split, write_whole
from benchmarks.splits import format_gain, mean_gain, sum_by_company
from hcf_spark.config import Config
from hcf_spark.evaluation.comparison import NOT_SIMPLE, probe_gains
from hcf_spark.evaluation.harness import REGIMES
from hcf_spark.experiment import judge, load_snapshot, make_candidates, prepare_snapshot
from hcf_spark.grid import Point
from hcf_spark.launch import DistributedCandidate
from hcf_spark.spark.look import look_up_ids, look_up_products
from hcf_spark.spark.session import get_session
from hcf_spark.spark.tables import Tables
from hcf_spark.study import identify_input
from jobs import load_tables

FIGURES = ("recall", "ndcg")
WHOLE = ("auc", "average_precision")
FIRST_SEED = 300
"""Models and guard were found on splits by smaller seeds; company vectors with validation companies of this one too."""
LARGE = 10_000_000


def run(config: Config, seeds: int) -> Iterator[dict[str, Any]]:
    """Rows by regime and model: means over the splits, and how far NDCG@K of ``fused`` is from the model's.

    Everything is tuned on every split, a matrix beyond 10 million cells on the first: the settings found there serve
    the others, but for the weights of what ``fused`` adds, and the epochs of networks.

    Each split is a file under ``splits`` in the output folder, in a folder named by settings, version and input.
    """
    spark = get_session("benchmark", config)
    folder = Path(config.output) / "splits" / Point({}, config).key(identify_input(spark, config))
    folder.mkdir(parents=True, exist_ok=True)
    files = {seed: folder / f"{seed}.json" for seed in range(FIRST_SEED, FIRST_SEED + seeds)}
    if not all(file.exists() for file in files.values()):
        load_tables.run(spark, config)
    splits: list[dict[str, Any]] = []
    for seed, file in files.items():
        if not file.exists():
            write_whole(file, _measure(spark, config, seed, folder, splits[0] if splits else None))
        splits.append(json.loads(file.read_text(encoding="utf-8")))
        yield _figures(splits, config.evaluation.cutoff)


def _measure(
    spark: SparkSession, config: Config, seed: int, folder: Path, first: dict[str, Any] | None
) -> dict[str, Any]:
    split = config.model_copy(update={"seed": seed})
    snapshot_folder, work = prepare_snapshot(spark, split), folder / "training"
    search, storage = split, folder / f"{seed}.db"
    shutil.rmtree(work, ignore_errors=True)  # of a run that was stopped here: seconds are those of all trials
    storage.unlink(missing_ok=True)
    candidates = make_candidates(spark, split, snapshot_folder, work)
    snapshot = load_snapshot(snapshot_folder, split)
    if first is not None and np.prod(snapshot.full.known.shape) > LARGE:
        search, storage = config.model_copy(update={"seed": FIRST_SEED}), folder / f"{FIRST_SEED}.db"
        for candidate in candidates:
            if isinstance(candidate, DistributedCandidate):
                candidate.settle(first["models"][candidate.name]["settings"])
    result = judge(candidates, snapshot, search, storage)
    shutil.rmtree(work, ignore_errors=True)
    tables = Tables(spark, split)
    ids = {regime: look_up_ids(tables, snapshot.test_index[regime]) for regime in REGIMES}
    products, _ = look_up_products(tables)
    for part, regime in zip(OTHER_WAY, REGIMES, strict=True):
        judged = np.flatnonzero(getattr(snapshot.test, regime).hidden.getnnz(axis=0))
        ids[part] = [products[number] for number in judged]
    return describe_split(config, result, ids, snapshot.test.warm.hidden.getnnz(axis=1))


def _figures(splits: Sequence[dict[str, Any]], cutoff: int) -> dict[str, Any]:
    fused = [split["models"]["fused"] for split in splits]
    first = splits[0]["models"]
    return {part: _rows(splits, part, cutoff) for part in (*REGIMES, *OTHER_WAY)} | {
        "bpdm": _probes(splits),
        "seconds": {name: own["seconds"] for name, own in first.items()},
        "fused_by_vectors": {
            regime: float(np.mean([own["by_vectors"][regime] for own in fused])) for regime in REGIMES
        },
        "seeds": list(range(FIRST_SEED, FIRST_SEED + len(splits))),
        "champions": [split["champion"] for split in splits],
        "kept": {regime: [own["settings"][regime]["model"] for own in fused] for regime in REGIMES},
    }


def _rows(splits: Sequence[dict[str, Any]], part: str, cutoff: int) -> dict[str, Any]:
    ids = [split["ids"][part] for split in splits]
    keys = [*(f"{figure}_at_{cutoff}" for figure in FIGURES), *(WHOLE if part in REGIMES else ())]

    def of(name: str) -> list[dict[str, Any]]:
        return [split["models"][name][part] for split in splits]

    return {
        name: {key: float(np.mean([own["summary"][key] for own in of(name)])) for key in keys}
        | {
            "fused_over_it": mean_gain(
                ids,
                [np.subtract(fused["ndcg"], own["ndcg"]) for fused, own in zip(of("fused"), of(name), strict=True)],
                seed=0,
            )
        }
        for name in splits[0]["models"]
    }


def _probes(splits: Sequence[dict[str, Any]]) -> dict[str, Any]:
    keys = ("precision", "recall", "auc", "average_precision")
    ids = [split["ids"]["warm"] for split in splits]
    hidden = sum_by_company(ids, [np.asarray(split["hidden"]) for split in splits])
    probed = {name: [split["models"][name]["bpdm"] for split in splits] for name in splits[0]["models"]}
    cells = {
        name: {key: sum_by_company(ids, [np.asarray(own["per_company"][key]) for own in of_model]) for key in PROBED}
        | {"hidden": hidden}
        for name, of_model in probed.items()
    }
    gains = probe_gains(cells, seed=0)
    return {
        name: {key: float(np.mean([own["summary"][key] for own in of_model])) for key in keys}
        | {"over_ae": {key: gains.get(name, {}).get(key) for key in ("precision", "recall")}}
        for name, of_model in probed.items()
    }


def print_table(found: dict[str, Any]) -> None:
    """README's row for the data set, then the rows of docs/results.md, as Markdown."""
    print(f"\n| {' | '.join(_summary(found[regime]) for regime in REGIMES)} |")
    for part in (*REGIMES, *OTHER_WAY):
        keys = [key for key in found[part]["fused"] if key != "fused_over_it"]
        drawn = "products" if part in OTHER_WAY else "companies"
        print(f"\n| {part} | {' | '.join(keys)} | NDCG of fused over it (95% over {drawn}; over splits) |")
        print("|---" * (len(keys) + 2) + "|")
        for name, row in found[part].items():
            cells = " | ".join(f"{row[key]:.3f}" for key in keys)
            print(f"| {name} | {cells} | {format_gain(row['fused_over_it'])} |")
    print("\n| probe (BPDM) | precision | recall | AUC | AP | precision over ae | recall over ae |")
    print("|---" * 7 + "|")
    for name, row in found["bpdm"].items():
        *figures, over_ae = row.values()
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in figures)} | {' | '.join(_gains(over_ae))} |")
    print(f"\nNDCG of fused by company vector times product vector: {found['fused_by_vectors']}")
    seconds = sum(sum(own.values()) for own in found["seconds"].values())
    print(f"first split: all models tuned and fitted in {seconds:.0f} s")
    print(f"seeds {found['seeds']}; champions {found['champions']}; parts that the guard kept: {found['kept']}")


def _gains(over_ae: dict[str, Any]) -> list[str]:
    return [
        "" if gain is None else f"{gain['gain']:+.0%} ({gain['low']:+.0%} to {gain['high']:+.0%})"
        for gain in over_ae.values()
    ]


def _summary(rows: dict[str, Any]) -> str:
    """``fused`` beside the simple method that is best on test, which nobody could know before."""
    simple = [name for name in rows if name not in NOT_SIMPLE]
    ndcg = next(key for key in rows["fused"] if key.startswith("ndcg"))
    best = max(simple, key=lambda name: rows[name][ndcg])
    return f"{rows['fused'][ndcg]:.3f} | {best} {rows[best][ndcg]:.3f} | {format_gain(rows[best]['fused_over_it'])}"


if __name__ == "__main__":
    run_benchmark(__doc__, run, print_table, can_go_on=True, seeds=5)
