"""The worker's side of scoring: blocks of companies through a model package, rankings in both directions out."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from hcf_spark.models.base import Model
    from hcf_spark.models.companies import Companies
    from hcf_spark.models.package import ModelPackage
    from hcf_spark.models.running_top_k import RunningTopK

COMPANY, PRODUCT = "company", "product"
RANKED = (
    "direction string, id string, ids array<string>, scores array<float>, input_hash bigint, embedding array<float>"
)

_ROWS = 512


def make_score_fn(
    package: str, top_k: int, companies_per_product: int
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """Worker code: one pass over the companies of a partition.

    In: company_id, text, products, input_hash, is_changed, in the order of company_id, by which equal scores rank.

    Out, as ``RANKED``: for each changed company (direction ``company``) its best products, ids and scores best first,
    known ones left out, with its vector and input_hash; after the last of them, for each product (``product``) its best
    companies of this partition, changed or not, users left out, by the model's ``score_for_products`` where it has one.
    So at most P ``companies_per_product`` cells are held from block to block.

    Args:
        package: folder of the model package.
        top_k: products for each company.
        companies_per_product: 0: the products get no rows.
    """

    def score(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        from hcf_spark.models.base import ScoresForProducts
        from hcf_spark.models.ranking import leave_out
        from hcf_spark.models.running_top_k import RunningTopK

        products = np.array(load_package(package).product_ids, object)
        best = RunningTopK(len(products), companies_per_product) if companies_per_product else None
        seen: list[str] = []
        for block, companies, model in read_blocks(package, batches):
            scores = leave_out(model.score(companies), companies.known)
            rows = np.flatnonzero(block["is_changed"])
            if len(rows):
                yield _rank_products(block.iloc[rows], scores[rows], model.embed(companies.take(rows)), products, top_k)
            if best is not None:
                if isinstance(model, ScoresForProducts):
                    scores = leave_out(model.score_for_products(companies), companies.known)
                best.add(scores.T)
                seen.extend(block["company_id"])
        if best is not None and seen:
            yield _rank_companies(best, products, np.array(seen, object))

    return score


def read_blocks(package: str, batches: Iterator[pd.DataFrame]) -> Iterator[tuple[pd.DataFrame, "Companies", "Model"]]:
    """Some rows of ``build_scoring_rows`` at a time, the same as the model takes them, and the model."""
    loaded = load_package(package)
    for batch in batches:
        for start in range(0, len(batch), _ROWS):
            block = batch.iloc[start : start + _ROWS]
            text = np.stack(block["text"].to_numpy()).astype(np.float32)
            companies = loaded.companies(block["company_id"].tolist(), text, block["products"].tolist())
            yield block, companies, loaded.model


def _rank_products(
    block: pd.DataFrame, scores: np.ndarray, vectors: np.ndarray, products: np.ndarray, top_k: int
) -> pd.DataFrame:
    from hcf_spark.models.ranking import best_products

    best = best_products(scores, top_k)
    return pd.DataFrame(
        {
            "direction": COMPANY,
            "id": block["company_id"].to_numpy(),
            "ids": [products[chosen] for chosen, _ in best],
            "scores": [values for _, values in best],
            "input_hash": block["input_hash"].to_numpy(),
            "embedding": list(vectors),
        }
    )


def _rank_companies(best: "RunningTopK", products: np.ndarray, companies: np.ndarray) -> pd.DataFrame:
    allowed = best.values > -np.inf
    return pd.DataFrame(
        {
            "direction": PRODUCT,
            "id": products,
            "ids": [companies[row[keep]] for row, keep in zip(best.columns, allowed, strict=True)],
            "scores": [row[keep] for row, keep in zip(best.values, allowed, strict=True)],
            "input_hash": None,
            "embedding": None,
        }
    )


@lru_cache(maxsize=1)
def load_package(package: str) -> "ModelPackage":
    """The package of a folder; the last one is kept, so that a worker loads it once."""
    from hcf_spark.models.package import ModelPackage

    return ModelPackage.load(Path(package))
