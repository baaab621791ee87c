"""The fused model as a candidate: built on what the rivals found, and held to being better than the hardest of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from optuna.distributions import FloatDistribution

from hcf_spark.evaluation.candidate import Choice, Search, SettingsByRegime, Trial
from hcf_spark.evaluation.closed_form import REMEMBERED_NEIGHBOURS
from hcf_spark.evaluation.evaluate import company_ndcg, mean_ndcg
from hcf_spark.evaluation.search import SearchCandidate, best_by_regime, run_study
from hcf_spark.models.base import Model, Settings
from hcf_spark.models.companies import Companies, Holdout, Regimes
from hcf_spark.models.fused import Blend, Fused
from hcf_spark.models.hybrid import Hybrid, HybridStatistics
from hcf_spark.models.neighbour_ridge import Neighbourhood, NeighbourRidgeStatistics
from hcf_spark.models.reference import Reference
from hcf_spark.models.text_knn import TextNeighbours

OWN = "own"
_STANDARD_ERRORS = 2.0

_STRENGTH = FloatDistribution(0.03, 100, log=True)
_TEXT_STRENGTH = FloatDistribution(0.1, 1000, log=True)
_SHARE = FloatDistribution(0, 1)
_COLD_SPACE = {"text_strength": _TEXT_STRENGTH, "offset": _SHARE}
_WARM_SPACE = {**_COLD_SPACE, "strength": _STRENGTH, "dropout": _SHARE}
_BLEND_SPACE = {"weight": FloatDistribution(0.01, 3, log=True)}
_CONSTANT_STRENGTH = 100.0


@dataclass(frozen=True)
class _Tuned:
    """A part of the fused model as it was found; in its trials the other regime counts 0."""

    settings: Settings
    model: Model
    trials: Sequence[Trial]


class FusedCandidate:
    """Tuned in three studies, together as many trials as a rival has: cold part, warm part, weight of the factors.

    The neighbours' settings are those that the text's nearest neighbours alone did best with; the strengths start where
    EASE with text ended; the factors are those of the best iALS. In each regime the guard then asks whether the paired
    gain in validation NDCG@K over the hardest rival is above two standard errors; if not, that rival is the model of
    the regime.

    Args:
        rivals: all models that a part may be replaced by; ``text_knn``, ``ease_text`` and ``ials`` are among them.
    """

    name = "fused"

    def __init__(self, rivals: Mapping[str, SearchCandidate]) -> None:
        self._rivals = rivals

    def tune(self, inner: Companies, validation: Regimes, search: Search) -> Choice:
        """Choose parts and their settings by validation NDCG@K; ``inner`` and ``validation`` as of ``Candidate``."""
        found = {name: rival.search(inner, validation, search) for name, rival in self._rivals.items()}
        best = {name: best_by_regime(trials) for name, trials in found.items()}
        cold = self._tune_cold(inner, validation.cold, best, search)
        warm = self._tune_warm(inner, validation.warm, best, search)
        kept = {}
        for regime, own in (("warm", warm), ("cold", cold)):
            rival = _hardest(found, best, regime)
            rival_model = self._fit_part(regime, inner, rival, search.seed)
            is_better = _is_better(own.model, rival_model, getattr(validation, regime), search.cutoff)
            kept[regime] = (own.settings, own.model) if is_better else (rival, rival_model)
        settings, models = ({regime: pair[side] for regime, pair in kept.items()} for side in (0, 1))
        return Choice(settings, Fused.of_parts(**models, train=inner, seed=search.seed), [*cold.trials, *warm.trials])

    def fit(self, full: Companies, settings: SettingsByRegime, seed: int) -> Model:
        """The model of these parts, fitted on all training companies."""
        warm, cold = (self._fit_part(regime, full, settings[regime], seed) for regime in ("warm", "cold"))
        return Fused.of_parts(warm, cold, full, seed)

    def _tune_cold(
        self, inner: Companies, holdout: Holdout, best: Mapping[str, SettingsByRegime], search: Search
    ) -> "_Tuned":
        near = best["text_knn"]["cold"]
        statistics = NeighbourRidgeStatistics.of(inner, _neighbourhood(inner, near))
        text_strength = best["ease_text"]["cold"]["cold_strength"]

        def judge(settings: Settings) -> Trial:
            model = statistics.fit(**settings, constant_strength=0.0)
            return Trial(settings, 0.0, mean_ndcg(model, holdout, search.cutoff))

        starts = [{"text_strength": text_strength, "offset": offset} for offset in (0.5, 1.0)]
        trials = run_study("fused cold", starts, _COLD_SPACE, judge, _share_of(search, 1 / 4))
        own = best_by_regime(trials)["cold"]
        return _Tuned({"model": OWN, "near": near, **own}, statistics.fit(**own, constant_strength=0.0), trials)

    def _tune_warm(
        self, inner: Companies, holdout: Holdout, best: Mapping[str, SettingsByRegime], search: Search
    ) -> "_Tuned":
        near, base = best["text_knn"]["warm"], best["ease_text"]["warm"]
        base = {key: base[key] for key in ("strength", "text_strength")}
        statistics = HybridStatistics.of(inner, _neighbourhood(inner, near))
        base_model = _fit_base(statistics, base)

        def judge(settings: Settings) -> Trial:
            return Trial(settings, mean_ndcg(_fit_mean(statistics, base_model, settings), holdout, search.cutoff), 0.0)

        starts = [
            {**base, "strength": base["strength"] * factor, "offset": 0.5, "dropout": 0.5} for factor in (1.0, 0.3)
        ]
        trials = run_study("fused warm", starts, _WARM_SPACE, judge, _share_of(search, 1 / 2))
        own = best_by_regime(trials)["warm"]
        mean, factors = _fit_mean(statistics, base_model, own), best["ials"]["warm"]
        ials = self._rivals["ials"].fit(inner, {"warm": factors, "cold": factors}, search.seed)

        def judge_weight(settings: Settings) -> Trial:
            return Trial(settings, mean_ndcg(Blend(mean, ials, **settings), holdout, search.cutoff), 0.0)

        weights = run_study("fused weight", [{"weight": 0.1}], _BLEND_SPACE, judge_weight, _share_of(search, 1 / 4))
        weight = best_by_regime(weights)["warm"]
        settings = {"model": OWN, "near": near, "base": base, "own": own, "ials": factors, **weight}
        return _Tuned(settings, Blend(mean, ials, **weight), [*trials, *weights])

    def _fit_part(self, regime: str, train: Companies, choice: Settings, seed: int) -> Model:
        name, settings = choice["model"], {key: value for key, value in choice.items() if key != "model"}
        if name != OWN:
            return self._rivals[name].fit(train, {"warm": settings, "cold": settings}, seed)
        neighbourhood = _neighbourhood(train, settings.pop("near"))
        if regime == "cold":
            return NeighbourRidgeStatistics.of(train, neighbourhood).fit(**settings, constant_strength=0.0)
        statistics = HybridStatistics.of(train, neighbourhood)
        mean = _fit_mean(statistics, _fit_base(statistics, settings["base"]), settings["own"])
        ials = self._rivals["ials"].fit(train, {"warm": settings["ials"], "cold": settings["ials"]}, seed)
        return Blend(mean, ials, settings["weight"])


def _hardest(found: Mapping[str, Sequence[Trial]], best: Mapping[str, SettingsByRegime], regime: str) -> Settings:
    """The rival of the highest validation NDCG@K in a regime, with its settings."""
    name = max(found, key=lambda name: max(getattr(trial, regime) for trial in found[name]))
    return {"model": name, **best[name][regime]}


def _share_of(search: Search, share: float) -> Search:
    return replace(search, trials=max(1, round(search.trials * share)))


def _neighbourhood(train: Companies, near: Settings) -> Neighbourhood:
    return Neighbourhood(TextNeighbours(Reference.of(train), near["k"], REMEMBERED_NEIGHBOURS), **near)


def _fit_base(statistics: HybridStatistics, settings: Settings) -> Hybrid:
    """EASE with text."""
    return statistics.fit(**settings, constant_strength=_CONSTANT_STRENGTH, offset=0.0, dropout=0.0)


def _fit_mean(statistics: HybridStatistics, base: Hybrid, settings: Settings) -> Hybrid:
    return statistics.fit(**settings, constant_strength=_CONSTANT_STRENGTH).mean_with(base)


def _is_better(own: Model, rival: Model, holdout: Holdout, cutoff: int) -> bool:
    gains = company_ndcg(own, holdout, cutoff) - company_ndcg(rival, holdout, cutoff)
    return float(gains.mean()) > _STANDARD_ERRORS * float(gains.std()) / len(gains) ** 0.5
