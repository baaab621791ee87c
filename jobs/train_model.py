"""Export a snapshot, tune, train and judge all models, register the best one and write the report."""

import json
import shutil
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from pyspark.sql import SparkSession

from hcf_spark.config import Config
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.harness import HarnessResult, run_harness
from hcf_spark.job import logger, run_job
from hcf_spark.launch import DEEP, DistributedCandidate
from hcf_spark.log import timed
from hcf_spark.models.package import About, ModelPackage
from hcf_spark.report.data import ReportData, RunFacts
from hcf_spark.report.page import render_plots, render_report
from hcf_spark.spark import look
from hcf_spark.spark.export import export_snapshot
from hcf_spark.spark.interactions import MatrixReport
from hcf_spark.spark.tables import Tables
from hcf_spark.summary import (
    count_split,
    describe,
    format_table,
    make_examples,
    make_metrics,
    pick_examples,
    product_counts,
)
from hcf_spark.text.spec import EncoderSpec, resolve_encoder
from hcf_spark.tracking import registry
from hcf_spark.tracking.gate import run_gate
from hcf_spark.tracking.run import (
    git_commit,
    log_file,
    log_matrix,
    log_models,
    log_plots,
    package_versions,
    tracked_run,
)
from hcf_spark.train.manifest import Manifest
from hcf_spark.train.snapshot import Snapshot, read_snapshot

_EXAMPLES_PER_REGIME = 3
_PRODUCTS_PER_EXAMPLE = 10


def run(spark: SparkSession, config: Config) -> dict[str, Any]:
    """Write report.html, metrics.json and a registry version; returns the content of metrics.json."""
    tables, output = Tables(spark, config), Path(config.output).absolute()
    spec = resolve_encoder(config.encoder)
    with timed(logger, "exporting the snapshot"):
        folder = export_snapshot(tables, config, spec.encoder_id)
    manifest = Manifest.read(folder)
    limits = config.evaluation
    snapshot = read_snapshot(folder, manifest, limits.max_fit_companies, limits.max_companies, config.seed)
    work = output / "training" / manifest.snapshot_id
    deep = {name: DistributedCandidate(kind, spark, folder, work, config.train) for name, kind in DEEP.items()}
    candidates = [deep.get(name) or CLOSED_FORM[name] for name in dict.fromkeys(limits.models)]

    matrix = MatrixReport.from_stamp(tables.stamp("company_product"))
    versions = {**matrix.input_versions, **manifest.table_versions}
    with tracked_run(config, "train_model", versions) as mlflow_run:
        with timed(logger, f"comparing {len(candidates)} models"):
            result = run_harness(
                candidates, snapshot.inner, snapshot.validation, snapshot.full, snapshot.test,
                cutoff=limits.cutoff, seed=config.seed, progress=True,
            )  # fmt: skip
        curves = {name: candidate.history for name, candidate in deep.items() if name in result.models}
        metrics = make_metrics(look.look_up_dataset(tables), result, config.seed)
        log_matrix(asdict(matrix), matrix.sizes)
        log_models(result.rows, curves)
        package = _make_package(tables, config, result, spec, manifest)
        with timed(logger, "registering the champion model"):
            version, aliases = _register(config, package, spec, snapshot, result, manifest, work / registry.PACKAGE)
        facts = RunFacts(
            run_id=mlflow_run.info.run_id,
            seed=config.seed,
            created_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            settings_yaml=config.to_yaml(),
            model_name=config.mlflow.model_name,
            model_version=version,
            model_aliases=aliases,
            git_commit=git_commit(),
            table_versions=versions,
            package_versions=package_versions(),
        )
        report = _report_data(tables, config, facts, matrix, metrics, result, curves, snapshot, package, spec)
        log_plots(render_plots(report))
        _write(output, render_report(report), metrics)
    shutil.rmtree(work.parent, ignore_errors=True)
    logger.info("models on test (champion by validation):\n%s", format_table(metrics, limits.cutoff))
    return metrics


def _make_package(
    tables: Tables, config: Config, result: HarnessResult, spec: EncoderSpec, manifest: Manifest
) -> ModelPackage:
    about = About(
        text_columns=tuple(config.text.columns),
        encoder=config.encoder.model_dump(),
        encoder_id=spec.encoder_id,
        text_dimension=spec.dimension,
        snapshot_id=manifest.snapshot_id,
        top_k=config.score.top_k,
    )
    product_ids, product_names = look.look_up_products(tables)
    return ModelPackage(
        result.champion_model, product_ids, product_names, look.look_up_training_companies(tables), about
    )


def _register(
    config: Config,
    package: ModelPackage,
    spec: EncoderSpec,
    snapshot: Snapshot,
    result: HarnessResult,
    manifest: Manifest,
    folder: Path,
) -> tuple[str, list[str]]:
    """Log and register the model, and pass it through the gate; returns version and aliases."""
    name = config.mlflow.model_name
    package.save(folder)
    example = pd.DataFrame(
        {
            "company_id": ["a company not seen before"],
            **{column: ["We build web applications for hospitals."] for column in config.text.columns},
            "products": [package.product_ids[:2]],
        }
    )
    signature = registry.make_signature(config.text.columns, config.score.top_k)
    version = registry.register(name, folder, Path(spec.folder), signature, example)
    verdict = run_gate(name, version, result.rows, result.champion, manifest.snapshot_id, example)
    return version, [registry.CHALLENGER, *([registry.CHAMPION] if verdict.promoted else [])]


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
        quarantine=matrix.quarantined,
        split=count_split(snapshot),
        text=look.look_up_text(tables, spec.encoder_id),
        products_per_company=per_company,
        companies_per_product=per_product,
        curves=curves,
        examples=make_examples(snapshot, chosen, identities, package, _PRODUCTS_PER_EXAMPLE),
    )


def _write(output: Path, page: str, metrics: dict[str, Any]) -> None:
    for name, content in (("report.html", page), ("metrics.json", json.dumps(metrics, indent=1))):
        waiting = output / f"{name}.waiting"
        waiting.write_text(content, encoding="utf-8")
        waiting.replace(output / name)
        log_file(output / name)


def main(argv: list[str] | None = None) -> int:
    """Run as a job; see ``run_job`` for flags and exit codes."""
    return run_job("train_model", run, argv, __doc__)


if __name__ == "__main__" and (code := main()):
    sys.exit(code)
