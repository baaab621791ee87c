"""One model judged on one holdout."""

from dataclasses import dataclass

import numpy as np

from hcf_spark.evaluation.blocks import ScoredHoldout, score_blocks
from hcf_spark.evaluation.cell_counts import count_cells
from hcf_spark.evaluation.company_metrics import company_auc_and_ap
from hcf_spark.evaluation.metrics import (
    CUTOFFS,
    average_precision,
    best_f1_threshold,
    macro_precision_recall_f1,
    micro_precision_recall_f1,
    ndcg_at_k,
    precision_at_k,
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
        summary: the means over companies of all of ``per_company``; auc, average_precision, precision, recall, f1
            (over all cells that are not known), precision_macro, recall_macro, f1_macro (means over products),
            threshold.
        per_company: recall_at_K, ndcg_at_K, precision_at_K for the cutoff and for ``CUTOFFS``, company_auc,
            company_average_precision (within each company), (B,) float64 in the holdout's order, for paired comparison
            of models.
        hits: (B,) int64, hidden cells at or above the threshold.
        predicted: (B,) int64, cells at or above the threshold.
        ranked: (B, min(largest K, P)) int64 products, best first, known ones after all others.
    """

    summary: dict[str, float]
    per_company: dict[str, np.ndarray]
    hits: np.ndarray
    predicted: np.ndarray
    ranked: np.ndarray


def evaluate(scored: ScoredHoldout, cutoff: int, threshold: float) -> Metrics:
    """Judge the ranking of the products for every company, and the scores.

    Args:
        cutoff: K of the ranking metrics, beside ``CUTOFFS``.
        threshold: cells with at least this score count as predicted.
    """
    hidden = scored.holdout.hidden
    cutoffs = dict.fromkeys((cutoff, *CUTOFFS))
    ranked, hidden_scores, within, predicted, predicted_by_product = [], [], [], [], 0
    for block, scores in scored:
        ranked.append(top_k(scores, max(cutoffs)))
        hidden_scores.append(scores[csr_rows(block.hidden), block.hidden.indices])
        within.append(company_auc_and_ap(scores, block.hidden))
        is_predicted = scores >= threshold
        predicted.append(np.count_nonzero(is_predicted, axis=1))
        predicted_by_product += np.count_nonzero(is_predicted, axis=0)
    ranked, hidden_scores = np.concatenate(ranked), np.concatenate(hidden_scores)
    company_auc, company_ap = np.concatenate(within, axis=1)
    per_company = {}
    for k in cutoffs:
        per_company[f"recall_at_{k}"] = recall_at_k(ranked[:, :k], hidden)
        per_company[f"ndcg_at_{k}"] = ndcg_at_k(ranked[:, :k], hidden)
        per_company[f"precision_at_{k}"] = precision_at_k(ranked[:, :k], hidden, k)
    per_company |= {"company_auc": company_auc, "company_average_precision": company_ap}
    counts = count_cells(hidden_scores, (scores for _, scores in scored))
    is_hit = hidden_scores >= threshold
    hits_by_product = np.bincount(hidden.indices[is_hit], minlength=hidden.shape[1])
    figures = (hits_by_product, predicted_by_product, np.bincount(hidden.indices, minlength=hidden.shape[1]))
    precision, recall, f1 = micro_precision_recall_f1(*figures)
    precision_macro, recall_macro, f1_macro = macro_precision_recall_f1(*figures)
    summary = {
        **{name: float(values.mean()) for name, values in per_company.items()},
        "auc": roc_auc(counts),
        "average_precision": average_precision(counts),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "precision_macro": precision_macro,
        "recall_macro": recall_macro,
        "f1_macro": f1_macro,
        "threshold": threshold,
    }
    hits = np.bincount(csr_rows(hidden)[is_hit], minlength=len(scored.holdout))
    return Metrics(summary, per_company, hits, np.concatenate(predicted), ranked)


def ndcg_and_threshold(model: Model, holdout: Holdout, cutoff: int) -> tuple[np.ndarray, float]:
    """What is chosen by on validation: NDCG@K, (B,) float64, and the score of the best F1 over all cells."""
    scored = ScoredHoldout.of(model, holdout)
    ranked, hidden_scores = [], []
    for block, scores in scored:
        ranked.append(top_k(scores, cutoff))
        hidden_scores.append(scores[csr_rows(block.hidden), block.hidden.indices])
    counts = count_cells(np.concatenate(hidden_scores), (scores for _, scores in scored))
    return ndcg_at_k(np.concatenate(ranked), holdout.hidden), best_f1_threshold(counts)


def company_ndcg(model: Model, holdout: Holdout, cutoff: int) -> np.ndarray:
    """NDCG@K alone, (B,) float64: what settings are chosen by."""
    ranked = np.concatenate([top_k(scores, cutoff) for _, scores in score_blocks(model, holdout)])
    return ndcg_at_k(ranked, holdout.hidden)


def mean_ndcg(model: Model, holdout: Holdout, cutoff: int) -> float:
    """Mean over companies of ``company_ndcg``."""
    return float(company_ndcg(model, holdout, cutoff).mean())
