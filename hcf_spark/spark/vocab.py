"""Vocabularies: the user's string ids to dense integers from 0."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W

from hcf_spark.spark.draws import uniform

_BUCKETS = 256


def with_held_out(companies: DataFrame, cold_share: float, seed: int) -> DataFrame:
    """Say of each company whether it is held out of filter, vocabulary and training.

    Args:
        companies: company_id (distinct), alike (the company_id of one of its group, which all share one draw).
        cold_share: share of groups held out, drawn by seed.
        seed: of the draw.

    Returns:
        company_id, alike, held_out. Lazy.
    """
    drawn = uniform(seed, "held out", F.col("alike")) < cold_share
    return companies.select("company_id", "alike", drawn.alias("held_out"))


def build_company_vocab(companies: DataFrame, kept: DataFrame) -> DataFrame:
    """Every company with its index.

    The companies that are trained on come first, so that 0 .. (their number - 1) are theirs; then those whose
    interactions the filter dropped or that have none; last the ones held out.

    Args:
        companies: company_id (distinct), held_out, alike.
        kept: company_id of the training companies that the filter left, distinct.

    Returns:
        company_id, company_idx, held_out, alike. Lazy.
    """
    marked = companies.join(kept.select("company_id", F.lit(0).alias("_trained")), "company_id", "left")
    group = F.when(F.col("held_out"), 2).otherwise(F.coalesce("_trained", F.lit(1)))
    return with_dense_index(marked, "company_id", "company_idx", group).select(
        "company_id", "company_idx", "held_out", "alike"
    )


def build_product_vocab(products: DataFrame, kept: DataFrame) -> DataFrame:
    """Products that the filter kept, with their index.

    Args:
        products: product_id, name, category.
        kept: product_id, distinct.

    Returns:
        product_id, product_idx, name, category. Lazy.
    """
    vocab = products.join(kept, "product_id", "left_semi")
    return with_dense_index(vocab, "product_id", "product_idx", F.lit(0)).select(
        "product_id", "product_idx", "name", "category"
    )


def with_dense_index(frame: DataFrame, key: str, index: str, group: Column) -> DataFrame:
    """Add ``index``, 0 .. n-1 without gaps, ordered by ``group``, then by a hash of ``key``.

    Rows are numbered inside hash buckets and the buckets' offsets added, so that no single task sees all rows.

    Args:
        frame: ``key`` distinct.
        key: string column.
        index: name of the new column (long).
        group: integer column expression; lower groups come first.

    Returns:
        The frame with ``index``. Lazy.
    """
    bucket = F.pmod(F.xxhash64(key), F.lit(_BUCKETS))
    placed = frame.withColumn("_bucket", group * _BUCKETS + bucket)
    sizes = placed.groupBy("_bucket").agg(F.count(F.lit(1)).alias("_size"))
    before = W.partitionBy(F.lit(0)).orderBy("_bucket").rowsBetween(W.unboundedPreceding, -1)
    offsets = sizes.select("_bucket", F.coalesce(F.sum("_size").over(before), F.lit(0)).alias("_offset"))
    position = F.row_number().over(W.partitionBy("_bucket").orderBy(F.xxhash64(key), key)) - 1
    numbered = placed.withColumn("_position", position).join(F.broadcast(offsets), "_bucket")
    return numbered.withColumn(index, (F.col("_offset") + F.col("_position")).cast("long")).drop(
        "_bucket", "_offset", "_position"
    )
