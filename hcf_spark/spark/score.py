"""Top-K products and vectors of every company, by a model package, on the executors."""

import logging
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from hcf_spark.config import Config
from hcf_spark.errors import DataError
from hcf_spark.spark import schemas
from hcf_spark.spark.export import with_text
from hcf_spark.spark.interactions import read_checked
from hcf_spark.spark.tables import Tables
from hcf_spark.spark.text_vectors import build_text_vectors

if TYPE_CHECKING:
    from hcf_spark.models.companies import Companies
    from hcf_spark.models.package import About, ModelPackage

logger = logging.getLogger(__name__)

_ROWS = 512
_PRODUCTS_TRIED = 1_000


def score_companies(tables: Tables, config: Config, package: Path, about: "About", version: str) -> None:
    """Write ``company_scores`` and ``company_embeddings`` for every company, known products left out; runs jobs.

    Args:
        tables: the tables.
        config: settings.
        package: folder of the model package, seen by all nodes.
        about: what the model was made with.
        version: of the model, written beside each row.

    Raises:
        DataError: there are no text vectors by the model's encoder.
    """
    _require_same_products(tables, package)
    rows = build_scoring_rows(tables, config, about)
    scores = rows.mapInPandas(
        make_score_fn(str(package), config.score.top_k), "company_id string, product_id string, rank int, score float"
    )
    stamped = scores.withColumn("model_version", F.lit(version)).withColumn("scored_at", F.current_timestamp())
    tables.overwrite("company_scores", stamped, schemas.COMPANY_SCORES)
    vectors = rows.mapInPandas(make_embed_fn(str(package)), "company_id string, embedding array<float>")
    tables.overwrite(
        "company_embeddings", vectors.withColumn("model_version", F.lit(version)), schemas.COMPANY_EMBEDDINGS
    )


def _require_same_products(tables: Tables, package: Path) -> None:
    known = _load(str(package)).product_ids
    products = tables.read("products", "you or load_tables")
    if products.where(F.col("product_id").cast("string").isin(known[:_PRODUCTS_TRIED])).head() is None:
        raise DataError(
            f"none of the model's products ({', '.join(known[:5])}, ...) is in table products: "
            "it was trained on other data; run train_model on these, or set mlflow.model_name to their model"
        )


def build_scoring_rows(tables: Tables, config: Config, about: "About") -> DataFrame:
    """Every sound company with its text vector and the products it uses.

    Returns:
        company_id, text (D floats, zeros without text), products (product ids). Lazy.

    Raises:
        DataError: there are no text vectors by the model's encoder.
    """
    embeddings = tables.read("text_embeddings", "embed_companies").where(F.col("encoder_id") == about.encoder_id)
    first = embeddings.select(F.size("embedding")).head()
    if first is None:
        raise DataError(
            f"table text_embeddings has no vector by the model's encoder {about.encoder_id}: "
            "run embed_companies with its settings"
        )
    checked = read_checked(tables, config)
    vectors = build_text_vectors(embeddings, about.encoder_id, about.text_columns, about.text_combine, first[0])
    companies = with_text(checked["companies"].good.select("company_id"), vectors, about.text_dimension)
    used = checked["usage"].good.groupBy("company_id").agg(F.sort_array(F.collect_list("product_id")).alias("products"))
    return companies.join(used, "company_id", "left")


def make_score_fn(package: str, top_k: int) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """Worker code: rows of ``build_scoring_rows`` in, (company_id, product_id, rank from 1, score) out."""

    def score(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        from hcf_spark.models.ranking import recommend

        for block, companies, loaded in _blocks(package, batches):
            best = recommend(loaded.model.score(companies), companies.known, top_k)
            sizes = [len(products) for products, _ in best]
            names = np.array(loaded.product_ids, object)
            yield pd.DataFrame(
                {
                    "company_id": np.repeat(block["company_id"].to_numpy(), sizes),
                    "product_id": np.concatenate([names[products] for products, _ in best]),
                    "rank": np.concatenate([np.arange(1, size + 1, dtype=np.int32) for size in sizes]),
                    "score": np.concatenate([scores for _, scores in best]),
                }
            )

    return score


def make_embed_fn(package: str) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """Worker code: rows of ``build_scoring_rows`` in, (company_id, embedding) out."""

    def embed(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for block, companies, loaded in _blocks(package, batches):
            yield pd.DataFrame({"company_id": block["company_id"], "embedding": list(loaded.model.embed(companies))})

    return embed


def _blocks(
    package: str, batches: Iterator[pd.DataFrame]
) -> Iterator[tuple[pd.DataFrame, "Companies", "ModelPackage"]]:
    loaded = None
    for batch in batches:
        loaded = loaded or _load(package)
        for start in range(0, len(batch), _ROWS):
            block = batch.iloc[start : start + _ROWS]
            text = np.stack(block["text"].to_numpy()).astype(np.float32)
            yield block, loaded.companies(block["company_id"].tolist(), text, block["products"].tolist()), loaded


@cache
def _load(package: str) -> "ModelPackage":
    from hcf_spark.models.package import ModelPackage

    return ModelPackage.load(Path(package))
