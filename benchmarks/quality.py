"""Every model on one data set, tuned alike, over several splits: the results in README and docs/results.md.

make benchmark NAME=quality [DATA=folder] [CONF=file] [OUT=file]
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.command import run_benchmark
from benchmarks.splits import format_gain, mean_gain, sum_by_company
from hcf_spark.config import Config
from hcf_spark.evaluation.comparison import NOT_SIMPLE, probe_gains
from hcf_spark.evaluation.harness import REGIMES, HarnessResult
from hcf_spark.experiment import judge, load_snapshot, make_candidates, prepare_snapshot
from hcf_spark.launch import DistributedCandidate
from hcf_spark.spark.look import look_up_ids
from hcf_spark.spark.session import get_session
from hcf_spark.spark.tables import Tables
from jobs import load_tables

FIGURES = ("recall", "ndcg")
WHOLE = ("auc", "average_precision")
FIRST_SEED = 300
"""Of splits that nobody looked at when models and guard were made."""
LARGE = 10_000_000


def run(config: Config, seeds: int) -> Iterator[dict[str, Any]]:
    """Rows by regime and model: means over the splits, and how far NDCG@K of ``fused`` is from the model's.

    Everything is tuned on every split, a matrix beyond 10 million cells on the first: the settings found there serve
    the others, but for the weights of what ``fused`` adds, and the epochs of networks.
    """
    spark = get_session("benchmark", config)
    load_tables.run(spark, config)
    results: list[HarnessResult] = []
    ids: dict[str, list[list[str]]] = {regime: [] for regime in REGIMES}
    hidden: list[np.ndarray] = []
    search_seed = FIRST_SEED
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        split = config.model_copy(update={"seed": seed})
        folder = prepare_snapshot(spark, split)
        candidates = make_candidates(spark, split, folder, Path(config.output) / "training" / str(seed))
        snapshot = load_snapshot(folder, split)
        if np.prod(snapshot.full.known.shape) <= LARGE:
            search_seed = seed
        elif results:
            for candidate in candidates:
                if isinstance(candidate, DistributedCandidate):
                    candidate.settle(results[0].models[candidate.name].settings)
        search = config.model_copy(update={"seed": search_seed})
        results.append(judge(candidates, snapshot, search, Path(config.output) / f"{search_seed}.db"))
        for regime, own in ids.items():
            own.append(look_up_ids(Tables(spark, split), snapshot.test_index[regime]))
        hidden.append(snapshot.test.warm.hidden.getnnz(axis=1))
        yield _figures(config, results, ids, hidden)


def _figures(
    config: Config, results: Sequence[HarnessResult], ids: Mapping[str, Sequence[Sequence[str]]],
    hidden: Sequence[np.ndarray],
) -> dict[str, Any]:  # fmt: skip
    names = list(dict.fromkeys(config.evaluation.models))
    fused = [result.models["fused"] for result in results]
    return {regime: _rows(results, names, regime, ids[regime], config.evaluation.cutoff) for regime in REGIMES} | {
        "bpdm": _probes(results, names, ids["warm"], hidden),
        "seconds": {
            name: {part: getattr(results[0].models[name], f"{part}_seconds") for part in ("tune", "fit")}
            for name in names
        },
        "fused_by_vectors": {regime: float(np.mean([own.by_vectors[regime] for own in fused])) for regime in REGIMES},
        "seeds": list(range(FIRST_SEED, FIRST_SEED + len(results))),
        "champions": [result.champion for result in results],
        "kept": {regime: [own.settings[regime]["model"] for own in fused] for regime in REGIMES},
    }


def _rows(
    results: Sequence[HarnessResult], names: Sequence[str], regime: str, ids: Sequence[Sequence[str]], cutoff: int
) -> dict[str, Any]:
    ndcg = f"ndcg_at_{cutoff}"
    judged = {name: [getattr(result.models[name], regime) for result in results] for name in names}
    keys = [*(f"{figure}_at_{cutoff}" for figure in FIGURES), *WHOLE]
    return {
        name: {key: float(np.mean([m.summary[key] for m in own])) for key in keys}
        | {
            "fused_over_it": mean_gain(
                ids,
                [fused.per_company[ndcg] - m.per_company[ndcg] for fused, m in zip(judged["fused"], own, strict=True)],
                seed=0,
            )
        }
        for name, own in judged.items()
    }


def _probes(
    results: Sequence[HarnessResult], names: Sequence[str], ids: Sequence[Sequence[str]], hidden: Sequence[np.ndarray]
) -> dict[str, Any]:
    keys = ("precision", "recall", "auc", "average_precision")
    probed = {name: [result.models[name].bpdm for result in results] for name in names}
    cells = {
        name: {
            "hits": sum_by_company(ids, [own.hits for own in of_model]),
            "predicted": sum_by_company(ids, [own.predicted for own in of_model]),
            "hidden": sum_by_company(ids, hidden),
            **{
                key: sum_by_company(ids, [own.per_company[key] for own in of_model])
                for key in ("company_auc", "company_average_precision")
            },
        }
        for name, of_model in probed.items()
    }
    gains = probe_gains(cells, seed=0)
    return {
        name: {key: float(np.mean([own.summary[key] for own in of_model])) for key in keys}
        | {"over_ae": {key: gains.get(name, {}).get(key) for key in ("precision", "recall")}}
        for name, of_model in probed.items()
    }


def print_table(found: dict[str, Any]) -> None:
    """README's row for the data set, then the rows of docs/results.md, as Markdown."""
    print(f"\n| {' | '.join(_summary(found[regime]) for regime in REGIMES)} |")
    for regime in REGIMES:
        keys = [key for key in found[regime]["fused"] if key != "fused_over_it"]
        print(f"\n| {regime} | {' | '.join(keys)} | NDCG of fused over it (95% over companies; over splits) |")
        print("|---" * (len(keys) + 2) + "|")
        for name, row in found[regime].items():
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
    run_benchmark(__doc__, run, print_table, seeds=5)
