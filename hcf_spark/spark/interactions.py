"""From checked tables to the matrix: vocabularies and (company_idx, product_idx, weight)."""

import hashlib
import json
import logging
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from hcf_spark.config import Config
from hcf_spark.spark import schemas
from hcf_spark.spark.alike import with_alike
from hcf_spark.spark.checks import Checked, check_companies, check_products, check_usage, filter_where, write_quarantine
from hcf_spark.spark.draws import uniform
from hcf_spark.spark.filters import filter_sparse
from hcf_spark.spark.tables import Tables
from hcf_spark.spark.vocab import build_company_vocab, build_product_vocab, with_held_out

logger = logging.getLogger(__name__)

MATRIX_TABLES = ("company_vocab", "product_vocab", "company_product")
INPUT_TABLES = ("companies", "products", "usage")


@dataclass(frozen=True)
class MatrixReport:
    """What build_matrix did: sizes at each step, bad rows by table and rule, and versions of the tables it read."""

    build_id: str
    sizes: list[dict]
    quarantined: dict[str, dict[str, int]]
    input_versions: dict[str, int | None]

    def to_stamp(self) -> str:
        """The report as JSON, kept with the tables' commits."""
        return json.dumps(self.__dict__, sort_keys=True)

    @classmethod
    def from_stamp(cls, stamp: str) -> "MatrixReport":
        """The report that a stamp was made from."""
        return cls(**json.loads(stamp))


def build_matrix(tables: Tables, config: Config) -> MatrixReport:
    """Check the three input tables, and write vocabularies, matrix and quarantine; runs jobs.

    Filter and product vocabulary are made from training companies only; held-out companies keep their
    interactions with products of that vocabulary, for judging. ``split.train_share`` takes training companies away
    after that, so that the products are the same at every share.

    Raises:
        DataError: a table or column is missing, too many rows are bad, or the filter leaves nothing.
    """
    checked = read_checked(tables, config)
    versions = {name: tables.input_version(name) for name in INPUT_TABLES}
    limit = config.input.max_quarantined_share
    quarantined = {name: write_quarantine(tables, name, table, limit) for name, table in checked.items()}
    companies, products, usage = (checked[name].good for name in INPUT_TABLES)

    usage = usage.join(products.select("product_id"), "product_id", "left_semi").localCheckpoint()
    grouped = companies.select("company_id", F.col("company_id").alias("alike"))
    if config.split.keep_alike_together:
        grouped = with_alike(companies, usage, config.text.columns)
    held_out = with_held_out(grouped, config.split.cold_share, config.seed)
    interactions = usage.join(held_out.select("company_id", "held_out"), "company_id").localCheckpoint()
    kept, sizes = filter_sparse(interactions.where(~F.col("held_out")), config.filter)
    product_vocab = build_product_vocab(products, kept.select("product_id").distinct())
    if config.split.train_share < 1:
        kept = kept.where(uniform(config.seed, "trained on", F.col("company_id")) < config.split.train_share)
    vocab = build_company_vocab(held_out, kept.select("company_id").distinct())
    cells = kept.unionByName(interactions.where(F.col("held_out")))
    report = MatrixReport(_build_id(config, versions), [size.to_dict() for size in sizes], quarantined, versions)
    return _write(tables, report, vocab, product_vocab, cells)


def _write(
    tables: Tables, report: MatrixReport, company_vocab: DataFrame, product_vocab: DataFrame, cells: DataFrame
) -> MatrixReport:
    stamp = report.to_stamp()
    tables.overwrite("company_vocab", company_vocab, schemas.COMPANY_VOCAB, stamp)
    tables.overwrite("product_vocab", product_vocab, schemas.PRODUCT_VOCAB, stamp)
    company_idx = tables.read("company_vocab", "build_matrix").select("company_id", "company_idx")
    product_idx = tables.read("product_vocab", "build_matrix").select("product_id", "product_idx")
    matrix = cells.join(company_idx, "company_id").join(product_idx, "product_id")
    tables.overwrite("company_product", matrix, schemas.COMPANY_PRODUCT, stamp)
    return report


def read_checked(tables: Tables, config: Config) -> dict[str, Checked]:
    """The three input tables, chosen by the ``input.*_where`` conditions and checked; lazy.

    A pair is checked against all companies and products that the tables hold, chosen or not.

    Raises:
        ConfigError: a condition is no SQL on the table's columns.
        DataError: a table or column is missing.
    """
    raw = {name: tables.read(name, "you or load_tables") for name in INPUT_TABLES}
    chosen = {
        name: filter_where(frame, f"input.{name}_where", getattr(config.input, f"{name}_where"))
        for name, frame in raw.items()
    }
    checked = {"companies": check_companies(chosen["companies"]), "products": check_products(chosen["products"])}
    ids = (_ids(raw["companies"], "company_id"), _ids(raw["products"], "product_id"))
    return {**checked, "usage": check_usage(chosen["usage"], *ids, need_time=config.split.hide == "newest")}


def _ids(frame: DataFrame, key: str) -> DataFrame:
    return frame.select(F.col(key).cast("string").alias(key)).distinct()


def _build_id(config: Config, versions: dict[str, int | None]) -> str:
    settings = config.model_dump(
        include={"input": True, "filter": True, "split": True, "seed": True, "text": {"columns"}}
    )
    return hashlib.sha256(json.dumps([settings, versions], sort_keys=True).encode()).hexdigest()[:16]
