"""EASE with text plus iALS as a candidate: the parts are tuned by themselves, then the weight of the second."""

from dataclasses import dataclass, replace
from functools import cache
from typing import ClassVar

from optuna.distributions import FloatDistribution

from hcf_spark.evaluation.candidate import Choice, Search, SettingsByRegime, Trial
from hcf_spark.evaluation.evaluate import mean_ndcg
from hcf_spark.evaluation.search import SearchCandidate, Space, best_by_regime, run_study
from hcf_spark.models.base import Settings
from hcf_spark.models.companies import Companies, Regimes
from hcf_spark.models.ease_text_ials import EaseTextIals


@dataclass(frozen=True)
class SumCandidate:
    """``EaseTextIals``; with a storage the studies of its parts are those of the parts as candidates of their own.

    Attributes:
        linear: the candidate of its first part.
        low_rank: of its second.
    """

    name: ClassVar[str] = EaseTextIals.name
    space: ClassVar[Space] = {"gamma": FloatDistribution(0.01, 1.5, log=True)}
    first: ClassVar[Settings] = {"gamma": 0.1}
    linear: SearchCandidate
    low_rank: SearchCandidate

    def start(self, train: Companies) -> Settings:
        """The settings tried first, were they not those of the parts that did best."""
        return {**self.linear.start(train), **self.low_rank.start(train), **self.first}

    def tune(self, inner: Companies, validation: Regimes, search: Search) -> Choice:
        trials = self.search(inner, validation, search)
        best = max(trials, key=lambda trial: trial.warm).settings
        settings = {"warm": best, "cold": best}
        return Choice(settings, self.fit(inner, settings, search.seed), trials)

    def search(self, inner: Companies, validation: Regimes, search: Search) -> list[Trial]:
        """The trials alone; at no cost where the storage of the search holds them."""
        parts = [
            best_by_regime(part.search(inner, validation, search), part.only_cold)["warm"]
            for part in (self.linear, self.low_rank)
        ]
        first = {**parts[0], **parts[1], **self.first}

        @cache
        def fitted() -> tuple[EaseTextIals, float]:
            model = self.fit(inner, {"warm": first, "cold": first}, search.seed)
            return model, mean_ndcg(model, validation.cold, search.cutoff)

        def judge(settings: Settings) -> Trial:
            model, cold = fitted()
            warm = mean_ndcg(replace(model, gamma=settings["gamma"]), validation.warm, search.cutoff)
            return Trial(settings, warm, cold)

        return run_study(self.name, [first], self.space, judge, search)

    def fit(self, full: Companies, settings: SettingsByRegime, seed: int) -> EaseTextIals:
        linear, low_rank = (
            part.fit(full, {regime: {key: own[key] for key in part.first} for regime, own in settings.items()}, seed)
            for part in (self.linear, self.low_rank)
        )
        return EaseTextIals(linear, low_rank, settings["warm"]["gamma"])
