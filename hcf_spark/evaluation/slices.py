"""The test in slices: by how much is known of a company, and by how widely the hidden products are used."""

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp

from hcf_spark.evaluation.metrics import ndcg_at_k, recall_at_k
from hcf_spark.models.companies import Companies, Holdout

Slices = dict[str, dict[str, float]]

KNOWN_PRODUCTS = {"1-2": 1, "3-5": 3, "6-10": 6, "11-20": 11, "21-50": 21, "51+": 51}
TEXT_TOKENS = {"0": 0, "1-64": 1, "65-256": 65, "257-1024": 257, "1025+": 1025}
POPULARITY = ("head", "torso", "tail")


def slice_ranking(ranked: np.ndarray, holdout: Holdout, train: Companies, cutoff: int) -> dict[str, Slices]:
    """Recall@K, NDCG@K and the number of companies in each slice that is not empty.

    - known_products: companies by their number of known products;
    - text_tokens: companies by the length of their text, where the holdout tells it;
    - popularity: only hidden products of the slice are to be found, among all products; companies with at least one.

    Args:
        ranked: (B, at least min(K, P)) product indices, from ``top_k``.
        holdout: the companies they were ranked for.
        train: the companies the model was fitted on.
        cutoff: K.
    """
    ranked = ranked[:, :cutoff]
    by_product = popularity_slices(train)
    slices = {
        "known_products": _slice_companies(
            ranked, holdout.hidden, holdout.companies.known.getnnz(axis=1), KNOWN_PRODUCTS, cutoff
        ),
        "popularity": {
            name: figures
            for number, name in enumerate(POPULARITY)
            if (figures := ranking_figures(ranked, _only(holdout.hidden, by_product == number), cutoff))["companies"]
        },
    }
    if holdout.n_tokens is not None:
        slices["text_tokens"] = _slice_companies(ranked, holdout.hidden, holdout.n_tokens, TEXT_TOKENS, cutoff)
    return slices


def _slice_companies(
    ranked: np.ndarray, hidden: sp.csr_matrix, sizes: np.ndarray, bounds: Mapping[str, int], cutoff: int
) -> Slices:
    """Companies by which of the ascending lower bounds their (B,) sizes have reached; those below the first are out."""
    place = np.searchsorted(list(bounds.values()), sizes, side="right") - 1
    return {
        name: ranking_figures(ranked[place == number], hidden[place == number], cutoff)
        for number, name in enumerate(bounds)
        if (place == number).any()
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


def ranking_figures(ranked: np.ndarray, hidden: sp.csr_matrix, cutoff: int) -> dict[str, float]:
    """Number of companies with something to find, and their mean Recall@K and NDCG@K, if there are any.

    Args:
        ranked: (B, K) product indices, best first.
        hidden: (B, P) CSR, what is to be found.
        cutoff: K.
    """
    rows = np.flatnonzero(hidden.getnnz(axis=1))
    if not len(rows):
        return {"companies": 0}
    ranked, hidden = ranked[rows], hidden[rows]
    return {
        "companies": len(rows),
        f"recall_at_{cutoff}": float(recall_at_k(ranked, hidden).mean()),
        f"ndcg_at_{cutoff}": float(ndcg_at_k(ranked, hidden).mean()),
    }
