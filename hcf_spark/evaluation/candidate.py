"""A kind of model as the harness sees it: tuned on validation, then fitted on all training companies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from hcf_spark.evaluation.evaluate import mean_ndcg
from hcf_spark.models.base import Model, Settings
from hcf_spark.models.companies import Companies, Regimes


@dataclass(frozen=True)
class Trial:
    """Settings that were tried, and their ``validation_score``."""

    settings: Settings
    score: float


@dataclass(frozen=True)
class Choice:
    """What a candidate settled on.

    Attributes:
        settings: the chosen ones, to be given to ``fit``.
        model: fitted with them on the inner training companies.
        trials: all that was tried, the chosen settings among them.
    """

    settings: Settings
    model: Model
    trials: Sequence[Trial]


class Candidate(Protocol):
    """Tuning and fitting of one kind of model; deep ones train wherever they like behind it."""

    @property
    def name(self) -> str:
        """The name of its models."""

    def tune(self, inner: Companies, validation: Regimes, cutoff: int, seed: int) -> Choice:
        """Choose settings by ``validation_score``; the same seed gives the same choice.

        Args:
            inner: the training companies less what validation withholds; all that may be fitted on.
            validation: companies of ``inner`` with products to find (warm), and companies outside it (cold).
            cutoff: K of the ranking metrics.
        """

    def fit(self, full: Companies, settings: Settings, seed: int) -> Model:
        """The model with these settings, fitted on all training companies; the same seed gives the same model."""


def validation_score(model: Model, validation: Regimes, cutoff: int) -> float:
    """Mean of the warm and the cold NDCG@K: one model has to serve both regimes."""
    return (mean_ndcg(model, validation.warm, cutoff) + mean_ndcg(model, validation.cold, cutoff)) / 2


Fit = Callable[..., Model]


@dataclass(frozen=True)
class GridCandidate:
    """A model with few settings, each of them tried.

    Attributes:
        name: of its models.
        prepare: (training companies, seed) to a function of the settings that gives the fitted model; what all settings
            share, such as Gram matrices, is worked out once, in ``prepare``.
        grid: the settings to try, at least one; of equally good ones the first is taken.
    """

    name: str
    prepare: Callable[[Companies, int], Fit]
    grid: Sequence[Settings]

    def tune(self, inner: Companies, validation: Regimes, cutoff: int, seed: int) -> Choice:
        fit = self.prepare(inner, seed)
        trials, best = [], None
        for settings in self.grid:
            model = fit(**settings)
            trial = Trial(settings, validation_score(model, validation, cutoff))
            trials.append(trial)
            if best is None or trial.score > best[0].score:
                best = trial, model
        return Choice(best[0].settings, best[1], trials)

    def fit(self, full: Companies, settings: Settings, seed: int) -> Model:
        return self.prepare(full, seed)(**settings)
