"""One model judged on one holdout."""

from dataclasses import dataclass

import numpy as np

from hcf_spark.evaluation.blocks import score_blocks
from hcf_spark.evaluation.metrics import (
    average_precision,
    best_f1_threshold,
    count_cells,
    macro_precision_recall_f1,
    micro_precision_recall_f1,
    ndcg_at_k,
    recall_at_k,
    roc_auc,
)
from hcf_spark.models.base import Model
from hcf_spark.models.companies import Holdout
from hcf_spark.models.ranking import csr_rows, top_k


@dataclass(frozen=True)
class Metrics:
    """How well a model does on a holdout.

    Attributes:
        summary: recall_at_K, ndcg_at_K (means over companies), auc, average_precision, precision, recall (over all
            cells that are not known), precision_macro, recall_macro (means over products), threshold.
        per_company: recall_at_K and ndcg_at_K, (B,) float64 in the holdout's order, for paired comparison of models.
    """

    summary: dict[str, float]
    per_company: dict[str, np.ndarray]


def evaluate(model: Model, holdout: Holdout, cutoff: int, threshold: float | None = None) -> Metrics:
    """Rank all products for every company and judge the ranking and the scores.

    Scores are computed block by block, three times, and never held all at once.

    Args:
        cutoff: K of the ranking metrics.
        threshold: cells with at least this score count as predicted; None (for validation): the one of the best F1 on
            this very holdout.

    Raises:
        TrainingError: the model gives a score that is not finite.
    """
    ranked, hidden_scores = [], []
    for block, scores in score_blocks(model, holdout):
        ranked.append(top_k(scores, cutoff))
        hidden_scores.append(scores[csr_rows(block.hidden), block.hidden.indices])
    ranked, hidden_scores = np.concatenate(ranked), np.concatenate(hidden_scores)
    per_company = {
        f"recall_at_{cutoff}": recall_at_k(ranked, holdout.hidden),
        f"ndcg_at_{cutoff}": ndcg_at_k(ranked, holdout.hidden),
    }
    counts = count_cells(hidden_scores, (scores for _, scores in score_blocks(model, holdout)))
    if threshold is None:
        threshold = best_f1_threshold(counts)
    predicted = sum((scores >= threshold).sum(axis=0) for _, scores in score_blocks(model, holdout))
    products, n_products = holdout.hidden.indices, holdout.hidden.shape[1]
    hits = np.bincount(products[hidden_scores >= threshold], minlength=n_products)
    hidden = np.bincount(products, minlength=n_products)
    precision, recall, _ = micro_precision_recall_f1(hits, predicted, hidden)
    precision_macro, recall_macro, _ = macro_precision_recall_f1(hits, predicted, hidden)
    summary = {
        **{name: float(values.mean()) for name, values in per_company.items()},
        "auc": roc_auc(counts),
        "average_precision": average_precision(counts),
        "precision": precision,
        "recall": recall,
        "precision_macro": precision_macro,
        "recall_macro": recall_macro,
        "threshold": threshold,
    }
    return Metrics(summary, per_company)


def company_ndcg(model: Model, holdout: Holdout, cutoff: int) -> np.ndarray:
    """NDCG@K alone, (B,) float64: what settings are chosen by."""
    ranked = np.concatenate([top_k(scores, cutoff) for _, scores in score_blocks(model, holdout)])
    return ndcg_at_k(ranked, holdout.hidden)


def mean_ndcg(model: Model, holdout: Holdout, cutoff: int) -> float:
    """Mean over companies of ``company_ndcg``."""
    return float(company_ndcg(model, holdout, cutoff).mean())
