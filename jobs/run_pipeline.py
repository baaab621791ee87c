"""The whole chain: input tables, matrix, text vectors, models, scores and report."""

import sys
from pathlib import Path

from pyspark.sql import SparkSession

from hcf_spark.config import Config
from hcf_spark.job import run_job
from hcf_spark.log import mask
from hcf_spark.spark.tables import Tables
from hcf_spark.summary import format_table, format_winners
from hcf_spark.tracking.run import tracking_uri_of
from jobs import build_matrix, embed_companies, find_communities, load_tables, score_companies, train_model


def run(spark: SparkSession, config: Config) -> None:
    """Run every job in turn, then say what came out and where it is."""
    load_tables.run(spark, config)
    build_matrix.run(spark, config)
    embed_companies.run(spark, config)
    metrics = train_model.run(spark, config)
    score_companies.run(spark, config)
    find_communities.run(spark, config)
    output = Path(config.output).absolute()
    cutoff = config.evaluation.cutoff
    print(f"\n{format_table(metrics, cutoff)}\n\n{format_winners(metrics, cutoff)}\n")
    gate = metrics["model"]["gate"]
    if not gate["promoted"]:
        print(
            f"note:    this run's model stays challenger ({gate['reason']}); the companies' scores are the champion's"
        )
    print(f"report:  {output / 'report.html'}")
    print(f"tables:  {Tables(spark, config).location('company_scores')} and beside it")
    if config.mlflow.tracking_uri is None:
        store = tracking_uri_of(output)
        print(f"MLflow:  {Path(sys.executable).with_name('mlflow')} ui --backend-store-uri {store}")
    else:
        print(f"MLflow:  {mask(config.mlflow.tracking_uri)}")


def main(argv: list[str] | None = None) -> int:
    """Run as a job; see ``run_job`` for flags and exit codes."""
    return run_job("run_pipeline", run, argv, __doc__)


if __name__ == "__main__" and (code := main()):
    sys.exit(code)
