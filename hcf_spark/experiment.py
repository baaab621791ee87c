"""One experiment: from input tables and settings to a snapshot, and from there to judged models."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from optuna.storages import InMemoryStorage
from pyspark.sql import SparkSession

from hcf_spark.config import Config
from hcf_spark.evaluation.candidate import Candidate, Search
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.fused import FusedCandidate
from hcf_spark.evaluation.harness import HarnessResult, run_harness
from hcf_spark.launch import DEEP, DistributedCandidate
from hcf_spark.models.text_dae import TextDae
from hcf_spark.spark.company_texts import read_company_texts
from hcf_spark.spark.embed import embed_companies
from hcf_spark.spark.export import export_snapshot
from hcf_spark.spark.interactions import build_matrix
from hcf_spark.spark.tables import Tables
from hcf_spark.text.spec import resolve_encoder
from hcf_spark.train.manifest import Manifest
from hcf_spark.train.snapshot import Snapshot, read_snapshot


def prepare_snapshot(spark: SparkSession, config: Config) -> Path:
    """Matrix, text vectors and snapshot of these settings, made from the three input tables; runs jobs.

    Returns:
        The snapshot's folder.
    """
    tables, spec = Tables(spark, config), resolve_encoder(config.encoder)
    build_matrix(tables, config)
    embed_companies(tables, read_company_texts(tables, config), spec, config)
    return export_snapshot(tables, config, spec.encoder_id)


def load_snapshot(folder: Path, config: Config) -> Snapshot:
    """A snapshot within the limits of the settings."""
    limits = config.evaluation
    return read_snapshot(folder, Manifest.read(folder), limits.max_fit_companies, limits.max_companies, config.seed)


def make_candidates(spark: SparkSession | None, config: Config, snapshot: Path, work: Path) -> list[Candidate]:
    """The models of ``evaluation.models``, in that order.

    Args:
        spark: the session whose cluster trains networks; None to train them in this process, a Spark
            task's.
        snapshot: folder of the snapshot.
        work: folder for what training keeps while it runs.
    """
    autoencoder = config.train.model_copy(update=config.autoencoder.model_dump())
    deep = {}
    for kind, factors in DEEP.items():
        settings = autoencoder if kind is TextDae else config.train
        limit = config.evaluation.max_companies
        deep[kind.name] = DistributedCandidate(kind, spark, snapshot, work, settings, limit, factors)
    fused = FusedCandidate(CLOSED_FORM, deep[TextDae.name], config.fused.vector_size, config.fused.left_out)
    known = {**CLOSED_FORM, **deep, fused.name: fused}
    return [known[name] for name in dict.fromkeys(config.evaluation.models)]


def judge(
    candidates: Sequence[Candidate], snapshot: Snapshot, config: Config, storage: Path | None = None
) -> HarnessResult:
    """Tune, fit and judge the candidates; ``storage`` is the file that keeps the search, so that it can be resumed."""
    search = Search(config.evaluation.trials, config.evaluation.cutoff, config.seed, InMemoryStorage())
    with TemporaryDirectory() as folder:
        if storage is not None:
            search = replace(search, **_local_database(storage, Path(folder)))
        return run_harness(
            candidates, snapshot.inner, snapshot.validation, snapshot.full, snapshot.test, search, progress=True
        )


def _local_database(storage: Path, folder: Path) -> dict[str, Any]:
    """Where a search writes: a disk of this machine, since ``storage`` may be in a volume, which takes whole files."""
    local, half = folder / storage.name, storage.with_suffix(".half")
    storage.touch()  # an empty file is an empty database
    shutil.copyfile(storage, local)

    def keep() -> None:
        shutil.copyfile(local, half)
        half.replace(storage)

    return {"storage": f"sqlite:///{local}", "on_trial": keep}
