"""Load companies, products and usage from CSV files or the sample world into Delta tables."""

import sys

from pyspark.sql import SparkSession

from hcf_spark.config import Config
from hcf_spark.job import run_job
from hcf_spark.log import timed
from hcf_spark.spark.load import load_tables, logger
from hcf_spark.spark.tables import Tables


def run(spark: SparkSession, config: Config) -> None:
    """Fill the input tables as ``input.source`` says."""
    with timed(logger, "loading the input tables"):
        load_tables(spark, Tables(spark, config), config)


def main(argv: list[str] | None = None) -> int:
    """Run as a job; see ``run_job`` for flags and exit codes."""
    return run_job("load_tables", run, argv, __doc__)


if __name__ == "__main__" and (code := main()):
    sys.exit(code)
