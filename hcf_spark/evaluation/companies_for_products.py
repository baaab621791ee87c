"""The other direction: companies ranked for each product."""

from dataclasses import dataclass

import numpy as np

from hcf_spark.evaluation.blocks import ScoredHoldout
from hcf_spark.evaluation.metrics import CUTOFFS, ndcg_at_k, precision_at_k, recall_at_k
from hcf_spark.models.ranking import top_k


@dataclass(frozen=True)
class ProductMetrics:
    """How well a model finds the companies of each product.

    Attributes:
        summary: products, how many were judged; the means over them of all of ``per_product``.
        per_product: recall_at_K, ndcg_at_K, precision_at_K for the cutoff and for ``CUTOFFS``, (judged products,)
            float64, in product order.
    """

    summary: dict[str, float]
    per_product: dict[str, np.ndarray]


def evaluate_companies(scored: ScoredHoldout, cutoff: int) -> ProductMetrics:
    """Rank the judged companies for every product that at least one of them hides, by the product's column of scores.

    Companies that are known to use the product are left out; equal scores rank in the companies' order.

    Args:
        cutoff: K, beside ``CUTOFFS``.
    """
    hidden = scored.holdout.hidden
    cutoffs = dict.fromkeys((cutoff, *CUTOFFS))
    products = np.flatnonzero(hidden.getnnz(axis=0))
    best_scores = np.empty((len(products), 0), np.float32)
    best_companies = np.empty((len(products), 0), np.int64)
    first = 0
    for block, scores in scored:
        companies = np.arange(first, first + len(block))
        first += len(block)
        best_scores = np.hstack([best_scores, scores[:, products].T])
        best_companies = np.hstack([best_companies, np.broadcast_to(companies, (len(products), len(companies)))])
        best = top_k(best_scores, max(cutoffs))
        best_scores = np.take_along_axis(best_scores, best, axis=1)
        best_companies = np.take_along_axis(best_companies, best, axis=1)
    users = hidden.T.tocsr()[products]
    per_product = {}
    for k in cutoffs:
        per_product[f"recall_at_{k}"] = recall_at_k(best_companies[:, :k], users)
        per_product[f"ndcg_at_{k}"] = ndcg_at_k(best_companies[:, :k], users)
        per_product[f"precision_at_{k}"] = precision_at_k(best_companies[:, :k], users, k)
    means = {name: float(values.mean()) for name, values in per_product.items()}
    return ProductMetrics({"products": len(products), **means}, per_product)
