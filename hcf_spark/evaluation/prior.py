"""How much of the cold score a company keeps once some of its products are known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from hcf_spark.evaluation.metrics import ndcg_at_k
from hcf_spark.evaluation.mixing import ERRORS_OF_A_PICK, is_above, scores_of, some_of, spread_of
from hcf_spark.evaluation.told_products import tell_products
from hcf_spark.models.base import Model
from hcf_spark.models.companies import Holdout, Regimes, told_nothing
from hcf_spark.models.fused import NO_PRIOR, Prior
from hcf_spark.models.ranking import top_k

_TOLD = (1, 2, 3)
_ERRORS = 1.0
_FAST = 4.0
_TRIED = ((0.5, _FAST), (0.5, 1.0), (1.0, 1.0), (0.25, _FAST))
"""Share and decay; a share of 1 makes the standard deviations of both scores equal at one known product."""


@dataclass(frozen=True)
class _Scored:
    """A holdout of B companies and both scores of them, (B, P) float32."""

    holdout: Holdout
    warm: np.ndarray
    cold: np.ndarray

    @classmethod
    def of(cls, warm: Model, cold: Model, holdout: Holdout) -> Self:
        """What both models make of a holdout; ``cold`` is told no products."""
        bare = Holdout(told_nothing(holdout.companies), holdout.hidden)
        return cls(holdout, *(scores_of(model, told) for model, told in ((warm, holdout), (cold, bare))))

    def ndcg(self, prior: Prior, cutoff: int) -> np.ndarray:
        """(B,) NDCG@K of both scores together."""
        scores = self.warm + prior.of(self.holdout.companies.known.getnnz(axis=1)) * self.cold
        return ndcg_at_k(top_k(scores, cutoff), self.holdout.hidden)


def find_prior(
    warm: Model, cold: Model, validation: Regimes, cutoff: int, seed: int, trials: int
) -> tuple[Prior, list[tuple[Prior, float]]]:
    """Choose the prior by known companies and by newcomers told 1, 2 and 3 of their products.

    Of the priors that are tried the one of the highest mean NDCG@K of all these companies is taken, if the gain is
    above two standard errors. One that reaches far (decay 1) has to be better for known companies by one standard
    error: what is learnt from many products should not be given up for those of few.

    Args:
        warm: scores companies with known products.
        cold: scores companies without.
        validation: ``some_of`` the known companies are judged, and as many newcomers.
        cutoff: K.
        seed: of the order in which products are told.
        trials: priors to try, at most.

    Returns:
        The prior, and what was tried with its NDCG@K of known companies.
    """
    known = _Scored.of(warm, cold, some_of(validation.warm))
    new = [_Scored.of(warm, cold, some_of(told, len(_TOLD))) for told in _newcomers(validation.cold, seed)]
    ratio = spread_of(known.warm) / max(spread_of(known.cold), 1e-12)
    base, best = _ndcg(known, new, NO_PRIOR, cutoff), NO_PRIOR
    tried, highest = [], -np.inf
    for share, decay in _TRIED[:trials]:
        prior = Prior(share * ratio, decay)
        ndcg = _ndcg(known, new, prior, cutoff)
        of_known = ndcg[: len(known.holdout)]
        tried.append((prior, float(of_known.mean())))
        is_safe = decay == _FAST or is_above(of_known, base[: len(known.holdout)], _ERRORS)
        if is_safe and is_above(ndcg, base, ERRORS_OF_A_PICK) and ndcg.mean() > highest:
            best, highest = prior, ndcg.mean()
    return best, tried


def _newcomers(cold: Holdout, seed: int) -> Iterator[Holdout]:
    for number, known in tell_products(cold.hidden, seed):
        left = (cold.hidden - known).tocsr()
        left.eliminate_zeros()
        rows = np.flatnonzero(left.getnnz(axis=1) > 0)
        if number in _TOLD and len(rows):
            companies = cold.companies.take(rows)
            yield Holdout(replace(companies, known=known[rows]), left[rows])


def _ndcg(known: _Scored, new: Sequence[_Scored], prior: Prior, cutoff: int) -> np.ndarray:
    """(B,) of known companies, then of newcomers."""
    return np.concatenate([scored.ndcg(prior, cutoff) for scored in (known, *new)])
