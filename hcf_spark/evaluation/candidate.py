"""A kind of model as the harness sees it: tuned on validation, then fitted on all training companies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from optuna.storages import BaseStorage

from hcf_spark.evaluation.evaluate import mean_ndcg
from hcf_spark.models.base import Model, Settings
from hcf_spark.models.companies import Companies, Regimes

SettingsByRegime = dict[str, Settings]


@dataclass(frozen=True)
class Search:
    """How settings are looked for, the same for every candidate.

    Attributes:
        trials: settings tried, at most.
        cutoff: K of the NDCG@K that settings are chosen by.
        seed: of every random choice.
        storage: optuna's, or the URL of a database, so that a search goes on where it was broken off, and what one
            candidate found need not be looked for again by another; None keeps nothing.
        on_trial: called after each trial.
    """

    trials: int
    cutoff: int
    seed: int
    storage: str | BaseStorage | None = None
    on_trial: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Trial:
    """Settings that were tried, and the validation NDCG@K of each regime."""

    settings: Settings
    warm: float
    cold: float


@dataclass(frozen=True)
class Choice:
    """What a candidate settled on.

    Attributes:
        settings: the best ones by regime, warm and cold, to be given to ``fit``; of a network with its ``epochs``.
        model: fitted with them on the inner training companies.
        trials: all that was tried.
    """

    settings: SettingsByRegime
    model: Model
    trials: Sequence[Trial]


class Candidate(Protocol):
    """Tuning and fitting of one kind of model; deep ones train wherever they like behind it."""

    @property
    def name(self) -> str:
        """What the model is called."""

    def tune(self, inner: Companies, validation: Regimes, search: Search) -> Choice:
        """Choose settings by validation NDCG@K; the same seed gives the same choice.

        Args:
            inner: the training companies less what validation withholds; all that may be fitted on.
            validation: companies of ``inner`` with products to find (warm), and companies outside it (cold).
        """

    def fit(self, full: Companies, settings: SettingsByRegime, seed: int) -> Model:
        """The model with these settings, fitted on all training companies; the same seed gives the same model."""


def judge_trial(settings: Settings, model: Model, validation: Regimes, cutoff: int) -> Trial:
    """The trial of settings that gave ``model``."""
    warm, cold = (mean_ndcg(model, holdout, cutoff) for holdout in (validation.warm, validation.cold))
    return Trial(settings, warm, cold)
