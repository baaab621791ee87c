"""Stage 1: encode the companies' texts into the table text_embeddings; only what is new or has changed."""

import sys

from pyspark.sql import SparkSession

from hcf_spark.config import Config
from hcf_spark.job import run_job
from hcf_spark.spark.checks import check_companies, filter_where
from hcf_spark.spark.embed import EmbedCounts, embed_companies
from hcf_spark.spark.tables import Tables
from hcf_spark.text.spec import resolve_encoder


def run(spark: SparkSession, config: Config) -> EmbedCounts:
    """Check the encoder, then bring text_embeddings up to date."""
    spec = resolve_encoder(config.encoder)
    tables = Tables(spark, config)
    companies = tables.read("companies", "you or load_tables")
    chosen = filter_where(companies, "input.companies_where", config.input.companies_where)
    return embed_companies(tables, check_companies(chosen).good, config.text.columns, spec)


def main(argv: list[str] | None = None) -> int:
    """Run as a job; see ``run_job`` for flags and exit codes."""
    return run_job("embed_companies", run, argv, __doc__)


if __name__ == "__main__" and (code := main()):
    sys.exit(code)
