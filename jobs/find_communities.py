"""Find communities of companies by the champion's company vectors, and say what each one is about."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from hcf_spark.communities.facts import gather_facts, to_metrics
from hcf_spark.config import Config
from hcf_spark.job import logger, run_job
from hcf_spark.log import timed
from hcf_spark.spark.communities import build_communities, compare_with_chance
from hcf_spark.spark.community_profiles import write_profiles
from hcf_spark.spark.interactions import read_checked
from hcf_spark.spark.tables import Tables
from hcf_spark.tracking import registry
from hcf_spark.tracking.run import connect, log_file, log_metrics, tracked_run


def run(spark: SparkSession, config: Config) -> dict[str, Any]:
    """Write company_communities, communities and communities.json; returns the content of the latter."""
    connect(config)
    version = registry.require_alias(config.mlflow.model_name, registry.CHAMPION)
    tables, output = Tables(spark, config), Path(config.output).absolute()
    folder = output / "communities"
    checked = read_checked(tables, config)
    with timed(logger, f"finding communities by the vectors of version {version}"):
        detected, ids = build_communities(tables, config, version, folder)
        profiles, agreement = write_profiles(tables, config, checked, version)
        chance = compare_with_chance(checked["usage"].good, ids, detected.partition.labels, config)
    shutil.rmtree(folder, ignore_errors=True)
    facts = gather_facts(detected, chance, agreement, profiles)
    metrics = to_metrics(facts)
    logger.info("communities: %s", ", ".join(f"{name} {value:.3g}" for name, value in metrics.items()))
    waiting = output / "communities.json.waiting"
    waiting.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    waiting.replace(output / "communities.json")
    with tracked_run(config, "find_communities", {"company_embeddings": tables.version("company_embeddings")}):
        log_metrics(metrics, "communities")
        log_file(output / "communities.json")
    return facts


def main(argv: list[str] | None = None) -> int:
    """Run as a job; see ``run_job`` for flags and exit codes."""
    return run_job("find_communities", run, argv, __doc__)


if __name__ == "__main__" and (code := main()):
    sys.exit(code)
