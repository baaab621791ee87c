"""Rank the products for every company by the champion model, and write its company vectors."""

import shutil
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from hcf_spark.config import Config
from hcf_spark.job import logger, run_job
from hcf_spark.log import timed
from hcf_spark.models.package import ModelPackage
from hcf_spark.spark.score import score_companies
from hcf_spark.spark.tables import Tables
from hcf_spark.tracking import registry
from hcf_spark.tracking.run import connect


def run(spark: SparkSession, config: Config) -> None:
    """Write company_scores and company_embeddings; their names and versions go to the model's MLflow run."""
    connect(config)
    tables = Tables(spark, config)
    folder = Path(config.output).absolute() / "scoring"
    model = registry.fetch(config.mlflow.model_name, registry.CHAMPION, folder)
    about = ModelPackage.load(model.package).about
    with timed(logger, f"scoring all companies with {model.name} version {model.version}"):
        score_companies(tables, config, model.package, about, model.version)
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("company_scores", "company_embeddings", "text_embeddings"):
        registry.note_table(model.run_id, name, tables.location(name), tables.version(name))


def main(argv: list[str] | None = None) -> int:
    """Run as a job; see ``run_job`` for flags and exit codes."""
    return run_job("score_companies", run, argv, __doc__)


if __name__ == "__main__" and (code := main()):
    sys.exit(code)
