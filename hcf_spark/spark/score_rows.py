"""What a company is scored by: the vector and the words of its texts and the products it uses."""

from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from hcf_spark.config import Config
from hcf_spark.errors import DataError
from hcf_spark.spark.export import with_text
from hcf_spark.spark.interactions import read_checked
from hcf_spark.spark.tables import Tables
from hcf_spark.spark.text_vectors import build_text_vectors
from hcf_spark.spark.texts import join_texts
from hcf_spark.text.sources import combined_sources

if TYPE_CHECKING:
    from hcf_spark.models.package import About


def build_scoring_rows(tables: Tables, config: Config, about: "About") -> DataFrame:
    """Every sound company with its text vector, its texts and the products it uses.

    Returns:
        company_id, text (D floats, zeros without text), texts (in one; null without), products (product ids,
        maybe none). Lazy.

    Raises:
        DataError: there are no text vectors by the model's encoder, or a text column of the model's is missing.
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
    texts = join_texts(checked["companies"].good, combined_sources(about.text_columns, about.text_combine))
    joined = companies.join(texts, "company_id", "left").join(used, "company_id", "left")
    nothing = F.array().cast("array<string>")  # Arrow's Java writer takes many times as long for a null list
    return joined.withColumn("products", F.coalesce("products", nothing))


def compare_inputs(rows: DataFrame, stored: DataFrame) -> DataFrame:
    """Which companies have to be scored, and which have gone; lazy.

    Args:
        rows: company_id, input_hash.
        stored: company_id, input_hash of the companies that were scored before.

    Returns:
        company_id (unique, of either), is_changed (new ones too), is_gone.
    """
    before = stored.select("company_id", F.col("input_hash").alias("hash_before"))
    is_gone = F.col("input_hash").isNull()
    return (
        rows.select("company_id", "input_hash")
        .join(before, "company_id", "full_outer")
        .select(
            "company_id",
            (~is_gone & ~F.col("input_hash").eqNullSafe(F.col("hash_before"))).alias("is_changed"),
            is_gone.alias("is_gone"),
        )
    )
