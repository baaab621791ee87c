"""Run a study: the models at every point of a grid of settings (conf/studies), to a table, charts and MLflow runs."""

import sys
from pathlib import Path

from pyspark.sql import SparkSession

from hcf_spark.config import Config
from hcf_spark.job import run_job
from hcf_spark.study import run_study


def run(spark: SparkSession, config: Config) -> None:
    """Run the points that have not been run, then print the table of all and where it is."""
    print(f"\n{run_study(spark, config)}\n")
    print(f"study:   {Path(config.output).absolute() / 'studies' / config.study.name}")


def main(argv: list[str] | None = None) -> int:
    """Run as a job; see ``run_job`` for flags and exit codes."""
    return run_job("run_study", run, argv, __doc__)


if __name__ == "__main__" and (code := main()):
    sys.exit(code)
