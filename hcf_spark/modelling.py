"""From tables to judged models, a version in the registry, report.html and metrics.json."""

import hashlib
import json
import logging
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession

from hcf_spark.company_map import make_company_map
from hcf_spark.config import Config
from hcf_spark.errors import ConfigError
from hcf_spark.evaluation.challenge import NdcgByRegime
from hcf_spark.evaluation.harness import HarnessResult
from hcf_spark.experiment import judge, load_snapshot, make_candidates
from hcf_spark.launch import DistributedCandidate
from hcf_spark.log import timed
from hcf_spark.models.base import Model
from hcf_spark.models.directory import Directory
from hcf_spark.models.package import About, ModelPackage
from hcf_spark.promotion import limit_companies, make_checks, make_sample, rotate_to_champion
from hcf_spark.report.data import ReportData, RunFacts
from hcf_spark.report.page import render_plots, render_report
from hcf_spark.spark import look
from hcf_spark.spark.export import export_snapshot
from hcf_spark.spark.interactions import INPUT_TABLES, MatrixReport
from hcf_spark.spark.tables import Tables
from hcf_spark.summary import (
    count_split,
    describe,
    format_table,
    format_winners,
    make_examples,
    make_metrics,
    pick_examples,
    product_counts,
)
from hcf_spark.text.spec import EncoderSpec, resolve_encoder
from hcf_spark.tracking import registry
from hcf_spark.tracking.champion import Champion, load_champion
from hcf_spark.tracking.gate import Verdict, run_gate
from hcf_spark.tracking.run import (
    git_commit,
    log_file,
    log_matrix,
    log_metrics,
    log_models,
    log_plots,
    package_versions,
    tracked_run,
)
from hcf_spark.train.manifest import Manifest
from hcf_spark.train.snapshot import Snapshot

logger = logging.getLogger(__name__)

_EXAMPLES_PER_REGIME = 3
_PRODUCTS_PER_EXAMPLE = 5
_ADOPTERS_KEPT = 100


def train_and_register(spark: SparkSession, config: Config) -> dict[str, Any]:
    """Write report.html, metrics.json and a registry version; returns the content of metrics.json.

    Raises:
        ConfigError: the text vectors are those of masked texts.
    """
    if config.text.mask_product_names:
        raise ConfigError(
            "text.mask_product_names is for run_study: a registered model would be given texts with the names in them; "
            "set it to false"
        )
    tables, output = Tables(spark, config), Path(config.output).absolute()
    spec = resolve_encoder(config.encoder)
    with timed(logger, "exporting the snapshot"):
        folder = export_snapshot(tables, config, spec.encoder_id)
    manifest = Manifest.read(folder)
    snapshot = load_snapshot(folder, config)
    work = output / "training" / manifest.snapshot_id
    candidates = make_candidates(spark, config, folder, work)
    work.mkdir(parents=True, exist_ok=True)
    studies = work / "studies.db"

    matrix = MatrixReport.from_stamp(tables.stamp("company_product"))
    versions = {**matrix.input_versions, **manifest.table_versions}
    with tracked_run(config, "train_model", versions) as mlflow_run:
        with timed(logger, f"comparing {len(candidates)} models"):
            result = judge(candidates, snapshot, config, studies)
        curves = {each.name: each.history for each in candidates if isinstance(each, DistributedCandidate)}
        metrics = make_metrics(look.look_up_dataset(tables), result, config.seed)
        log_matrix(asdict(matrix), matrix.sizes)
        log_models(result.rows, curves)
        log_file(studies)
        package = _make_package(tables, config, result, spec, manifest)
        lineage = _lineage(tables, config)
        champion = load_champion(config.mlflow.model_name, lineage, package, work / registry.CHAMPION)
        limit, cutoff = config.mlflow.reference_companies, config.evaluation.cutoff
        model, served = limit_companies(package.model, result, snapshot.test, limit, cutoff, config.seed)
        drift = None
        if champion is not None and champion.model is not None:
            model, drift = rotate_to_champion(model, champion.model, snapshot.full, config.seed)
        package = package.with_model(model, _make_directory(model, snapshot, config))
        with timed(logger, "registering the champion model"):
            version = _register(config, package, spec, work / registry.PACKAGE)
        if drift is not None:
            registry.note_drift(config.mlflow.model_name, version, champion.version, drift)
        verdict = _pass_gate(tables, config, version, lineage, result, served, package, champion, snapshot)
        aliases = [registry.CHALLENGER, *([registry.CHAMPION] if verdict.promoted else [])]
        metrics["model"] = {
            "name": config.mlflow.model_name,
            "version": version,
            "gate": asdict(verdict),
            "champion": registry.find_alias(config.mlflow.model_name, registry.CHAMPION),
            "rotation": drift and asdict(drift),
        }
        facts = RunFacts(
            run_id=mlflow_run.info.run_id,
            seed=config.seed,
            created_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            settings_yaml=config.to_yaml(),
            model_name=config.mlflow.model_name,
            model_version=version,
            model_aliases=aliases,
            gate=metrics["model"]["gate"],
            serving=metrics["model"]["champion"],
            drift=metrics["model"]["rotation"],
            git_commit=git_commit(),
            table_versions=versions,
            package_versions=package_versions(),
        )
        report = _report_data(tables, config, facts, matrix, metrics, result, curves, snapshot, package, spec)
        log_plots(render_plots(report))
        _write(output, render_report(report), metrics)
    shutil.rmtree(work.parent, ignore_errors=True)
    _remove_others(folder)
    logger.info("models on test (champion by validation):\n%s", format_table(metrics, config.evaluation.cutoff))
    logger.info("winners, with 95%% intervals:\n%s", format_winners(metrics, config.evaluation.cutoff))
    return metrics


def _make_package(
    tables: Tables,
    config: Config,
    result: HarnessResult,
    spec: EncoderSpec,
    manifest: Manifest,
) -> ModelPackage:
    about = About(
        text_columns=tuple(config.text.columns),
        text_combine=config.text.combine,
        encoder=config.encoder.model_dump(),
        encoder_id=spec.encoder_id,
        text_dimension=manifest.text_dimension,
        snapshot_id=manifest.snapshot_id,
        top_k=config.score.top_k,
    )
    product_ids, product_names = look.look_up_products(tables)
    return ModelPackage(
        result.champion_model,
        product_ids,
        product_names,
        look.look_up_training_companies(tables, manifest.n_companies),
        about,
    )


def _make_directory(model: Model, snapshot: Snapshot, config: Config) -> Directory | None:
    """Training companies drawn by seed, with all products they use, those hidden for the test too."""
    if not config.mlflow.directory_companies:
        return None
    companies = snapshot.full
    drawn = np.random.default_rng(config.seed).permutation(len(companies))[: config.mlflow.directory_companies]
    companies = snapshot.test.warm.revealed_to(companies.take(np.sort(drawn)))
    log_metrics({"directory_companies": len(companies), "fit_companies": len(snapshot.full)}, "model")
    return Directory.of(model, companies, _ADOPTERS_KEPT)


def _register(config: Config, package: ModelPackage, spec: EncoderSpec, folder: Path) -> str:
    """Log and register the model; returns the version."""
    package.save(folder)
    example = pd.DataFrame(
        {
            "company_id": ["a company not seen before"],
            **{column: ["We build web applications for hospitals."] for column in config.text.columns},
            "products": [package.product_ids[:2]],
        }
    )
    signature = registry.make_signature(config.text.columns, config.score.top_k)
    encoder = Path(spec.folder) if config.mlflow.include_encoder else None
    return registry.register(config.mlflow.model_name, folder, encoder, signature, example)


def _pass_gate(
    tables: Tables,
    config: Config,
    version: str,
    lineage: str,
    result: HarnessResult,
    served: NdcgByRegime,
    package: ModelPackage,
    champion: Champion | None,
    snapshot: Snapshot,
) -> Verdict:
    name, checks = config.mlflow.model_name, []
    if config.mlflow.gate != "off":
        with timed(logger, f"checking version {version}"):
            sample = make_sample(tables, config, package, snapshot)
            cutoff = config.evaluation.cutoff
            checks = make_checks(
                name, version, result, served, package, champion, snapshot, sample, cutoff, config.seed
            )
    return run_gate(config.mlflow.gate, name, version, lineage, checks)


def _lineage(tables: Tables, config: Config) -> str:
    """Names where the data come from and how they are split.

    A model of another lineage ranks other products, or was trained on what is held out here.
    """
    folder = config.input.folder and str(Path(config.input.folder).absolute())
    origin = [config.input.source, folder, *(tables.location(name) for name in INPUT_TABLES)]
    split = config.model_dump(include={"split", "seed"})
    return hashlib.sha256(json.dumps([*origin, split]).encode()).hexdigest()[:16]


def _remove_others(folder: Path) -> None:
    """Remove the snapshots beside ``folder``, of which nothing is asked any more."""
    for other in folder.parent.iterdir():
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)


def _report_data(
    tables: Tables,
    config: Config,
    facts: RunFacts,
    matrix: MatrixReport,
    metrics: dict[str, Any],
    result: HarnessResult,
    curves: dict[str, list[dict[str, float]]],
    snapshot: Snapshot,
    package: ModelPackage,
    spec: EncoderSpec,
) -> ReportData:
    chosen = pick_examples(snapshot, _EXAMPLES_PER_REGIME, config.seed)
    identities = {
        regime: look.look_up_companies(tables, snapshot.test_index[regime][rows], config.text.columns)
        for regime, rows in chosen.items()
    }
    per_company, per_product = product_counts(snapshot)
    return ReportData(
        title=f"{config.mlflow.model_name}: companies and products",
        run=facts,
        dataset=metrics["dataset"],
        cutoff=config.evaluation.cutoff,
        models=result.rows,
        champion=result.champion,
        winners_validation=result.winners,
        winners_test=result.leaders_on_test,
        model_descriptions={name: describe(name) for name in result.models},
        steps=matrix.sizes,
        quarantine=look.look_up_quarantine(tables, config),
        split=count_split(snapshot),
        text=look.look_up_text(tables, spec.encoder_id),
        products_per_company=per_company,
        companies_per_product=per_product,
        curves=curves,
        company_map=make_company_map(
            package.model,
            snapshot.full,
            package.product_names,
            config.communities.neighbours,
            config.communities.resolution,
            config.seed,
        ),
        examples=make_examples(snapshot, chosen, identities, package, _PRODUCTS_PER_EXAMPLE),
    )


def _write(output: Path, page: str, metrics: dict[str, Any]) -> None:
    for name, content in (("report.html", page), ("metrics.json", json.dumps(metrics, indent=1))):
        waiting = output / f"{name}.waiting"
        waiting.write_text(content, encoding="utf-8")
        waiting.replace(output / name)
        log_file(output / name)
