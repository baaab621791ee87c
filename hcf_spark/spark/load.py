"""The three input tables from a folder of CSV files or from the sample world."""

import logging
from pathlib import Path

from pyspark.sql import SparkSession

from hcf_spark.config import Config
from hcf_spark.errors import ConfigError
from hcf_spark.spark.checks import write_quarantine
from hcf_spark.spark.csv_folder import check_records, read_csv
from hcf_spark.spark.tables import Tables

logger = logging.getLogger(__name__)

CSV = ".csv"
_REQUIRED = {
    "companies": ("company_id", "name"),
    "products": ("product_id", "name"),
    "usage": ("company_id", "product_id"),
}


def load_tables(spark: SparkSession, tables: Tables, config: Config) -> None:
    """Fill the tables companies, products and usage as ``input.source`` says; runs jobs.

    Raises:
        ConfigError: ``input.source`` is csv and ``input.folder`` is not set.
        DataError: a file is missing, empty or broken beyond ``input.max_quarantined_share``.
    """
    if config.input.source == "tables":
        logger.info("input.source is tables: companies, products and usage are taken as they are")
        return
    own = [name for name in _REQUIRED if name in config.tables.names]
    if own:
        names = ", ".join(config.tables.names[name] for name in own)
        raise ConfigError(
            f"input.source is {config.input.source}, which would overwrite {names}: "
            "take it out of tables.names, or set input.source to tables"
        )
    if config.input.source == "csv":
        if config.input.folder is None:
            raise ConfigError(
                "input.source is csv, but input.folder is not set: name the folder with the three CSV files"
            )
        load_csv_folder(spark, tables, Path(config.input.folder), config.input.max_quarantined_share)
    else:
        load_sample_world(spark, tables, config)


def load_csv_folder(spark: SparkSession, tables: Tables, folder: Path, max_quarantined_share: float) -> None:
    """Load companies.csv, products.csv and usage.csv, all columns kept, broken records to quarantine; runs jobs."""
    frames = {name: read_csv(spark, folder / (name + CSV), required) for name, required in _REQUIRED.items()}
    checked = {name: check_records(frame) for name, frame in frames.items()}
    for name, records in checked.items():
        write_quarantine(tables, name + CSV, records, max_quarantined_share)
    for name, records in checked.items():
        tables.overwrite(name, records.good)
        n_rows = tables.read(name, "this job").count()
        logger.info("%s: %s rows from %s", name, f"{n_rows:,}", folder / (name + CSV))


def load_sample_world(spark: SparkSession, tables: Tables, config: Config) -> None:
    """Load the seeded sample world and its truth; runs jobs."""
    from hcf_spark.spark.sample_world import build_sample_world

    world = build_sample_world(spark, config.sample, config.seed)
    for name, frame in (
        ("companies", world.companies), ("products", world.products), ("usage", world.usage),
        ("sample_truth", world.truth),
    ):  # fmt: skip
        tables.overwrite(name, frame)
        logger.info("%s: %s rows of the sample world", name, f"{tables.read(name, 'this job').count():,}")
