"""The test in slices: by how much is known of a company, and by how widely the hidden products are used."""

import numpy as np
import scipy.sparse as sp

from hcf_spark.evaluation.metrics import ndcg_at_k, recall_at_k
from hcf_spark.models.companies import Companies, Holdout

Slices = dict[str, dict[str, float]]

KNOWN_PRODUCTS = {"1-2": 1, "3-5": 3, "6-10": 6, "11-20": 11, "21-50": 21, "51+": 51}
POPULARITY = ("head", "torso", "tail")


def slice_ranking(ranked: np.ndarray, holdout: Holdout, train: Companies, cutoff: int) -> dict[str, Slices]:
    """Recall@K, NDCG@K and the number of companies in each slice that is not empty.

    - known_products: companies by their number of known products;
    - popularity: only hidden products of the slice are to be found, among all products; companies with at least one.

    Args:
        ranked: (B, at least min(K, P)) product indices, from ``top_k``.
        holdout: the companies they were ranked for.
        train: the companies the model was fitted on.
        cutoff: K.
    """
    ranked = ranked[:, :cutoff]
    n_known = holdout.companies.known.getnnz(axis=1)
    by_known = np.searchsorted(list(KNOWN_PRODUCTS.values()), n_known, side="right") - 1
    by_product = popularity_slices(train)
    return {
        "known_products": {
            name: _figures(ranked[by_known == number], holdout.hidden[by_known == number], cutoff)
            for number, name in enumerate(KNOWN_PRODUCTS)
            if (by_known == number).any()
        },
        "popularity": {
            name: figures
            for number, name in enumerate(POPULARITY)
            if (figures := _figures(ranked, _only(holdout.hidden, by_product == number), cutoff))["companies"]
        },
    }


def popularity_slices(train: Companies) -> np.ndarray:
    """(P,) int64, the place in ``POPULARITY`` of each product: most used first, a third of all interactions each."""
    counts = train.known.getnnz(axis=0)
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    slices = np.empty(len(counts), np.int64)
    slices[order] = np.minimum(3 * before // max(counts.sum(), 1), 2)
    return slices


def _only(hidden: sp.csr_matrix, products: np.ndarray) -> sp.csr_matrix:
    kept = hidden.multiply(products.astype(np.float32)).tocsr()
    kept.eliminate_zeros()
    return kept


def _figures(ranked: np.ndarray, hidden: sp.csr_matrix, cutoff: int) -> dict[str, float]:
    rows = np.flatnonzero(hidden.getnnz(axis=1))
    if not len(rows):
        return {"companies": 0}
    ranked, hidden = ranked[rows], hidden[rows]
    return {
        "companies": len(rows),
        f"recall_at_{cutoff}": float(recall_at_k(ranked, hidden).mean()),
        f"ndcg_at_{cutoff}": float(ndcg_at_k(ranked, hidden).mean()),
    }
