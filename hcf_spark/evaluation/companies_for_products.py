"""The other direction: companies ranked for each product."""

from dataclasses import dataclass

import numpy as np

from hcf_spark.evaluation.blocks import ScoredHoldout
from hcf_spark.evaluation.metrics import ndcg_at_k, recall_at_k
from hcf_spark.models.ranking import top_k


@dataclass(frozen=True)
class ProductMetrics:
    """How well a model finds the companies of each product.

    Attributes:
        summary: products, how many were judged; recall_at_K and ndcg_at_K, means over them.
        per_product: recall_at_K and ndcg_at_K, (judged products,) float64, in product order.
    """

    summary: dict[str, float]
    per_product: dict[str, np.ndarray]


def evaluate_companies(scored: ScoredHoldout, cutoff: int) -> ProductMetrics:
    """Rank the judged companies for every product that at least one of them hides, by the product's column of scores.

    Companies that are known to use the product are left out; equal scores rank in the companies' order.

    Args:
        cutoff: K.
    """
    hidden = scored.holdout.hidden
    products = np.flatnonzero(hidden.getnnz(axis=0))
    best_scores = np.empty((len(products), 0), np.float32)
    best_companies = np.empty((len(products), 0), np.int64)
    first = 0
    for block, scores in scored:
        companies = np.arange(first, first + len(block))
        first += len(block)
        best_scores = np.hstack([best_scores, scores[:, products].T])
        best_companies = np.hstack([best_companies, np.broadcast_to(companies, (len(products), len(companies)))])
        best = top_k(best_scores, cutoff)
        best_scores = np.take_along_axis(best_scores, best, axis=1)
        best_companies = np.take_along_axis(best_companies, best, axis=1)
    users = hidden.T.tocsr()[products]
    per_product = {
        f"recall_at_{cutoff}": recall_at_k(best_companies, users),
        f"ndcg_at_{cutoff}": ndcg_at_k(best_companies, users),
    }
    means = {name: float(values.mean()) for name, values in per_product.items()}
    return ProductMetrics({"products": len(products), **means}, per_product)
