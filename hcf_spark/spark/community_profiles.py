"""What each community is about: its products, its words, and the groups its companies are of."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from hcf_spark.communities.agreement import Agreement, compare_with_groups
from hcf_spark.config import Config
from hcf_spark.spark import schemas
from hcf_spark.spark.interactions import INPUT_TABLES, Checked
from hcf_spark.spark.tables import Tables
from hcf_spark.spark.terms import build_top_terms, build_words

Profile = dict[str, Any]


def write_profiles(
    tables: Tables, config: Config, checked: dict[str, Checked], version: str
) -> tuple[list[Profile], dict[str, Agreement]]:
    """Write ``communities``, a row for each community of ``company_communities``; runs jobs.

    Args:
        tables: the tables.
        config: settings.
        checked: the input tables.
        version: of the model.

    Returns:
        The rows, and by group column that is there how far the communities repeat its groups.
    """
    communities = tables.read("company_communities", "find_communities")
    companies, products, usage = (checked[name].good for name in INPUT_TABLES)
    sizes = {row["community"]: row["size"] for row in communities.select("community", "size").distinct().collect()}
    names = products.select(F.col("product_id").alias("term"), F.coalesce("name", "product_id").alias("name"))
    used = usage.select("company_id", F.col("product_id").alias("term"))
    top_k, n_companies = config.communities.top_k, sum(sizes.values())
    top_products = build_top_terms(used, communities, n_companies, top_k).join(names, "term").collect()
    words = build_words(companies, config.text.columns)
    top_words = build_top_terms(words, communities, n_companies, top_k).collect()
    agreement = {
        column: compare_with_groups(*counted)
        for column in config.communities.group_columns
        if (counted := _count_groups(communities, companies, column, max(sizes) + 1))
    }
    profiles = [
        {
            "community": community,
            "size": sizes[community],
            "products": _list_terms(top_products, community, product_id="term", name="name"),
            "words": _list_terms(top_words, community, word="term"),
            "groups": [
                {"column": column, "value": found.largest[community][0], "share": found.largest[community][1]}
                for column, found in agreement.items()
                if found.largest[community] is not None
            ],
            "model_version": version,
        }
        for community in sorted(sizes)
    ]
    frame = communities.sparkSession.createDataFrame(profiles, schemas.COMMUNITIES)
    tables.overwrite("communities", frame, schemas.COMMUNITIES)
    return profiles, agreement


def _list_terms(rows: Sequence[Row], community: int, **names: str) -> list[dict[str, Any]]:
    """The terms of one community, the best first, with the columns that ``names`` gives in its order."""
    own = sorted((row for row in rows if row["community"] == community), key=lambda row: row["rank"])
    columns = {**names, "share": "share", "lift": "lift"}
    return [{name: row[column] for name, column in columns.items()} for row in own]


def _count_groups(
    communities: DataFrame, companies: DataFrame, column: str, n_communities: int
) -> tuple[np.ndarray, list[str]] | None:
    """Companies of each community in each group, and the groups; None where the column is missing or empty."""
    if column not in companies.columns:
        return None
    value = F.col(f"`{column}`").cast("string").alias("value")
    known = communities.join(companies.select("company_id", value), "company_id").where(F.col("value").isNotNull())
    counted = known.groupBy("community", "value").agg(F.count("*").alias("n")).toPandas()
    if counted.empty:
        return None
    table = counted.pivot_table(index="community", columns="value", values="n", fill_value=0, aggfunc="sum")
    table = table.reindex(range(n_communities), fill_value=0)
    return table.to_numpy().astype(int), table.columns.tolist()
