"""Facts for package and report, collected: bounded by the number of products or of training companies."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import functions as F

from hcf_spark.config import Config
from hcf_spark.spark.checks import check_companies, filter_where
from hcf_spark.spark.load import CSV
from hcf_spark.spark.tables import Tables


def look_up_dataset(tables: Tables) -> dict[str, int | float]:
    """companies, products, interactions and density of the filtered matrix, held-out companies included; runs a job."""
    row = tables.read("company_product", "build_matrix").agg(F.countDistinct("company_idx"), F.count(F.lit(1))).head()
    products = tables.read("product_vocab", "build_matrix").count()
    return {"companies": row[0], "products": products, "interactions": row[1], "density": row[1] / (row[0] * products)}


def look_up_products(tables: Tables) -> tuple[list[str], list[str]]:
    """Ids and names of the products by product_idx; a product without a name is called by its id. Collects."""
    vocab = tables.read("product_vocab", "build_matrix").select(
        "product_idx", "product_id", F.coalesce("name", "product_id").alias("name")
    )
    rows = vocab.toPandas().sort_values("product_idx")
    return rows["product_id"].tolist(), rows["name"].tolist()


def look_up_training_companies(tables: Tables, n_companies: int) -> list[str]:
    """Ids of the companies that are trained on, the first ``n_companies``, by company_idx. Collects."""
    vocab = (
        tables.read("company_vocab", "build_matrix")
        .where(F.col("company_idx") < n_companies)
        .select("company_idx", "company_id")
    )
    return vocab.toPandas().sort_values("company_idx")["company_id"].tolist()


def look_up_quarantine(tables: Tables, config: Config) -> dict[str, dict[str, int]]:
    """Rows set aside by source and rule, of the last run on each source; runs a job.

    Where the input is not read from CSV files, what an earlier run found in such files is left out.
    """
    rows = tables.read("quarantine", "build_matrix").groupBy("source_table", "rule").count()
    found: dict[str, dict[str, int]] = {}
    for row in rows.orderBy("source_table", "rule").collect():
        if config.input.source == "csv" or not row["source_table"].endswith(CSV):
            found.setdefault(row["source_table"], {})[row["rule"]] = row["count"]
    return found


def look_up_text(tables: Tables, encoder_id: str) -> dict[str, int | str]:
    """Texts, tokens and windows behind the vectors of one encoder; runs a job."""
    embeddings = tables.read("text_embeddings", "embed_companies").where(F.col("encoder_id") == encoder_id)
    companies = tables.read("company_vocab", "build_matrix")
    row = embeddings.agg(
        F.countDistinct("company_id"), F.count(F.lit(1)), F.sum("n_tokens"), F.sum("n_windows"), F.max("n_tokens")
    ).head()
    return {
        "companies with text": row[0],
        "companies without text": companies.join(embeddings, "company_id", "left_anti").count(),
        "texts": row[1],
        "tokens": row[2],
        "tokens of the longest text": row[4],
        "windows": row[3],
        "encoder": encoder_id,
    }


def look_up_companies(tables: Tables, index: np.ndarray, text_columns: Sequence[str]) -> list[dict[str, Any]]:
    """company_id, name and first text of a few companies, in the order of their company_idx. Collects."""
    vocab = tables.read("company_vocab", "build_matrix").where(F.col("company_idx").isin(index.tolist()))
    text = F.coalesce(*[F.col(f"`{column}`").cast("string") for column in text_columns])
    companies = tables.read("companies", "you or load_tables").select(
        F.col("company_id").cast("string").alias("company_id"), "name", text.alias("text")
    )
    found = {row["company_idx"]: row.asDict() for row in vocab.join(companies, "company_id").collect()}
    return [found[company] for company in index.tolist()]


def look_up_texts(tables: Tables, config: Config, company_ids: Sequence[str]) -> pd.DataFrame:
    """company_id and text columns of a few companies as they are encoded, in the order of their ids. Collects."""
    companies = tables.read("companies", "you or load_tables")
    good = check_companies(filter_where(companies, "input.companies_where", config.input.companies_where)).good
    texts = [F.col(f"`{column}`").cast("string").alias(column) for column in config.text.columns]
    found = good.where(F.col("company_id").isin(list(company_ids))).select("company_id", *texts).toPandas()
    return found.set_index("company_id").loc[list(company_ids)].reset_index()


def look_up_ids(tables: Tables, index: np.ndarray) -> list[str]:
    """Ids of a few companies, held-out ones too, in the order of their company_idx. Collects."""
    vocab = tables.read("company_vocab", "build_matrix").where(F.col("company_idx").isin(index.tolist()))
    found = {row["company_idx"]: row["company_id"] for row in vocab.collect()}
    return [found[company] for company in index.tolist()]
