"""The reasons of recommendations, for the pairs that the tables hold."""

from collections.abc import Callable, Iterator
from dataclasses import asdict

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from hcf_spark.spark.score_blocks import load_package, read_blocks

_REASONS = "company_id string, product_id string, reasons array<struct<kind: string, name: string, share: float>>"


def build_reasons(pairs: DataFrame, rows: DataFrame, package: str) -> DataFrame:
    """Why the model gives each pair its score; lazy.

    Args:
        pairs: company_id, product_id; a pair may come twice.
        rows: of ``build_scoring_rows``.
        package: folder of the model package, seen by all nodes.

    Returns:
        company_id, product_id (unique), reasons: see ``hcf_spark.models.reasons.explain``.
    """
    asked = pairs.groupBy("company_id").agg(F.collect_set("product_id").alias("asked"))
    return rows.join(asked, "company_id").mapInPandas(make_reasons_fn(package), _REASONS)


def make_reasons_fn(package: str) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """Worker code: company_id, text, products, asked (product ids) in; company_id, product_id, reasons out."""

    def find(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        from hcf_spark.models.reasons import explain

        loaded = load_package(package)
        for block, companies, model in read_blocks(package, batches):
            asked = [loaded.product_index(ids) for ids in block["asked"]]
            found = explain(model, companies, asked, loaded.product_names)
            yield pd.DataFrame(
                {
                    "company_id": block["company_id"].to_numpy().repeat([len(ids) for ids in asked]),
                    "product_id": np.concatenate(block["asked"].to_numpy()),
                    "reasons": [[asdict(reason) for reason in reasons] for parts in found for reasons in parts],
                }
            )

    return find
