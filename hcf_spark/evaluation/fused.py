"""The fused model as a candidate: built on what the rivals found, and held to being better than the hardest of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import zip_longest

import numpy as np
from optuna.distributions import FloatDistribution

from hcf_spark.evaluation.candidate import Candidate, Choice, Search, SettingsByRegime, Trial
from hcf_spark.evaluation.closed_form import REMEMBERED_NEIGHBOURS
from hcf_spark.evaluation.evaluate import mean_ndcg
from hcf_spark.evaluation.guard import OWN, Part, guard
from hcf_spark.evaluation.mixing import find_weights
from hcf_spark.evaluation.model_result import REGIMES
from hcf_spark.evaluation.prior import find_prior
from hcf_spark.evaluation.search import SearchCandidate, best_by_regime, run_study
from hcf_spark.models.base import Model, Settings
from hcf_spark.models.companies import Companies, Holdout, Regimes
from hcf_spark.models.ease_text import EaseText
from hcf_spark.models.ease_text_ials import EaseTextIals
from hcf_spark.models.fused import NO_PRIOR, Fused, Prior
from hcf_spark.models.hybrid_knn import HybridKnn
from hcf_spark.models.mixture import Mixture
from hcf_spark.models.neighbour_ridge import Neighbourhood, NeighbourRidge, NeighbourRidgeStatistics
from hcf_spark.models.reference import Reference
from hcf_spark.models.text_dae import TextDae
from hcf_spark.models.text_knn import TextKnn, TextNeighbours
from hcf_spark.models.text_knn_words import TextKnnWords

NETWORK = TextDae.name
BASES = {"warm": (EaseTextIals.name,), "cold": (NeighbourRidge.name, TextKnnWords.name)}
"""What the own model of a regime may start from; the rest of them is added first."""
PARTS = {"warm": (*BASES["warm"], HybridKnn.name, NETWORK), "cold": (*BASES["cold"], NETWORK)}
"""What it may be made of, in the order in which it is added."""
IALS, OFFSET, PRIOR, GUARD = "ials", "offset", "prior", "guard"
"""What else may be left out: iALS beside EASE with text; the neighbours' profile in the ridge; the cold score as prior
of the warm one; the guard, without which the own model is kept whatever the rivals do."""

_ERRORS = 1.0
_LEAST_SHARE, _MOST_SHARE = 0.15, 1.2

_RIDGE_SPACE = {"text_strength": FloatDistribution(0.1, 1000, log=True), "offset": FloatDistribution(0, 1)}


class FusedCandidate:
    """In each regime the best simple model, and what others see besides, held to being better than any rival.

    Warm, the base is EASE with text and iALS; cold, neighbours by words, or a ridge on text and text neighbours, as
    validation says. The other parts, with the settings that they did best with alone, are added one after the other,
    each by a weight that validation chooses (0 unless it helps by more than a standard error): forward selection of an
    ensemble (Caruana et al. 2004) of few and unlike models. A rival's trials go to these weights, but for half of them
    to the ridge when cold, and for a third to the prior when warm: the cold score counts beside the warm one, less the
    more products are known (``evaluation/prior.py``).

    The guard (``evaluation/guard.py``) keeps a simple model where the own one is not surely better.

    Args:
        rivals: all models that a part may be replaced by; ``popularity``, ``text_knn``, ``ease_text``,
            ``ease_text_ials`` and, but for the network and the ridge, those in ``PARTS`` are among them.
        network: gives ``text_dae``.
        vector_size: numbers in a company vector, if there are as many products.
        left_out: of ``PARTS``, ``IALS``, ``OFFSET``, ``PRIOR`` and ``GUARD``; a base has to stay in each regime.
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

    def tune(self, inner: Companies, validation: Regimes, search: Search) -> Choice:
        """Choose parts and their settings by validation NDCG@K; ``inner`` and ``validation`` as of ``Candidate``."""
        found = {name: rival.search(inner, validation, search) for name, rival in self._rivals.items()}
        best = {name: best_by_regime(trials) for name, trials in found.items()}
        ridge, ridge_trials = self._tune_ridge(inner, validation.cold, best, search)
        tuned = {NeighbourRidge.name: dict.fromkeys(REGIMES, ridge)}
        if NETWORK not in self._left_out:
            network = self._candidates[NETWORK].tune(inner, validation, search)
            tuned[NETWORK] = {
                regime: Part({"model": NETWORK, **network.settings[regime]}, network.model) for regime in REGIMES
            }

        def fit(train: Companies, choice: Settings) -> Model:
            return self._fit_part(train, _without_network(choice), search.seed)

        elsewhere = {"warm": search.trials // 3, "cold": len(ridge_trials)}
        kept, tried = {}, {"warm": [], "cold": [(trial.settings, trial.cold) for trial in ridge_trials]}
        for regime, names in PARTS.items():
            holdout = getattr(validation, regime)
            parts = {
                name: tuned[name][regime] if name in tuned else self._fit_best(name, regime, best, inner, search.seed)
                for name in names
                if name not in self._left_out
            }
            bases = [name for name in BASES[regime] if name in parts]
            own, added = self._mix(parts, bases, holdout, search.cutoff, search.trials - elsewhere[regime])
            tried[regime] += added
            kept[regime] = own if GUARD in self._left_out else guard(regime, own, found, fit, inner, holdout, search)
        settings = {regime: part.choice for regime, part in kept.items()}
        prior = NO_PRIOR
        if PRIOR not in self._left_out:
            parts = (kept[regime].model for regime in REGIMES)
            prior, priors = find_prior(
                *parts, validation, search.cutoff, search.seed, search.trials - len(tried["warm"])
            )
            tried["warm"] += [({"prior": asdict(each)}, ndcg) for each, ndcg in priors]
        if prior != NO_PRIOR:
            settings["warm"] = {**settings["warm"], "prior": asdict(prior)}
        model = self._join({regime: part.model for regime, part in kept.items()}, prior, inner, search.seed)
        return Choice(settings, model, _pair_trials(tried))

    def fit(self, full: Companies, settings: SettingsByRegime, seed: int) -> Model:
        """The model of these parts, fitted on all training companies."""
        parts = {regime: self._fit_part(full, settings[regime], seed) for regime in REGIMES}
        prior = settings["warm"].get("prior")
        return self._join(parts, Prior(**prior) if prior else NO_PRIOR, full, seed)

    def _join(self, parts: Mapping[str, Model], prior: Prior, train: Companies, seed: int) -> Fused:
        return Fused.of_parts(**parts, prior=prior, train=train, vector_size=self._vector_size, seed=seed)

    def _fit_best(
        self, name: str, regime: str, best: Mapping[str, SettingsByRegime], inner: Companies, seed: int
    ) -> Part:
        """A rival with the settings that it did best with."""
        if name == EaseTextIals.name and IALS in self._left_out:
            name = EaseText.name
        choice = {"model": name, **best[name][regime]}
        return Part(choice, self._fit_part(inner, choice, seed))

    def _tune_ridge(
        self, inner: Companies, holdout: Holdout, best: Mapping[str, SettingsByRegime], search: Search
    ) -> tuple[Part, list[Trial]]:
        near = best[TextKnn.name]["cold"]
        statistics = NeighbourRidgeStatistics.of(inner, _neighbourhood(inner, near))
        start = {"text_strength": best[EaseText.name]["cold"]["cold_strength"], "offset": 0.5}

        def judge(settings: Settings) -> Trial:
            return Trial(settings, 0.0, mean_ndcg(statistics.fit(**settings), holdout, search.cutoff))

        name, starts, space = NeighbourRidge.name, [start, {**start, "offset": 1.0}], dict(_RIDGE_SPACE)
        if OFFSET in self._left_out:
            name, starts = f"{name} without offset", [{**start, "offset": 0.0}]
            del space["offset"]
        half = replace(search, trials=max(1, search.trials // 2))
        trials = run_study(name, starts, space, judge, half)
        own = best_by_regime(trials)["cold"]
        return Part({"model": NeighbourRidge.name, "near": near, "own": own}, statistics.fit(**own)), trials

    def _mix(
        self, parts: Mapping[str, Part], bases: Sequence[str], holdout: Holdout, cutoff: int, trials: int
    ) -> tuple[Part, list[tuple[Settings, float]]]:
        """The own model of a regime, and what was tried: weights, and their validation NDCG@K."""
        base = max(bases, key=lambda name: mean_ndcg(parts[name].model, holdout, cutoff))
        others = {name: part.model for name, part in parts.items() if name != base}
        shares = np.geomspace(_LEAST_SHARE, _MOST_SHARE, trials // max(1, len(others))).tolist()
        others = others if shares else {}
        found, tried = find_weights(parts[base].model, others, holdout, cutoff, shares, _ERRORS)
        weights = {base: 1.0, **{name: weight for name, weight in found.items() if weight}}
        chosen = {parts[name].choice["model"]: {"weight": weights[name], **parts[name].choice} for name in weights}
        choice = {"model": OWN, "parts": chosen}
        model = Mixture(tuple(parts[name].model for name in weights), tuple(weights.values()))
        return Part(choice, model), [({name: weight}, ndcg) for name, weight, ndcg in tried]

    def _fit_part(self, train: Companies, choice: Settings, seed: int) -> Model:
        settings = {key: value for key, value in choice.items() if key not in ("model", "weight", "prior")}
        if choice["model"] == OWN:
            parts = settings["parts"].values()
            models = tuple(self._fit_part(train, part, seed) for part in parts)
            return Mixture(models, tuple(part["weight"] for part in parts))
        if choice["model"] == NeighbourRidge.name:
            return NeighbourRidgeStatistics.of(train, _neighbourhood(train, settings["near"])).fit(**settings["own"])
        return self._candidates[choice["model"]].fit(train, dict.fromkeys(REGIMES, settings), seed)


def _without_network(choice: Settings) -> Settings:
    if choice["model"] != OWN:
        return choice
    return {**choice, "parts": {name: part for name, part in choice["parts"].items() if name != NETWORK}}


def _pair_trials(tried: Mapping[str, Sequence[tuple[Settings, float]]]) -> list[Trial]:
    """The k-th trial of the warm part and of the cold part as one, as a rival's trials are; 0 where one has no k-th."""
    pairs = zip_longest(tried["warm"], tried["cold"], fillvalue=({}, 0.0))
    return [Trial({"warm": warm, "cold": cold}, of_warm, of_cold) for (warm, of_warm), (cold, of_cold) in pairs]


def _neighbourhood(train: Companies, near: Settings) -> Neighbourhood:
    return Neighbourhood(TextNeighbours(Reference.of(train), near["k"], REMEMBERED_NEIGHBOURS), **near)
