"""The guard: a simple model is kept wherever the own one is not surely better than all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hcf_spark.evaluation.candidate import Search, Trial
from hcf_spark.evaluation.evaluate import company_ndcg
from hcf_spark.evaluation.folds import cold_folds
from hcf_spark.evaluation.mixing import ERRORS_OF_A_PICK, is_above
from hcf_spark.evaluation.search import best_by_regime
from hcf_spark.models.base import Model, Settings
from hcf_spark.models.companies import Companies, Holdout

OWN = "own"

_FIRST_STEPS = {"warm": ("popularity", "ease_text_ials"), "cold": ("popularity", "text_knn")}
_ERRORS = 1.0
_ERRORS_OF_A_PICK = {"warm": ERRORS_OF_A_PICK, "cold": _ERRORS}
"""Cold, most companies that judge took no part in picking."""


@dataclass(frozen=True)
class Part:
    """A model fitted on the inner companies, and what it is fitted by: its name under ``model``, and its settings."""

    choice: Settings
    model: Model


def guard(
    regime: str, own: Part, found: Mapping[str, Sequence[Trial]], fit: Callable[[Companies, Settings], Model],
    inner: Companies, holdout: Holdout, search: Search,
) -> Part:  # fmt: skip
    """The last step that is surely better than the one kept before it.

    The steps are popularity, the rival that is the hardest as a rule (EASE with text and iALS when warm, the text's
    neighbours when cold), the hardest on these data, and the own model. Each is taken only if its paired gain in
    NDCG@K is above one standard error, or, when warm, two where something was picked by the same companies, as the
    hardest rival and the own model's weights are. What is below any of the steps before is not taken. Cold, validation
    is made larger by companies of the training set that are held out in turn.

    Args:
        regime: warm or cold.
        own: what has to be better than all rivals.
        found: rival to its trials.
        fit: the model of a choice, fitted on other companies; of the own one what can be fitted quickly.
        inner: the companies that ``own`` was fitted on.
        holdout: the regime's validation companies.
        search: that the trials are of.
    """
    names = [*_FIRST_STEPS[regime], *(_differ_when_cold(found) if regime == "cold" else [_hardest(found)])]
    choices = {name: {"model": name, **best_by_regime(found[name])[regime]} for name in dict.fromkeys(names)}
    parts = {name: Part(choice, fit(inner, choice)) for name, choice in choices.items()} | {OWN: own}
    ndcg = {name: company_ndcg(part.model, holdout, search.cutoff) for name, part in parts.items()}
    if regime == "cold":
        more = _judge_on_folds({name: part.choice for name, part in parts.items()}, fit, inner, search)
        ndcg = {name: np.concatenate([ndcg[name], more[name]]) for name in parts}
    errors = dict.fromkeys(_FIRST_STEPS[regime], _ERRORS)
    hardest = max(choices, key=lambda name: ndcg[name].mean())
    errors.setdefault(hardest, _ERRORS_OF_A_PICK[regime])
    errors[OWN] = _ERRORS_OF_A_PICK[regime]
    return parts[climb(ndcg, errors)]


def climb(ndcg: Mapping[str, np.ndarray], errors: Mapping[str, float]) -> str:
    """The last of the steps that is better than the one kept before it, by more than so many errors, and not below any.

    Args:
        ndcg: NDCG@K of the same companies, (B,) by step.
        errors: step to standard errors, in the order of the steps; all but the first have to exceed them.
    """
    kept, *others = errors
    highest = ndcg[kept].mean()
    for step in others:
        mean = ndcg[step].mean()
        if is_above(ndcg[step], ndcg[kept], errors[step]) and mean >= highest:
            kept = step
        highest = max(highest, mean)
    return kept


def _judge_on_folds(
    choices: Mapping[str, Settings], fit: Callable[[Companies, Settings], Model], inner: Companies, search: Search
) -> dict[str, np.ndarray]:
    """NDCG@K of newcomers that nothing was tuned by."""
    ndcg = {name: [] for name in choices}
    for train, newcomers in cold_folds(inner, search.seed):
        for name, choice in choices.items():
            ndcg[name].append(company_ndcg(fit(train, choice), newcomers, search.cutoff))
    return {name: np.concatenate(found) if found else np.zeros(0) for name, found in ndcg.items()}


def _hardest(found: Mapping[str, Sequence[Trial]]) -> str:
    """The rival of the highest warm validation NDCG@K."""
    return max(found, key=lambda name: max(trial.warm for trial in found[name]))


def _differ_when_cold(found: Mapping[str, Sequence[Trial]]) -> list[str]:
    """One rival of those that do the same for newcomers: to what does not know the text all look alike."""
    first: dict[float, str] = {}
    for name, trials in found.items():
        first.setdefault(max(trial.cold for trial in trials), name)
    return list(first.values())
