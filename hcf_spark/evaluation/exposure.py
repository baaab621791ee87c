"""What a model shows to companies taken together: how many of the products, how evenly, how far from the well-known."""

import numpy as np

from hcf_spark.evaluation.metrics import is_among
from hcf_spark.models.companies import Companies, Holdout


def exposure_at_k(ranked: np.ndarray, holdout: Holdout, train: Companies, cutoff: int) -> dict[str, float]:
    """Coverage, Gini index and novelty of the K products ranked first for each company.

    - coverage: share of the products that at least one company is shown;
    - gini: of how often each product is shown, 0 where all are as often, near 1 where a few take all;
    - novelty: mean over all that is shown of the self-information -log2(share of the training companies that use the
      product), in bits (Vargas and Castells 2011); a product that none uses counts as used by one.

    Args:
        ranked: (B, at least min(K, P)) product indices, best first, known ones after all others.
        holdout: the companies they were ranked for.
        train: the companies the model was fitted on.
        cutoff: K.
    """
    n_products = train.known.shape[1]
    ranked = ranked[:, :cutoff]
    shown = ranked[~is_among(ranked, holdout.companies.known)]
    times = np.bincount(shown, minlength=n_products)
    shares = np.maximum(train.known.getnnz(axis=0), 1) / len(train)
    return {
        f"coverage_at_{cutoff}": np.count_nonzero(times) / n_products,
        f"gini_at_{cutoff}": gini(times),
        f"novelty_at_{cutoff}": float(-np.log2(shares[shown]).mean()),
    }


def gini(amounts: np.ndarray) -> float:
    """Mean difference between two amounts, by twice the mean amount, from the sorted amounts in one sum.

    Args:
        amounts: (n,) at least 0, not all 0.

    Returns:
        0 (all equal) to 1 - 1 / n (one has all).
    """
    n = len(amounts)
    weights = 2 * np.arange(1, n + 1) - n - 1
    return float(weights @ np.sort(amounts) / (n * amounts.sum()))
