"""Check the input tables, filter them and build the sparse company x product matrix."""

import sys

from pyspark.sql import SparkSession

from hcf_spark.config import Config
from hcf_spark.job import run_job
from hcf_spark.log import timed
from hcf_spark.spark.interactions import MatrixReport, build_matrix, logger
from hcf_spark.spark.tables import Tables


def run(spark: SparkSession, config: Config) -> MatrixReport:
    """Write company_vocab, product_vocab, company_product and quarantine."""
    with timed(logger, "building the matrix"):
        return build_matrix(Tables(spark, config), config)


def main(argv: list[str] | None = None) -> int:
    """Run as a job; see ``run_job`` for flags and exit codes."""
    return run_job("build_matrix", run, argv, __doc__)


if __name__ == "__main__" and (code := main()):
    sys.exit(code)
