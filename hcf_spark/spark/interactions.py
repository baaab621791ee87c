"""From checked tables to the matrix: vocabularies and (company_idx, product_idx, weight)."""

import hashlib
import json
import logging
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from hcf_spark.config import Config
from hcf_spark.errors import DataError
from hcf_spark.spark import schemas
from hcf_spark.spark.checks import check_companies, check_products, check_usage, filter_where, write_quarantine
from hcf_spark.spark.filters import filter_sparse
from hcf_spark.spark.tables import Tables
from hcf_spark.spark.vocab import build_company_vocab, build_product_vocab

logger = logging.getLogger(__name__)

MATRIX_TABLES = ("company_vocab", "product_vocab", "company_product")
_INPUTS = ("companies", "products", "usage")


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
    interactions with products of that vocabulary, for judging.

    Raises:
        DataError: a table or column is missing, too many rows are bad, or the filter leaves nothing.
    """
    raw = {name: tables.read(name, "you or load_tables") for name in _INPUTS}
    versions = {name: tables.input_version(name) for name in _INPUTS}
    quarantined = {}

    chosen = {
        name: filter_where(raw[name], f"input.{name}_where", getattr(config.input, f"{name}_where")) for name in _INPUTS
    }
    companies = check_companies(chosen["companies"])
    products = check_products(chosen["products"])
    usage = check_usage(chosen["usage"], _ids(raw["companies"], "company_id"), _ids(raw["products"], "product_id"))
    for name, checked in (("companies", companies), ("products", products), ("usage", usage)):
        n_rows = chosen[name].count()
        quarantined[name] = write_quarantine(tables, name, checked.bad, n_rows, config.input.max_quarantined_share)
        if n_rows == sum(quarantined[name].values()):
            raise DataError(f"table {name} has no sound row of {n_rows}: check it, and input.{name}_where if that is set")

    vocab = build_company_vocab(companies.good, config.split.cold_share, config.seed)
    interactions = (
        usage.good.join(products.good.select("product_id"), "product_id", "left_semi")
        .join(vocab.select("company_id", "held_out"), "company_id")
        .localCheckpoint()
    )
    kept, sizes = filter_sparse(interactions.where(~F.col("held_out")), config.filter)
    product_vocab = build_product_vocab(products.good, kept.select("product_id").distinct())
    cells = kept.unionByName(interactions.where(F.col("held_out")))
    report = MatrixReport(
        _build_id(config, versions), [size.to_dict() for size in sizes], quarantined, versions
    )
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


def _ids(frame: DataFrame, key: str) -> DataFrame:
    return frame.select(F.col(key).cast("string").alias(key)).distinct()


def _build_id(config: Config, versions: dict[str, int | None]) -> str:
    settings = config.model_dump(include={"input", "filter", "split", "seed"})
    return hashlib.sha256(json.dumps([settings, versions], sort_keys=True).encode()).hexdigest()[:16]
