"""Settings looked for by optuna: every candidate gets the same number of trials."""

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import TrialState

from hcf_spark.evaluation.candidate import Choice, Search, SettingsByRegime, Trial, judge_trial
from hcf_spark.models.base import Model, Settings
from hcf_spark.models.by_regime import ByRegime
from hcf_spark.models.companies import Companies, Regimes

Fit = Callable[..., Model]
Space = Mapping[str, BaseDistribution]


def run_study(
    name: str, starts: Sequence[Settings], space: Space, judge: Callable[[Settings], Trial], search: Search
) -> list[Trial]:
    """Try ``starts``, then settings spread evenly over the space (scrambled Sobol sequence), for both regimes at once.

    A dozen trials are too few for a sampler to learn where to look. A study that the storage already holds goes on
    where it was and ends as if it had never stopped; one that is finished is not tried again.

    Args:
        name: of the study.
        starts: sensible settings, at least one; a setting that is not in ``space`` stays as it is in the first.
        space: setting to the values to try; if it is empty, there is one trial.
        judge: tries settings.

    Returns:
        All trials, in their order.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=search.storage, study_name=f"{name}, NDCG@{search.cutoff}, seed {search.seed}", load_if_exists=True,
        directions=["maximize", "maximize"],
    )  # fmt: skip
    finished = study.get_trials(states=[TrialState.COMPLETE])
    trials = [Trial({**starts[0], **trial.params}, *trial.values) for trial in finished]
    for settings in settings_to_try(starts, space, search)[len(finished) :]:
        study.enqueue_trial({key: settings[key] for key in space})
        asked = study.ask(dict(space))
        trials.append(judge({**starts[0], **asked.params}))
        study.tell(asked, (trials[-1].warm, trials[-1].cold))
        search.on_trial()
    return trials


def settings_to_try(starts: Sequence[Settings], space: Space, search: Search) -> list[Settings]:
    """What ``run_study`` tries, the same whatever was tried before."""
    tried = [*starts, *_spread(starts[0], space, search)][: search.trials if space else 1]
    return [{**starts[0], **settings} for settings in tried]


def _spread(start: Settings, space: Space, search: Search) -> list[Settings]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.QMCSampler(scramble=True, seed=search.seed)
    sequence = optuna.create_study(sampler=sampler)
    known = {key: start[key] for key in space}  # the sampler learns the space from a trial
    sequence.add_trial(optuna.create_trial(params=known, distributions=dict(space), value=0.0))
    return [sequence.ask(dict(space)).params for _ in range(search.trials)]


def best_by_regime(trials: Sequence[Trial], only_cold: Collection[str] = ()) -> SettingsByRegime:
    """Settings of the best warm and of the best cold trial; the former for both where they do as well for cold.

    Of equally good trials the first is taken.

    Args:
        only_cold: settings on which the cold regime depends, and it alone: where there are any, one model serves both.
    """
    warm = max(trials, key=lambda trial: trial.warm)
    cold = max(trials, key=lambda trial: trial.cold)
    if only_cold:
        joint = {**warm.settings, **{key: cold.settings[key] for key in only_cold}}
        return {"warm": joint, "cold": joint}
    return {"warm": warm.settings, "cold": (warm if warm.cold == cold.cold else cold).settings}


def fit_by_regime(fit: Fit, settings: SettingsByRegime) -> Model:
    """The model with these settings: a pair of itself (``ByRegime``) where those of the regimes differ."""
    warm = fit(**settings["warm"])
    if settings["cold"] == settings["warm"]:
        return warm
    return ByRegime(warm, fit(**settings["cold"]))


def _times_units(settings: Settings, units: Mapping[str, float]) -> Settings:
    return {key: value * units[key] if key in units else value for key, value in settings.items()}


@dataclass(frozen=True)
class SearchCandidate:
    """A model whose settings are looked for with ``run_study``; the best ones of each regime are kept.

    Attributes:
        name: of its models.
        prepare: (training companies, seed) to a function of the settings that gives the fitted model; what all settings
            share, such as Gram matrices, is worked out once, in ``prepare``.
        first: settings tried first, in the units of the search.
        space: setting to the values to try, in the same units.
        units: training companies to the units, by setting, of those that are not tried as they are: so one range serves
            small and large data. What is chosen on the inner companies is multiplied by their units, and given to
            the fit on all as that number: the more data there is, the less a penalty counts beside it.
        only_cold: settings on which the cold regime depends, and it alone (see ``best_by_regime``).
    """

    name: str
    prepare: Callable[[Companies, int], Fit]
    first: Settings
    space: Space
    only_cold: Collection[str] = ()
    units: Callable[[Companies], Mapping[str, float]] = lambda train: {}

    def start(self, train: Companies) -> Settings:
        """The settings tried first."""
        return _times_units(self.first, self.units(train))

    def tune(self, inner: Companies, validation: Regimes, search: Search) -> Choice:
        prepare = cache(lambda: self.prepare(inner, search.seed))
        trials = self._search(prepare, inner, validation, search)
        settings = best_by_regime(trials, self.only_cold)
        return Choice(settings, fit_by_regime(prepare(), settings), trials)

    def search(self, inner: Companies, validation: Regimes, search: Search) -> list[Trial]:
        """The trials alone; at no cost where the storage of the search holds them."""
        return self._search(cache(lambda: self.prepare(inner, search.seed)), inner, validation, search)

    def _search(self, prepare: Callable[[], Fit], inner: Companies, validation: Regimes, search: Search) -> list[Trial]:
        units = self.units(inner)

        def judge(settings: Settings) -> Trial:
            return judge_trial(settings, prepare()(**_times_units(settings, units)), validation, search.cutoff)

        trials = run_study(self.name, [self.first], self.space, judge, search)
        return [replace(trial, settings=_times_units(trial.settings, units)) for trial in trials]

    def fit(self, full: Companies, settings: SettingsByRegime, seed: int) -> Model:
        return fit_by_regime(self.prepare(full, seed), settings)
