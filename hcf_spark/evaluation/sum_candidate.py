"""EASE with text plus iALS as a candidate: the parts are tuned by themselves, then the weight of the second."""

from dataclasses import dataclass
from typing import ClassVar

from optuna.distributions import FloatDistribution

from hcf_spark.evaluation.candidate import Choice, Search, SettingsByRegime, Trial
from hcf_spark.evaluation.evaluate import mean_ndcg
from hcf_spark.evaluation.search import SearchCandidate, Space, run_study
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
    space: ClassVar[Space] = {"gamma": FloatDistribution(0, 1.5)}
    linear: SearchCandidate
    low_rank: SearchCandidate

    @property
    def first(self) -> Settings:
        """Settings of the parts and the gamma tried first."""
        return {**self.linear.first, **self.low_rank.first, "gamma": 0.5}

    def tune(self, inner: Companies, validation: Regimes, search: Search) -> Choice:
        linear, low_rank = (part.tune(inner, validation, search) for part in (self.linear, self.low_rank))
        parts = {**linear.settings["warm"], **low_rank.settings["warm"]}
        cold = mean_ndcg(linear.model, validation.cold, search.cutoff)

        def judge(settings: Settings) -> Trial:
            model = EaseTextIals(linear.model, low_rank.model, settings["gamma"])
            return Trial(settings, mean_ndcg(model, validation.warm, search.cutoff), cold)

        trials = run_study(self.name, {**parts, "gamma": self.first["gamma"]}, self.space, judge, search)
        best = max(trials, key=lambda trial: trial.warm).settings
        model = EaseTextIals(linear.model, low_rank.model, best["gamma"])
        return Choice({"warm": best, "cold": best}, model, trials)

    def fit(self, full: Companies, settings: SettingsByRegime, seed: int) -> EaseTextIals:
        linear, low_rank = (
            part.fit(full, {regime: {key: own[key] for key in part.first} for regime, own in settings.items()}, seed)
            for part in (self.linear, self.low_rank)
        )
        return EaseTextIals(linear, low_rank, settings["warm"]["gamma"])
