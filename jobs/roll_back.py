"""Give the alias champion back to the model version that had it before; run again to go back further."""

import sys

from pyspark.sql import SparkSession

from hcf_spark.config import Config
from hcf_spark.job import run_job
from hcf_spark.tracking import gate
from hcf_spark.tracking.run import connect


def run(spark: SparkSession, config: Config) -> None:
    """Move the alias, and say from where to where."""
    connect(config)
    name = config.mlflow.model_name
    was, now = gate.roll_back(name)
    print(f"champion of {name} is version {now} again, no longer {was}; run score_companies for its scores")


def main(argv: list[str] | None = None) -> int:
    """Run as a job; see ``run_job`` for flags and exit codes."""
    return run_job("roll_back", run, argv, __doc__)


if __name__ == "__main__" and (code := main()):
    sys.exit(code)
