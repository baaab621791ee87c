"""A study: the same experiment at every point of a grid of settings, to one table, charts and nested MLflow runs."""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pyspark.sql import SparkSession
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from hcf_spark.config import Config
from hcf_spark.errors import DataError, HcfError
from hcf_spark.evaluation.candidate import Candidate
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.model_result import REGIMES
from hcf_spark.experiment import judge, load_snapshot, make_candidates, prepare_snapshot
from hcf_spark.grid import Point, list_points
from hcf_spark.log import timed
from hcf_spark.report.study import render_study
from hcf_spark.spark.encode import task_resources
from hcf_spark.spark.interactions import INPUT_TABLES
from hcf_spark.spark.load import load_tables
from hcf_spark.spark.tables import Tables
from hcf_spark.tracking.study import log_study
from hcf_spark.train.manifest import Manifest

logger = logging.getLogger(__name__)

_CELLS_IN_A_TASK = 20_000_000
_SNAPSHOT_SETTINGS = {
    "seed": True, "input": True, "sample": True, "tables": True, "text": True, "encoder": True, "filter": True,
    "split": True, "train": {"processes"}, "evaluation": {"max_companies"},
}  # fmt: skip


def run_study(spark: SparkSession, config: Config) -> str:
    """Run the points of ``study.axes`` that have not been run, then write table, charts and MLflow runs; runs jobs.

    All of it lies under ``<output>/studies/<name>``, tables made for the points too: those of the configuration are
    only read. A point's result is a file of its own, named by settings, code and input; a study that was broken off
    goes on at the first point without one. Points on small data run side by side, each in a Spark task that trains its
    networks too (not on a GPU, nor in several processes), the others one after the other. A point that cannot be run
    costs no other point.

    Returns:
        The table as Markdown.

    Raises:
        ConfigError: an axis or a figure does not exist.
        DataError: the settings of some points leave nothing to train or to judge on; the others are in the table.
    """
    folder = Path(config.output).absolute() / "studies" / config.study.name
    points = {point.key(identify_input(spark, point.config)): point for point in list_points(config)}
    files = {key: folder / "points" / f"{key}.json" for key in points}
    pending = [key for key in points if not files[key].exists()]
    logger.info("study %s: %d points, %d of them still to run", config.study.name, len(points), len(pending))
    (folder / "points").mkdir(parents=True, exist_ok=True)
    problems = _run_points(spark, config, {key: points[key] for key in pending}, folder)
    results = {key: json.loads(file.read_text(encoding="utf-8")) for key, file in files.items() if file.exists()}
    found = ", ".join(f"{points[key].labels}: {problem}" for key, problem in problems.items())
    if not results:
        raise DataError(f"no point of the study could be run: {found}")
    ndcg = {f"{regime} NDCG": f"{regime}.ndcg_at_{config.evaluation.cutoff}" for regime in REGIMES}
    labels = [points[key].labels for key in results]
    study = render_study(labels, list(results.values()), config.study.figures or ndcg)
    log_study(config, points, results, study.write(folder))
    for leftover in (folder / "training", *folder.glob("data/*/snapshots")):
        shutil.rmtree(leftover, ignore_errors=True)
    if problems:
        raise DataError(f"{len(problems)} of {len(points)} points are not in {folder / 'table.csv'}: {found}")
    return study.markdown


def _run_points(spark: SparkSession, config: Config, points: Mapping[str, Point], folder: Path) -> dict[str, str]:
    """Write the results of the points; returns, by key, why there is none."""
    files = {key: folder / "points" / f"{key}.json" for key in points}
    snapshots, problems = _prepare(spark, config, points, folder / "data")
    small = [key for key in snapshots if _fits_a_task(points[key].config, snapshots[key])]
    if small:
        with timed(logger, f"running {len(small)} points in Spark tasks"):
            problems |= _run_in_tasks(
                spark,
                {key: (points[key].config, snapshots[key], folder / "training" / key, files[key]) for key in small},
            )
    for key in tqdm([key for key in snapshots if key not in small], disable=None):
        logger.info("point %s", points[key].labels)
        candidates = make_candidates(spark, points[key].config, snapshots[key], folder / "training" / key)
        problem = _run_point(points[key].config, candidates, snapshots[key], files[key])
        if problem is not None:
            problems[key] = problem
    return problems


def identify_input(spark: SparkSession, config: Config) -> list[Any]:
    """What tells the input of today from that of another day; the sample world is told by its settings."""
    if config.input.source == "csv":
        files = sorted(Path(config.input.folder or ".").glob("*.csv"))
        return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
    if config.input.source == "tables":
        tables = Tables(spark, config)
        return [[tables.location(name), tables.input_version(name)] for name in INPUT_TABLES]
    return []


def _prepare(
    spark: SparkSession, config: Config, points: Mapping[str, Point], folder: Path
) -> tuple[dict[str, Path], dict[str, str]]:
    """The snapshot of every point that has one, and why others have none, by the points' keys.

    Points that differ in training and evaluation only share a snapshot.
    """
    loaded, snapshots, by_key, problems = set(), {}, {}, {}
    for key, point in tqdm(points.items(), desc="preparing", disable=None):
        own = _with_own_tables(spark, config.seed, point.config, folder)
        settings = own.model_dump_json(include=_SNAPSHOT_SETTINGS)
        try:
            if own.output not in loaded:
                load_tables(spark, Tables(spark, own), own.model_copy(update={"seed": config.seed}))
                loaded.add(own.output)
            if settings not in snapshots:
                snapshots[settings] = prepare_snapshot(spark, own)
            by_key[key] = snapshots[settings]
        except HcfError as error:
            logger.warning("point %s: %s", point.labels, error)
            problems[key] = str(error)
    return by_key, problems


def _with_own_tables(spark: SparkSession, seed: int, config: Config, folder: Path) -> Config:
    """Settings under which nothing is written but in a folder of the input's own.

    The sample world is that of the study's ``seed``; the seeds on an axis draw splits of it.
    """
    chosen = {"input": True, "sample": True, "text": {"mask_product_names"}}
    content = [config.model_dump(mode="json", include=chosen), seed]
    name = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    inputs = {table: Tables(spark, config).location(table) for table in INPUT_TABLES}
    tables = {"catalog": None, "names": inputs if config.input.source == "tables" else {}}
    changes = {"output": str(folder / name), "tables": config.tables.model_copy(update=tables)}
    return config.model_copy(update=changes)


def _fits_a_task(config: Config, snapshot: Path) -> bool:
    manifest = Manifest.read(snapshot)
    cells = manifest.n_companies * max(manifest.n_products, manifest.text_dimension)
    trains_elsewhere = config.train.use_gpu or config.train.processes > 1
    return cells <= _CELLS_IN_A_TASK and not (trains_elsewhere and set(config.evaluation.models) - CLOSED_FORM.keys())


def _run_in_tasks(spark: SparkSession, points: Mapping[str, tuple[Config, Path, Path, Path]]) -> dict[str, str]:
    """Run points, given as settings, snapshot, work folder and file of the result, in a task each; problems by key."""
    rows = [
        (key, config.model_dump_json(), str(snapshot), str(work), str(file))
        for key, (config, snapshot, work, file) in points.items()
    ]
    frame = spark.createDataFrame(rows, "key string, config string, snapshot string, work string, file string")
    tasks = frame.repartitionByRange(len(rows), "key").mapInPandas(make_point_fn(), "key string, problem string")
    return {row.key: row.problem for row in tasks.collect() if row.problem is not None}


def make_point_fn() -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """Worker code: points (key, config as JSON, snapshot, work, file) in, key and problem (None: it is done) out."""

    def run(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            problems = []
            with threadpool_limits(task_resources()[0]):
                for row in batch.itertuples():
                    config = Config.model_validate_json(row.config)
                    candidates = make_candidates(None, config, Path(row.snapshot), Path(row.work))
                    problems.append(_run_point(config, candidates, Path(row.snapshot), Path(row.file)))
            yield batch[["key"]].assign(problem=problems)

    return run


def _run_point(config: Config, candidates: Sequence[Candidate], folder: Path, file: Path) -> str | None:
    """Judge the candidates, and write what was found in one atomic step; returns why there is nothing to judge."""
    try:
        snapshot = load_snapshot(folder, config)
        rows = judge(candidates, snapshot, config).rows  # of the champion too, which may be a pair of candidates
    except HcfError as error:
        return str(error)
    companies, products = snapshot.full.known.shape
    interactions = snapshot.full.known.nnz
    content = {
        "dataset": {
            "companies": companies, "products": products, "interactions": interactions,
            "density": interactions / (companies * products),
        },
        "models": {candidate.name: rows[candidate.name] for candidate in candidates},
    }  # fmt: skip
    waiting = file.with_suffix(f".{os.getpid()}")
    waiting.write_text(json.dumps(content), encoding="utf-8")
    os.replace(waiting, file)
    return None
