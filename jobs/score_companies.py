"""Rank products for companies and companies for products by the champion model; write vectors and look-alikes."""

import sys
from pathlib import Path

from pyspark.sql import SparkSession

from hcf_spark.config import Config
from hcf_spark.job import logger, run_job
from hcf_spark.log import timed
from hcf_spark.models.package import ModelPackage
from hcf_spark.spark.company_neighbours import write_neighbours
from hcf_spark.spark.product_embeddings import write_product_embeddings
from hcf_spark.spark.score import keep_versions, score_companies
from hcf_spark.spark.staging import Staging, own_folder
from hcf_spark.spark.tables import Tables
from hcf_spark.tracking import registry
from hcf_spark.tracking.run import connect

_TABLES = (
    "company_scores", "product_scores", "company_embeddings", "product_embeddings", "company_neighbours",
    "text_embeddings",
)  # fmt: skip


def run(spark: SparkSession, config: Config) -> None:
    """Bring the tables up to date with the champion; their names and versions go to the model's MLflow run."""
    connect(config)
    tables = Tables(spark, config)
    with own_folder(Path(config.output).absolute() / "scoring") as folder:
        model = registry.fetch(config.mlflow.model_name, registry.CHAMPION, folder)
        about, staging = ModelPackage.load(model.package).about, Staging(folder / "staging")
        with timed(logger, f"scoring companies with {model.name} version {model.version}"):
            score_companies(tables, config, model.package, about, model.version, staging)
            write_product_embeddings(tables, model.package, model.version)
        keep_versions(tables, model.version, config.score.keep_versions)
        with timed(logger, "finding look-alikes"):
            write_neighbours(tables, config, model.version, staging)
    for name in _TABLES:
        registry.note_table(model.run_id, name, tables.location(name), tables.version(name))


def main(argv: list[str] | None = None) -> int:
    """Run as a job; see ``run_job`` for flags and exit codes."""
    return run_job("score_companies", run, argv, __doc__)


if __name__ == "__main__" and (code := main()):
    sys.exit(code)
