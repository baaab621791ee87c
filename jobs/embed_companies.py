"""Stage 1: encode the companies' texts into the table text_embeddings; only what is new or has changed."""

import sys

from pyspark.sql import SparkSession

from hcf_spark.config import Config
from hcf_spark.job import run_job
from hcf_spark.spark.company_texts import read_company_texts
from hcf_spark.spark.embed import embed_companies, estimate_work
from hcf_spark.spark.embed_counts import EmbedCounts
from hcf_spark.spark.tables import Tables
from hcf_spark.text.spec import resolve_encoder
from hcf_spark.tracking.run import log_metrics, tracked_run


def run(spark: SparkSession, config: Config) -> EmbedCounts:
    """Check the encoder, then bring text_embeddings up to date; what that took goes to MLflow."""
    spec = resolve_encoder(config.encoder)
    tables = Tables(spark, config)
    counts = embed_companies(tables, read_company_texts(tables, config), spec, config)
    if counts.n_encoded:
        with tracked_run(config, "embed_companies", {"companies": tables.input_version("companies")}):
            log_metrics(counts.to_metrics(), "embed")
    return counts


def dry_run(spark: SparkSession, config: Config) -> None:
    """Print what is to do and about how long it takes; nothing is written."""
    spec = resolve_encoder(config.encoder)
    tables = Tables(spark, config)
    work = estimate_work(tables, read_company_texts(tables, config), spec, config)
    print(
        f"{work.n_texts:,} texts to encode, about {work.n_tokens:,} tokens, in about {work.seconds:,.0f} s; "
        f"{work.n_deleted:,} vectors to delete"
    )


def main(argv: list[str] | None = None) -> int:
    """Run as a job; see ``run_job`` for flags and exit codes."""
    dry = ("--dry-run", "say how much is to do and about how long it takes, and do nothing", dry_run)
    return run_job("embed_companies", run, argv, __doc__, dry)


if __name__ == "__main__" and (code := main()):
    sys.exit(code)
