"""Companies that are copies of one another, such as the branches of one firm: equal hashes tell, not comparisons."""

from collections.abc import Sequence
from math import ceil

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W

_LEAST_CHARACTERS = 40
_LEAST_PRODUCTS = 3
_LARGEST_SHARE = 0.01


def with_alike(companies: DataFrame, usage: DataFrame, text_columns: Sequence[str]) -> DataFrame:
    """Say of each company which group of copies it is in, so that a split need not tear it apart.

    Two companies are copies if all their texts are the same but for case and white space, and 40 characters long at
    least, or if they use the same three products or more; copies of copies are too. What more than 1% of the companies
    share (two of them always may) is taken for boilerplate, or for products that everyone has.

    Runs jobs: groups are joined along their shared hashes until nothing changes, and the lineage of each round is cut
    by a local checkpoint. Only companies that share a hash take part.

    Args:
        companies: company_id (distinct) and the text columns; one that is missing is passed over.
        usage: company_id, product_id, distinct pairs.
        text_columns: names of the text columns.

    Returns:
        company_id, alike (the least company_id of the group; its own where it has no copy).
    """
    keys = _text_keys(companies, text_columns).unionByName(_product_keys(usage))
    most = max(2, ceil(_LARGEST_SHARE * companies.count()))
    n_sharing = F.count(F.lit(1)).over(W.partitionBy("key"))
    shared = keys.withColumn("_n", n_sharing).where(F.col("_n").between(2, most)).drop("_n")
    groups = shared.withColumn("alike", F.col("company_id")).localCheckpoint()
    while not groups.isEmpty():
        joined = groups.withColumn("_least", F.min("alike").over(W.partitionBy("key")))
        joined = joined.withColumn("_least", F.min("_least").over(W.partitionBy("company_id"))).localCheckpoint()
        groups = joined.select("company_id", "key", F.col("_least").alias("alike"))
        if joined.where(F.col("_least") != F.col("alike")).isEmpty():
            break
    found = groups.select("company_id", "alike").distinct()
    return companies.join(found, "company_id", "left").select(
        "company_id", F.coalesce("alike", "company_id").alias("alike")
    )


def _text_keys(companies: DataFrame, columns: Sequence[str]) -> DataFrame:
    there = [column for column in columns if column in companies.columns]
    texts = [F.col("`" + column.replace("`", "``") + "`").cast("string") for column in there]
    text = F.trim(F.regexp_replace(F.lower(F.concat_ws("\n", *texts)), r"\s+", " "))
    rows = companies.select("company_id", text.alias("_text")).where(F.length("_text") >= _LEAST_CHARACTERS)
    return rows.select("company_id", F.xxhash64(F.lit("text"), "_text").alias("key"))


def _product_keys(usage: DataFrame) -> DataFrame:
    products = F.sort_array(F.collect_list("product_id")).alias("_products")
    rows = usage.groupBy("company_id").agg(products).where(F.size("_products") >= _LEAST_PRODUCTS)
    return rows.select("company_id", F.xxhash64(F.lit("products"), "_products").alias("key"))
