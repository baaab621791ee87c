"""The fused model as a candidate: built on what the rivals found, and held to being better than the hardest of them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from optuna.distributions import FloatDistribution

from hcf_spark.evaluation.candidate import Candidate, Choice, Search, SettingsByRegime, Trial
from hcf_spark.evaluation.closed_form import REMEMBERED_NEIGHBOURS
from hcf_spark.evaluation.evaluate import company_ndcg, mean_ndcg
from hcf_spark.evaluation.mixing import find_weights, is_above
from hcf_spark.evaluation.model_result import REGIMES
from hcf_spark.evaluation.search import SearchCandidate, Space, best_by_regime, run_study
from hcf_spark.models.base import Model, Settings
from hcf_spark.models.companies import Companies, Holdout, Regimes
from hcf_spark.models.fused import Fused
from hcf_spark.models.hybrid import Hybrid, HybridStatistics
from hcf_spark.models.mixture import Mixture
from hcf_spark.models.neighbour_ridge import Neighbourhood, NeighbourRidgeStatistics
from hcf_spark.models.reference import Reference
from hcf_spark.models.text_knn import TextNeighbours

OWN = "own"
ADDED = {
    "warm": ("ials", "hybrid_knn", "text_dae"),
    "cold": ("text_knn", "text_knn_words", "text_dae"),
}
"""What may be added to the own base of a regime, in this order."""
BASE = ("offset", "dropout", "mean")
"""What the own base may do without: the neighbours' profile, the ridge by number of companies, the mean of two."""
GUARD = "guard"
"""Left out, the own model is kept whatever the rivals do."""

_FIRST_STEPS = {"warm": ("popularity", "ease_text_ials"), "cold": ("popularity", "text_knn")}
_ERRORS_OF_A_PART = 1.0
_ERRORS_OF_THE_GUARD, _ERRORS_OF_THE_HARDEST = 1.0, 2.0
_FIRST_SHARE, _NEXT_SHARE = 0.3, 4.0

_STRENGTH = FloatDistribution(0.03, 100, log=True)
_TEXT_STRENGTH = FloatDistribution(0.1, 1000, log=True)
_SHARE = FloatDistribution(0, 1)
_COLD_SPACE = {"text_strength": _TEXT_STRENGTH, "offset": _SHARE}
_WARM_SPACE = {**_COLD_SPACE, "strength": _STRENGTH, "dropout": _SHARE}
_CONSTANT_STRENGTH = {"warm": 100.0, "cold": 0.0}


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

    Half of a rival's trials go to the base of each regime (warm: known products, text and text neighbours; cold: text
    and text neighbours), half to the weights of what is added, with the settings that it did best with alone. The
    neighbours' settings are those of the best text neighbours; strengths start where EASE with text ended. The guard
    climbs in each regime from popularity to the rival that is the hardest as a rule (EASE with text and iALS when warm,
    the text's neighbours when cold), to the hardest on these data, and on to the own model, each step only if its
    paired gain in validation NDCG@K is above one standard error; two for the hardest, which is picked from all, and the
    own model may not be below it.

    Args:
        rivals: all models that a part may be replaced by; ``popularity``, ``text_knn``, ``ease_text`` and, but for the
            network, those in ``ADDED`` are among them.
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
        half = replace(search, trials=max(1, search.trials // 2))
        bases = {
            "warm": self._tune_warm(inner, validation.warm, best, half),
            "cold": self._tune_cold(inner, validation.cold, best, half),
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
                steps.append(_Step(rival, self._fit_part(regime, inner, rival, search.seed), errors[name]))
            steps.append(_Step(own.settings, own.model, _ERRORS_OF_THE_GUARD))
            kept = _climb(steps, holdout, search.cutoff)
            settings[regime], parts[regime] = kept.settings, kept.model
        return Choice(settings, self._join(parts, inner, search.seed), _pair_trials(tried))

    def fit(self, full: Companies, settings: SettingsByRegime, seed: int) -> Model:
        """The model of these parts, fitted on all training companies."""
        parts = {regime: self._fit_part(regime, full, settings[regime], seed) for regime in REGIMES}
        return self._join(parts, full, seed)

    def _join(self, parts: Mapping[str, Model], train: Companies, seed: int) -> Fused:
        return Fused.of_parts(**parts, train=train, vector_size=self._vector_size, seed=seed)

    def _tune_cold(
        self, inner: Companies, holdout: Holdout, best: Mapping[str, SettingsByRegime], search: Search
    ) -> _Found:
        near = best["text_knn"]["cold"]
        statistics = NeighbourRidgeStatistics.of(inner, _neighbourhood(inner, near))
        text_strength = best["ease_text"]["cold"]["cold_strength"]

        def judge(settings: Settings) -> Trial:
            model = statistics.fit(**settings, constant_strength=_CONSTANT_STRENGTH["cold"])
            return Trial(settings, 0.0, mean_ndcg(model, holdout, search.cutoff))

        starts = [{"text_strength": text_strength, "offset": offset} for offset in (0.5, 1.0)]
        trials = self._run_study("fused cold", starts, _COLD_SPACE, judge, search)
        own = best_by_regime(trials)["cold"]
        model = statistics.fit(**own, constant_strength=_CONSTANT_STRENGTH["cold"])
        return _Found({"near": near, "own": own}, model, [(trial.settings, trial.cold) for trial in trials])

    def _tune_warm(
        self, inner: Companies, holdout: Holdout, best: Mapping[str, SettingsByRegime], search: Search
    ) -> _Found:
        near, base = best["text_knn"]["warm"], best["ease_text"]["warm"]
        base = {key: base[key] for key in ("strength", "text_strength")}
        statistics = HybridStatistics.of(inner, _neighbourhood(inner, near))
        base_model = None if "mean" in self._left_out else _fit_base(statistics, base)

        def judge(settings: Settings) -> Trial:
            return Trial(settings, mean_ndcg(_fit_mean(statistics, base_model, settings), holdout, search.cutoff), 0.0)

        starts = [
            {**base, "strength": base["strength"] * factor, "offset": 0.5, "dropout": 0.5} for factor in (1.0, 0.3)
        ]
        trials = self._run_study("fused warm", starts, _WARM_SPACE, judge, search)
        own = best_by_regime(trials)["warm"]
        settings = {"near": near, "base": base_model and base, "own": own}
        model = _fit_mean(statistics, base_model, own)
        return _Found(settings, model, [(trial.settings, trial.warm) for trial in trials])

    def _run_study(
        self, name: str, starts: Sequence[Settings], space: Space, judge: Callable[[Settings], Trial], search: Search
    ) -> list[Trial]:
        """``run_study`` of a base, with what is left out at 0."""
        off = {part: 0.0 for part in BASE if part in self._left_out and part in space}
        tried = {key: values for key, values in space.items() if key not in off}
        name = " without ".join([name, *(part for part in BASE if part in self._left_out)])
        return run_study(name, [{**start, **off} for start in starts], tried, judge, search)

    def _add(self, regime: str, base: _Found, models: Mapping[str, Choice], holdout: Holdout, search: Search) -> _Found:
        added = {name: models[name].model for name in self._added[regime]}
        each = max(1, (search.trials - len(base.tried)) // len(ADDED[regime]))
        shares = [_FIRST_SHARE * _NEXT_SHARE**number for number in range(each)]
        weights, tried = find_weights(base.model, added, holdout, search.cutoff, shares, _ERRORS_OF_A_PART)
        kept = {name: weight for name, weight in weights.items() if weight}
        settings = {
            "model": OWN,
            **base.settings,
            "added": {name: {"weight": kept[name], "settings": models[name].settings[regime]} for name in kept},
        }
        model = Mixture((base.model, *(added[name] for name in kept)), (1.0, *kept.values()))
        return _Found(settings, model, [*base.tried, *(({name: weight}, ndcg) for name, weight, ndcg in tried)])

    def _fit_part(self, regime: str, train: Companies, choice: Settings, seed: int) -> Model:
        if choice["model"] != OWN:
            settings = {key: value for key, value in choice.items() if key != "model"}
            return self._fit_same(choice["model"], settings, train, seed)
        neighbourhood = _neighbourhood(train, choice["near"])
        if regime == "cold":
            statistics = NeighbourRidgeStatistics.of(train, neighbourhood)
            base = statistics.fit(**choice["own"], constant_strength=_CONSTANT_STRENGTH["cold"])
        else:
            statistics = HybridStatistics.of(train, neighbourhood)
            base_model = choice["base"] and _fit_base(statistics, choice["base"])
            base = _fit_mean(statistics, base_model, choice["own"])
        added = [self._fit_same(name, part["settings"], train, seed) for name, part in choice["added"].items()]
        return Mixture((base, *added), (1.0, *(part["weight"] for part in choice["added"].values())))

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


def _fit_base(statistics: HybridStatistics, settings: Settings) -> Hybrid:
    """EASE with text."""
    return statistics.fit(**settings, constant_strength=_CONSTANT_STRENGTH["warm"], offset=0.0, dropout=0.0)


def _fit_mean(statistics: HybridStatistics, base: Hybrid | None, settings: Settings) -> Hybrid:
    hybrid = statistics.fit(**settings, constant_strength=_CONSTANT_STRENGTH["warm"])
    return hybrid if base is None else hybrid.mean_with(base)
