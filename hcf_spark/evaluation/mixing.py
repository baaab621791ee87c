"""Models added up: how much of each, by validation."""

from collections.abc import Mapping, Sequence

import numpy as np

from hcf_spark.evaluation.blocks import score_blocks
from hcf_spark.evaluation.metrics import ndcg_at_k
from hcf_spark.models.base import Model
from hcf_spark.models.companies import Holdout
from hcf_spark.models.ranking import top_k

ERRORS_OF_A_PICK = 2.0
"""Standard errors that a gain has to exceed where what gains was picked by the same companies."""

_MOST, _MOST_CELLS = 4000, 40_000_000


def find_weights(
    base: Model, added: Mapping[str, Model], holdout: Holdout, cutoff: int, shares: Sequence[float], errors: float
) -> tuple[dict[str, float], list[tuple[str, float, float]]]:
    """Add models to ``base`` one after the other, each as far as validation says that it helps.

    A share of 1 makes the standard deviations of the added scores and of the base's equal. Of the shares the best is
    taken, and 0 unless its paired gain in NDCG@K is above so many standard errors.

    Args:
        base: whose scores keep their scale.
        added: name to model, in the order in which they are tried.
        holdout: the validation companies; ``some_of`` them are judged.
        cutoff: K.
        shares: to be tried for each.
        errors: standard errors that a gain has to exceed.

    Returns:
        The weight of each added model, 0 where it does not help, and what was tried: name, weight, NDCG@K.
    """
    some = some_of(holdout)
    total = scores_of(base, some)
    scale, best = spread_of(total), _ndcg(total, some, cutoff)
    weights, tried = {}, []
    for name, model in added.items():
        weights[name], scores = 0.0, scores_of(model, some)
        found, spread = [], spread_of(scores)
        if not scale * spread:
            continue
        for share in shares:
            weight = share * scale / spread
            found.append((weight, _ndcg(total + np.float32(weight) * scores, some, cutoff)))
            tried.append((name, weight, float(found[-1][1].mean())))
        weight, ndcg = max(found, key=lambda each: each[1].mean())
        if is_above(ndcg, best, errors):
            weights[name], best = weight, ndcg
            total += np.float32(weight) * scores
    return weights, tried


def some_of(holdout: Holdout, share: int = 1) -> Holdout:
    """Companies evenly over a holdout: 4,000 at most, fewer where their scores would take more than 160 MB.

    Args:
        holdout: of any size.
        share: how many holdouts share the limit.
    """
    most = max(1, min(_MOST, _MOST_CELLS // holdout.hidden.shape[1]) // share)
    return holdout.take(slice(None, None, max(1, -(-len(holdout) // most))))


def is_above(ndcg: np.ndarray, other: np.ndarray, errors: float) -> bool:
    """Whether the mean of the paired differences, (B,) each, is above so many of its standard errors."""
    gains = ndcg - other
    return float(gains.mean()) > errors * float(gains.std()) / len(gains) ** 0.5


def scores_of(model: Model, holdout: Holdout) -> np.ndarray:
    """(B, P) float32, -inf at known products."""
    return np.concatenate([scores for _, scores in score_blocks(model, holdout)])


def _ndcg(scores: np.ndarray, holdout: Holdout, cutoff: int) -> np.ndarray:
    return ndcg_at_k(top_k(scores, cutoff), holdout.hidden)


def spread_of(scores: np.ndarray) -> float:
    """Standard deviation of what is finite, so of what is not known."""
    return float(scores[np.isfinite(scores)].std())
