"""The fused model as a candidate: built on what the rivals found, and held to being better than the hardest of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np
from optuna.distributions import FloatDistribution

from hcf_spark.evaluation.candidate import Candidate, Choice, Search, SettingsByRegime, Trial
from hcf_spark.evaluation.closed_form import REMEMBERED_NEIGHBOURS
from hcf_spark.evaluation.evaluate import company_ndcg, mean_ndcg
from hcf_spark.evaluation.mixing import find_weights, is_above
from hcf_spark.evaluation.model_result import REGIMES
from hcf_spark.evaluation.search import SearchCandidate, best_by_regime, run_study
from hcf_spark.models.base import Model, Settings
from hcf_spark.models.companies import Companies, Holdout, Regimes
from hcf_spark.models.fused import Fused
from hcf_spark.models.mixture import Mixture
from hcf_spark.models.neighbour_ridge import Neighbourhood, NeighbourRidge, NeighbourRidgeStatistics
from hcf_spark.models.reference import Reference
from hcf_spark.models.text_knn import TextNeighbours

OWN = "own"
ADDED = {"warm": ("hybrid_knn", "text_dae"), "cold": ("text_knn_words",)}
"""What may be added to the own base of a regime, in this order."""
BASE = ("ials", "offset")
"""What the own base may do without: iALS beside EASE with text (warm), the neighbours' profile (cold)."""
GUARD = "guard"
"""Left out, the own model is kept whatever the rivals do."""

_FIRST_STEPS = {"warm": ("popularity", "ease_text_ials"), "cold": ("popularity", "text_knn")}
_ERRORS_OF_A_PART = 1.0
_ERRORS_OF_THE_GUARD, _ERRORS_OF_THE_HARDEST = 1.0, 2.0
_LEAST_SHARE, _MOST_SHARE = 0.1, 3.0

_COLD_SPACE = {"text_strength": FloatDistribution(0.1, 1000, log=True), "offset": FloatDistribution(0, 1)}


@dataclass(frozen=True)
class _Found:
    """A regime's own model, its settings, and what was tried: settings and validation NDCG@K."""

    settings: Settings
    model: Model
    tried: Sequence[tuple[Settings, float]]


@dataclass(frozen=True)
class _Step:
    """A model that the guard may climb to, and by how many standard errors it has to be better than the one before."""

    settings: Settings
    model: Model
    errors: float


class FusedCandidate:
    """Own parts for each regime: a base in closed form, to which models that see other things are added.

    Warm, the base is EASE with text and iALS as they did best, and a rival's trials go to the weights of what is added;
    cold it is a ridge on text and text neighbours, with half of the trials. What is added has the settings that it did
    best with alone.

    The guard climbs in each regime from popularity to the rival that is the hardest as a rule (EASE with text and iALS
    when warm, the text's neighbours when cold), to the hardest on these data, and on to the own model, each step only
    if its paired gain in validation NDCG@K is above one standard error; two for the hardest, which is picked from all,
    and the own model may not be below it.

    Args:
        rivals: all models that a part may be replaced by; ``popularity``, ``text_knn``, ``ease_text``,
            ``ease_text_ials`` and, but for the network, those in ``ADDED`` are among them.
        network: gives ``text_dae``.
        vector_size: numbers in a company vector, if there are as many products.
        left_out: of ``ADDED``, ``BASE`` and ``GUARD``, for an ablation.
    """

    name = "fused"

    def __init__(
        self,
        rivals: Mapping[str, SearchCandidate],
        network: Candidate,
        vector_size: int,
        left_out: Collection[str] = (),
    ) -> None:
        self._rivals = rivals
        self._candidates: dict[str, Candidate] = {**rivals, network.name: network}
        self._vector_size, self._left_out = vector_size, left_out
        self._added = {regime: [name for name in names if name not in left_out] for regime, names in ADDED.items()}

    def tune(self, inner: Companies, validation: Regimes, search: Search) -> Choice:
        """Choose parts and their settings by validation NDCG@K; ``inner`` and ``validation`` as of ``Candidate``."""
        found = {name: rival.search(inner, validation, search) for name, rival in self._rivals.items()}
        best = {name: best_by_regime(trials) for name, trials in found.items()}
        models = {
            name: self._candidates[name].tune(inner, validation, search)
            for name in dict.fromkeys([*self._added["warm"], *self._added["cold"]])
        }
        bases = {
            "warm": self._choose_warm(inner, best, search),
            "cold": self._tune_cold(inner, validation.cold, best, search),
        }
        settings, parts, tried = {}, {}, {}
        for regime, base in bases.items():
            holdout = getattr(validation, regime)
            own = self._add(regime, base, models, holdout, search)
            tried[regime] = own.tried
            errors = dict.fromkeys(_FIRST_STEPS[regime], _ERRORS_OF_THE_GUARD)
            errors.setdefault(_hardest(found, regime), _ERRORS_OF_THE_HARDEST)
            steps = []
            for name in errors if GUARD not in self._left_out else ():
                rival = {"model": name, **best[name][regime]}
                steps.append(_Step(rival, self._fit_part(inner, rival, search.seed), errors[name]))
            steps.append(_Step(own.settings, own.model, _ERRORS_OF_THE_GUARD))
            kept = _climb(steps, holdout, search.cutoff)
            settings[regime], parts[regime] = kept.settings, kept.model
        return Choice(settings, self._join(parts, inner, search.seed), _pair_trials(tried))

    def fit(self, full: Companies, settings: SettingsByRegime, seed: int) -> Model:
        """The model of these parts, fitted on all training companies."""
        parts = {regime: self._fit_part(full, settings[regime], seed) for regime in REGIMES}
        return self._join(parts, full, seed)

    def _join(self, parts: Mapping[str, Model], train: Companies, seed: int) -> Fused:
        return Fused.of_parts(**parts, train=train, vector_size=self._vector_size, seed=seed)

    def _choose_warm(self, inner: Companies, best: Mapping[str, SettingsByRegime], search: Search) -> _Found:
        name = "ease_text" if "ials" in self._left_out else "ease_text_ials"
        base = {"model": name, **best[name]["warm"]}
        return _Found({"base": base}, self._fit_part(inner, base, search.seed), [])

    def _tune_cold(
        self, inner: Companies, holdout: Holdout, best: Mapping[str, SettingsByRegime], search: Search
    ) -> _Found:
        near = best["text_knn"]["cold"]
        statistics = NeighbourRidgeStatistics.of(inner, _neighbourhood(inner, near))
        start = {"text_strength": best["ease_text"]["cold"]["cold_strength"], "offset": 0.5}

        def judge(settings: Settings) -> Trial:
            return Trial(settings, 0.0, mean_ndcg(statistics.fit(**settings), holdout, search.cutoff))

        name, starts, space = "fused cold", [start, {**start, "offset": 1.0}], dict(_COLD_SPACE)
        if "offset" in self._left_out:
            name, starts = "fused cold without offset", [{**start, "offset": 0.0}]
            del space["offset"]
        half = replace(search, trials=max(1, search.trials // 2))
        trials = run_study(name, starts, space, judge, half)
        own = best_by_regime(trials)["cold"]
        settings = {"base": {"model": NeighbourRidge.name, "near": near, "own": own}}
        return _Found(settings, statistics.fit(**own), [(trial.settings, trial.cold) for trial in trials])

    def _add(self, regime: str, base: _Found, models: Mapping[str, Choice], holdout: Holdout, search: Search) -> _Found:
        added = {name: models[name].model for name in self._added[regime]}
        each = max(1, (search.trials - len(base.tried)) // len(ADDED[regime]))
        shares = np.geomspace(_LEAST_SHARE, _MOST_SHARE, each + 2)[1:-1].tolist()
        weights, tried = find_weights(base.model, added, holdout, search.cutoff, shares, _ERRORS_OF_A_PART)
        kept = {name: weight for name, weight in weights.items() if weight}
        settings = {
            "model": OWN,
            **base.settings,
            "added": {name: {"weight": kept[name], "settings": models[name].settings[regime]} for name in kept},
        }
        model = Mixture((base.model, *(added[name] for name in kept)), (1.0, *kept.values()))
        return _Found(settings, model, [*base.tried, *(({name: weight}, ndcg) for name, weight, ndcg in tried)])

    def _fit_part(self, train: Companies, choice: Settings, seed: int) -> Model:
        if choice["model"] == OWN:
            base = self._fit_part(train, choice["base"], seed)
            added = [self._fit_same(name, part["settings"], train, seed) for name, part in choice["added"].items()]
            return Mixture((base, *added), (1.0, *(part["weight"] for part in choice["added"].values())))
        if choice["model"] == NeighbourRidge.name:
            return NeighbourRidgeStatistics.of(train, _neighbourhood(train, choice["near"])).fit(**choice["own"])
        settings = {key: value for key, value in choice.items() if key != "model"}
        return self._fit_same(choice["model"], settings, train, seed)

    def _fit_same(self, name: str, settings: Settings, train: Companies, seed: int) -> Model:
        """A candidate's model with the same settings for both regimes."""
        return self._candidates[name].fit(train, dict.fromkeys(REGIMES, settings), seed)


def _hardest(found: Mapping[str, Sequence[Trial]], regime: str) -> str:
    """The rival of the highest validation NDCG@K in a regime."""
    return max(found, key=lambda name: max(getattr(trial, regime) for trial in found[name]))


def _climb(steps: Sequence[_Step], holdout: Holdout, cutoff: int) -> _Step:
    """The last of the steps that is better than the one kept before it and not below any."""
    kept, best = steps[0], company_ndcg(steps[0].model, holdout, cutoff)
    highest = best.mean()
    for step in steps[1:]:
        ndcg = company_ndcg(step.model, holdout, cutoff)
        if is_above(ndcg, best, step.errors) and ndcg.mean() >= highest:
            kept, best = step, ndcg
        highest = max(highest, ndcg.mean())
    return kept


def _pair_trials(tried: Mapping[str, Sequence[tuple[Settings, float]]]) -> list[Trial]:
    """The k-th trial of the warm part and of the cold part as one, as a rival's trials are; 0 where one has no k-th."""
    pairs = zip_longest(tried["warm"], tried["cold"], fillvalue=({}, 0.0))
    return [Trial({"warm": warm, "cold": cold}, of_warm, of_cold) for (warm, of_warm), (cold, of_cold) in pairs]


def _neighbourhood(train: Companies, near: Settings) -> Neighbourhood:
    return Neighbourhood(TextNeighbours(Reference.of(train), near["k"], REMEMBERED_NEIGHBOURS), **near)
