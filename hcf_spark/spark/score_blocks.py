"""The worker's side of scoring: blocks of companies through a model package, rankings in both directions out.

All of it on Arrow's own arrays: pandas would make a Python object of every number of a list.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from hcf_spark.models.base import Model
    from hcf_spark.models.companies import Companies
    from hcf_spark.models.package import ModelPackage
    from hcf_spark.models.running_top_k import RunningTopK

COMPANY, PRODUCT = "company", "product"
RANKED = """
    direction string, id string, ids array<string>, scores array<float>, ranked_by array<float>,
    input_hash bigint, embedding array<float>
"""
Batches = Iterator[pa.RecordBatch]

_COLUMNS = ["direction", "id", "ids", "scores", "ranked_by", "input_hash", "embedding"]
_ROWS = 512


def make_score_fn(package: str, top_k: int, companies_per_product: int) -> Callable[[Batches], Batches]:
    """Worker code: one pass over the companies of a partition.

    In: company_id, text, texts, products, input_hash, is_changed, by company_id, in whose order equal scores rank.

    Out, as ``RANKED``: for each changed company (direction ``company``) its best products, ids and scores best first,
    known ones left out, with its vector and input_hash; after the last of them, for each product (``product``) its best
    companies of this partition, changed or not, users left out, with their scores, ranked_by the model's
    ``score_for_products`` where it has one. So at most P ``companies_per_product`` cells are held from block to block.

    Args:
        package: folder of the model package.
        top_k: products for each company.
        companies_per_product: 0: the products get no rows.
    """

    def score(batches: Batches) -> Batches:
        from hcf_spark.models.both_ways import score_both_ways
        from hcf_spark.models.ranking import leave_out
        from hcf_spark.models.running_top_k import RunningTopK

        products = pa.array(load_package(package).product_ids)
        best = RunningTopK(len(products), companies_per_product) if companies_per_product else None
        seen = []
        for block, companies, model in read_blocks(package, batches):
            if best is None:
                scores = order = model.score(companies)
            else:
                scores, order = score_both_ways(model, companies)
            scores = leave_out(scores, companies.known)
            rows = np.flatnonzero(block["is_changed"].to_numpy(zero_copy_only=False))
            if len(rows) == len(block):
                yield _rank_products(block, scores, model.embed(companies), products, top_k)
            elif len(rows):
                vectors = model.embed(companies.take(rows))
                yield _rank_products(block.take(pa.array(rows)), scores[rows], vectors, products, top_k)
            if best is not None:
                order = scores if order is scores else leave_out(order, companies.known)
                best.add(order.T, scores.T)
                seen.append(block["company_id"])
        if seen:
            yield _rank_companies(best, products, pa.concat_arrays(seen))

    return score


def read_blocks(package: str, batches: Batches) -> Iterator[tuple[pa.RecordBatch, "Companies", "Model"]]:
    """Some rows of ``build_scoring_rows`` at a time, the same as the model takes them, and the model."""
    from hcf_spark.text.words import count_words

    loaded = load_package(package)
    for batch in batches:
        for start in range(0, len(batch), _ROWS):
            block = batch.slice(start, _ROWS)
            text = block["text"].flatten().to_numpy().reshape(len(block), -1)
            has_texts = block["texts"].null_count < len(block)
            words = count_words(texts or "" for texts in block["texts"].to_pylist()) if has_texts else None
            companies = loaded.companies(block["company_id"].to_pylist(), text, words, block["products"].to_pylist())
            yield block, companies, loaded.model


def _rank_products(
    block: pa.RecordBatch, scores: np.ndarray, vectors: np.ndarray, products: pa.Array, top_k: int
) -> pa.RecordBatch:
    from hcf_spark.models.ranking import best_products

    chosen, values = best_products(scores, top_k)
    allowed = values > -np.inf
    sizes = np.count_nonzero(allowed, axis=1)
    columns = [
        pa.array([COMPANY] * len(block)),
        block["company_id"],
        as_lists(products.take(pa.array(chosen[allowed])), sizes),
        as_lists(pa.array(values[allowed]), sizes),
        pa.nulls(len(block), pa.list_(pa.float32())),
        block["input_hash"],
        as_lists(pa.array(vectors.ravel()), [vectors.shape[1]] * len(block)),
    ]
    return pa.RecordBatch.from_arrays(columns, _COLUMNS)


def _rank_companies(best: "RunningTopK", products: pa.Array, companies: pa.Array) -> pa.RecordBatch:
    allowed = best.values > -np.inf
    sizes = np.count_nonzero(allowed, axis=1)
    columns = [
        pa.array([PRODUCT] * len(products)),
        products,
        as_lists(companies.take(pa.array(best.columns[allowed])), sizes),
        as_lists(pa.array(best.beside[allowed]), sizes),
        as_lists(pa.array(best.values[allowed]), sizes),
        pa.nulls(len(products), pa.int64()),
        pa.nulls(len(products), pa.list_(pa.float32())),
    ]
    return pa.RecordBatch.from_arrays(columns, _COLUMNS)


def as_lists(values: pa.Array, sizes: "np.ndarray | list[int]") -> pa.ListArray:
    """One list after the other, of these sizes."""
    return pa.ListArray.from_arrays(np.cumsum([0, *sizes], dtype=np.int32), values)


@lru_cache(maxsize=1)
def load_package(package: str) -> "ModelPackage":
    """The package of a folder; the last one is kept, so that a worker loads it once."""
    from hcf_spark.models.package import ModelPackage

    return ModelPackage.load(Path(package))
