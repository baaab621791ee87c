"""The reasons of recommendations, for the pairs that the tables hold."""

from collections.abc import Callable
from dataclasses import asdict

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from hcf_spark.spark.score_blocks import Batches, load_package, read_blocks

_EXPLAINED = """
    company_id string, product_ids array<string>,
    reasons array<array<struct<kind: string, name: string, share: float>>>, why array<string>
"""
_REASON = pa.struct([("kind", pa.string()), ("name", pa.string()), ("share", pa.float32())])


def build_reasons(pairs: DataFrame, rows: DataFrame, package: str) -> DataFrame:
    """Why the model gives each pair its score; lazy.

    Args:
        pairs: company_id, product_id; a pair may come twice.
        rows: of ``build_scoring_rows``.
        package: folder of the model package, seen by all nodes.

    Returns:
        company_id, product_id (unique), reasons: see ``hcf_spark.models.reasons.explain``, why: the same as a sentence.
    """
    asked = pairs.groupBy("company_id").agg(F.collect_set("product_id").alias("asked"))
    explained = rows.join(asked, "company_id").mapInArrow(make_reasons_fn(package), _EXPLAINED)
    cells = explained.select("company_id", F.explode(F.arrays_zip("product_ids", "reasons", "why")).alias("cell"))
    return cells.select("company_id", F.col("cell.product_ids").alias("product_id"), "cell.reasons", "cell.why")


def make_reasons_fn(package: str) -> Callable[[Batches], Batches]:
    """Worker code: company_id, text, texts, products, asked (product ids) in; as ``_EXPLAINED`` out."""

    def find(batches: Batches) -> Batches:
        from hcf_spark.models.reasons import explain
        from hcf_spark.models.wording import sentence

        loaded = load_package(package)
        for block, companies, model in read_blocks(package, batches):
            asked = [loaded.product_index(ids) for ids in block["asked"].to_pylist()]
            found = explain(model, companies, asked, loaded.product_names)
            reasons = [[[asdict(reason) for reason in reasons] for reasons in of_company] for of_company in found]
            why = [[sentence(reasons) for reasons in of_company] for of_company in found]
            columns = [
                block["company_id"],
                block["asked"],
                pa.array(reasons, pa.list_(pa.list_(_REASON))),
                pa.array(why, pa.list_(pa.string())),
            ]
            yield pa.RecordBatch.from_arrays(columns, ["company_id", "product_ids", "reasons", "why"])

    return find
