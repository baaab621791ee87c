"""Rankings in both directions and vectors of every company, by a model package, on the executors."""

import hashlib
import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W

from hcf_spark.config import Config
from hcf_spark.errors import DataError
from hcf_spark.spark import schemas
from hcf_spark.spark.score_blocks import COMPANY, PRODUCT, RANKED, load_package, make_score_fn
from hcf_spark.spark.score_reasons import build_reasons
from hcf_spark.spark.score_rows import build_scoring_rows, compare_inputs
from hcf_spark.spark.staging import Staging
from hcf_spark.spark.tables import Tables

if TYPE_CHECKING:
    from hcf_spark.models.package import About

logger = logging.getLogger(__name__)

VERSION = "model_version"
_TABLES = {  # the vectors first: the hashes beside them vouch for the other tables
    "company_embeddings": schemas.COMPANY_EMBEDDINGS,
    "company_scores": schemas.COMPANY_SCORES,
    "product_scores": schemas.PRODUCT_SCORES,
    "company_neighbours": schemas.COMPANY_NEIGHBOURS,
    "product_embeddings": schemas.PRODUCT_EMBEDDINGS,
}
_PRODUCTS_TRIED = 1_000


def score_companies(
    tables: Tables, config: Config, package: Path, about: "About", version: str, staging: Staging
) -> int:
    """Bring ``company_scores``, ``product_scores`` and ``company_embeddings`` up to date with a model; runs jobs.

    Only companies whose texts, text vector or products have changed since this version scored them are ranked products
    for again and get a new vector; those that are gone lose their rows. Companies of a product depend on all companies:
    where any has changed, all of them pass through the model once more for ``product_scores``, and reasons are worked
    out for what is new there. Where none has, nothing is written. A run that is killed is made up for by the next: the
    vectors, whose hashes say what is done, come last.

    Args:
        tables: the tables.
        config: settings.
        package: folder of the model package, seen by all nodes.
        about: what the model was made with.
        version: of the model, written beside each row; rows of other versions stay.
        staging: for what is read several times.

    Returns:
        How many companies were ranked products for.

    Raises:
        DataError: there are no text vectors by the model's encoder, or none of its products is in table ``products``.
    """
    _require_same_products(tables, package)
    if not all(tables.is_made_as(name, schema) for name, schema in _TABLES.items()):
        for name, schema in _TABLES.items():
            tables.make_empty(name, schema, VERSION)
    rows = build_scoring_rows(tables, config, about)
    rows = rows.withColumn("input_hash", F.xxhash64(F.lit(_identity(package, config)), "text", "texts", "products"))
    stored = tables.read("company_embeddings", "this job").where(F.col(VERSION) == version)
    with staging.keep(compare_inputs(rows, stored), "company_id") as compared:
        flags = [F.count_if(F.col(flag)).alias(flag) for flag in ("is_changed", "is_gone")]
        found = compared.agg(*flags).head()
        logger.info("%s companies new or changed, %s gone", f"{found.is_changed:,}", f"{found.is_gone:,}")
        if found.is_changed or found.is_gone:
            _update(tables, config, rows, compared, package, version, staging)
    return found.is_changed


def _require_same_products(tables: Tables, package: Path) -> None:
    known = load_package(str(package)).product_ids
    products = tables.read("products", "you or load_tables")
    if products.where(F.col("product_id").cast("string").isin(known[:_PRODUCTS_TRIED])).head() is None:
        raise DataError(
            f"none of the model's products ({', '.join(known[:5])}, ...) is in table products: "
            "it was trained on other data; run train_model on these, or set mlflow.model_name to their model"
        )


def _identity(package: Path, config: Config) -> str:
    """What the rows depend on beside the company: the model to the last byte, and what is asked of it."""
    files = []
    for path in sorted(path for path in package.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            files.append(hashlib.file_digest(file, "sha256").hexdigest())
    asked = config.score.model_dump(include={"top_k", "companies_per_product", "with_reasons"})
    return json.dumps([files, asked])


def _update(
    tables: Tables,
    config: Config,
    rows: DataFrame,
    compared: DataFrame,
    package: Path,
    version: str,
    staging: Staging,
) -> None:
    settings, part, pair = config.score, (VERSION, version), ["company_id", "product_id"]
    stamps = {VERSION: F.lit(version), "scored_at": F.lit(datetime.now(UTC))}
    with staging.keep(_rank(rows, compared, package, config), "direction") as ranked:
        done = ranked.where(F.col("direction") == COMPANY).withColumnRenamed("id", "company_id")
        touched = compared.where("is_changed or is_gone").select("company_id").join(done, "company_id", "left")
        there = tables.read("company_scores", "this job").where(F.col(VERSION) == version).agg(F.max("rank")).head()[0]
        scores = _best_products(touched, max(there or 0, settings.top_k))
        companies = _best_companies(ranked.where(F.col("direction") == PRODUCT), settings.companies_per_product)
        pairs = scores.select(pair).unionAll(companies.select(pair)).dropna().where(F.lit(settings.with_reasons))
        told = _reasons_told(tables, compared, version)
        told_now = build_reasons(pairs.join(told, pair, "left_anti"), rows, str(package))
        with staging.keep(told_now.unionByName(told), "company_id") as reasons:
            scores, companies = (ranks.join(reasons, pair, "left").withColumns(stamps) for ranks in (scores, companies))
            keys = ["company_id", "rank"]
            tables.merge_part("company_scores", scores, schemas.COMPANY_SCORES, part, keys, content="product_id")
            tables.replace_where("product_scores", companies, schemas.PRODUCT_SCORES, *part)
        vectors, keys = touched.withColumns(stamps), ["company_id"]
        tables.merge_part("company_embeddings", vectors, schemas.COMPANY_EMBEDDINGS, part, keys, content="embedding")


def _rank(rows: DataFrame, compared: DataFrame, package: Path, config: Config) -> DataFrame:
    settings = config.score
    wanted = compared.where(~F.col("is_gone") if settings.companies_per_product else "is_changed")
    return (
        rows.join(wanted.select("company_id", "is_changed"), "company_id")
        .sortWithinPartitions("company_id")
        .mapInArrow(make_score_fn(str(package), settings.top_k, settings.companies_per_product), RANKED)
    )


def _reasons_told(tables: Tables, compared: DataFrame, version: str) -> DataFrame:
    """company_id, product_id (unique), reasons, why: of ``product_scores``, where the company has not changed since."""
    same = compared.where("not is_changed and not is_gone").select("company_id")
    stored = tables.read("product_scores", "this job").where(F.col(VERSION) == version)
    return stored.select("company_id", "product_id", "reasons", "why").join(same, "company_id", "left_semi")


def _best_products(touched: DataFrame, size: int) -> DataFrame:
    """A row for each rank of a company that may be in the table, without a product where the list is shorter now."""
    ranks = touched.withColumn("rank", F.explode(F.sequence(F.lit(1), F.lit(size))))
    place = F.col("rank") - 1
    return ranks.select(
        "company_id", "rank", F.get("ids", place).alias("product_id"), F.get("scores", place).alias("score")
    )


def _best_companies(lists: DataFrame, size: int) -> DataFrame:
    """The best of the lists that each partition has made for a product; equal ones in the order of company_id."""
    cells = lists.select(F.col("id").alias("product_id"), F.explode(F.arrays_zip("ids", "scores", "ranked_by")))
    best_first = W.partitionBy("product_id").orderBy(F.desc("col.ranked_by"), "col.ids")
    ranks = cells.withColumn("rank", F.row_number().over(best_first)).where(F.col("rank") <= size)
    return ranks.select("product_id", F.col("col.ids").alias("company_id"), "rank", F.col("col.scores").alias("score"))


def keep_versions(tables: Tables, version: str, n_kept: int) -> None:
    """Delete the rows of all but the newest versions and this one from every table that names the version; runs jobs.

    Args:
        tables: the tables.
        version: that the tables are up to date with; kept, be it the newest or not.
        n_kept: versions that are kept, this one among them.
    """
    vectors = tables.read("company_embeddings", "score_companies")
    old = old_versions([row[0] for row in vectors.select(VERSION).distinct().collect()], version, n_kept)
    if old:
        for name in reversed(_TABLES):
            tables.delete_values(name, VERSION, old)
        logger.info("rows of model version %s deleted", ", ".join(old))


def old_versions(found: Sequence[str], version: str, n_kept: int) -> list[str]:
    """Those of the versions found that ``keep_versions`` deletes."""
    return sorted({*found} - {version}, key=int, reverse=True)[n_kept - 1 :]
