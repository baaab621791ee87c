"""Export a snapshot, tune, train and judge all models, register the best one and write the report."""

import sys
from typing import Any

from pyspark.sql import SparkSession

from hcf_spark.config import Config
from hcf_spark.job import run_job
from hcf_spark.modelling import train_and_register


def run(spark: SparkSession, config: Config) -> dict[str, Any]:
    """Write report.html, metrics.json and a registry version; returns the content of metrics.json."""
    return train_and_register(spark, config)


def main(argv: list[str] | None = None) -> int:
    """Run as a job; see ``run_job`` for flags and exit codes."""
    return run_job("train_model", run, argv, __doc__)


if __name__ == "__main__" and (code := main()):
    sys.exit(code)
