"""The fused model as a candidate: built on what the rivals found, and held to being better than the hardest of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np
from optuna.distributions import FloatDistribution

from hcf_spark.evaluation.candidate import Candidate, Choice, Search, SettingsByRegime, Trial
from hcf_spark.evaluation.closed_form import REMEMBERED_NEIGHBOURS
from hcf_spark.evaluation.evaluate import company_ndcg, mean_ndcg
from hcf_spark.evaluation.mixing import ERRORS_OF_A_PICK, find_weights, is_above
from hcf_spark.evaluation.model_result import REGIMES
from hcf_spark.evaluation.search import SearchCandidate, best_by_regime, run_study
from hcf_spark.models.base import Model, Settings
from hcf_spark.models.companies import Companies, Holdout, Regimes
from hcf_spark.models.ease_text import EaseText
from hcf_spark.models.ease_text_ials import EaseTextIals
from hcf_spark.models.fused import Fused
from hcf_spark.models.hybrid_knn import HybridKnn
from hcf_spark.models.mixture import Mixture
from hcf_spark.models.neighbour_ridge import Neighbourhood, NeighbourRidge, NeighbourRidgeStatistics
from hcf_spark.models.reference import Reference
from hcf_spark.models.text_dae import TextDae
from hcf_spark.models.text_knn import TextKnn, TextNeighbours
from hcf_spark.models.text_knn_words import TextKnnWords

OWN = "own"
NETWORK = TextDae.name
BASES = {"warm": (EaseTextIals.name,), "cold": (NeighbourRidge.name, TextKnnWords.name)}
"""What the own model of a regime may start from; the rest of them is added first."""
PARTS = {"warm": (*BASES["warm"], HybridKnn.name, NETWORK), "cold": (*BASES["cold"], NETWORK)}
"""What it may be made of, in the order in which it is added."""
IALS, OFFSET, GUARD = "ials", "offset", "guard"
"""What else may be left out: iALS beside EASE with text; the neighbours' profile in the ridge; the guard, without
which the own model is kept whatever the rivals do."""

_FIRST_STEPS = {"warm": ("popularity", "ease_text_ials"), "cold": ("popularity", "text_knn")}
_ERRORS_OF_A_PART = 1.0
_ERRORS_OF_THE_GUARD = 1.0
_LEAST_SHARE, _MOST_SHARE = 0.15, 2.0

_RIDGE_SPACE = {"text_strength": FloatDistribution(0.1, 1000, log=True), "offset": FloatDistribution(0, 1)}


@dataclass(frozen=True)
class _Part:
    """A model fitted on the inner companies, and what it is fitted by: its name under ``model``, and its settings."""

    choice: Settings
    model: Model


@dataclass(frozen=True)
class _Step:
    """A model that the guard may climb to, and by how many standard errors it has to be better than the one before."""

    part: _Part
    errors: float


class FusedCandidate:
    """In each regime the best simple model, and what others see besides, held to being better than any rival.

    Warm, the base is EASE with text and iALS; cold, neighbours by words, or a ridge on text and text neighbours, as
    validation says. The other parts, with the settings that they did best with alone, are added one after the other,
    each by a weight that validation chooses (0 unless it helps by more than a standard error): forward selection of an
    ensemble (Caruana et al. 2004) of few and unlike models. A rival's trials go to these weights; cold, half of them to
    the ridge.

    The guard climbs in each regime from popularity to the rival that is the hardest as a rule (EASE with text and iALS
    when warm, the text's neighbours when cold), to the hardest on these data, and on to the own model, each step only
    if its paired gain in validation NDCG@K is above one standard error, or two where something was picked by the same
    companies, as the hardest rival and the own model's weights are. What is below any of the steps before is not taken.

    Args:
        rivals: all models that a part may be replaced by; ``popularity``, ``text_knn``, ``ease_text``,
            ``ease_text_ials`` and, but for the network and the ridge, those in ``PARTS`` are among them.
        network: gives ``text_dae``.
        vector_size: numbers in a company vector, if there are as many products.
        left_out: of ``PARTS``, ``IALS``, ``OFFSET`` and ``GUARD``, for an ablation; a base has to stay in each regime.
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
        network = None
        if NETWORK not in self._left_out:
            network = self._candidates[NETWORK].tune(inner, validation, search)
        kept, tried = {}, {"warm": [], "cold": [(trial.settings, trial.cold) for trial in ridge_trials]}
        for regime, names in PARTS.items():
            holdout = getattr(validation, regime)
            parts = {}
            for name in names:
                if name in self._left_out:
                    continue
                if name == NETWORK:
                    parts[name] = _Part({"model": name, **network.settings[regime]}, network.model)
                elif name == NeighbourRidge.name:
                    parts[name] = ridge
                else:
                    parts[name] = self._fit_best(name, regime, best, inner, search.seed)
            bases = [name for name in BASES[regime] if name in parts]
            own, added = self._mix(parts, bases, holdout, search.cutoff, search.trials - len(tried[regime]))
            tried[regime] += added
            kept[regime] = self._guard(regime, own, found, best, inner, holdout, search)
        settings = {regime: part.choice for regime, part in kept.items()}
        model = self._join({regime: part.model for regime, part in kept.items()}, inner, search.seed)
        return Choice(settings, model, _pair_trials(tried))

    def fit(self, full: Companies, settings: SettingsByRegime, seed: int) -> Model:
        """The model of these parts, fitted on all training companies."""
        parts = {regime: self._fit_part(full, settings[regime], seed) for regime in REGIMES}
        return self._join(parts, full, seed)

    def _join(self, parts: Mapping[str, Model], train: Companies, seed: int) -> Fused:
        return Fused.of_parts(**parts, train=train, vector_size=self._vector_size, seed=seed)

    def _fit_best(
        self, name: str, regime: str, best: Mapping[str, SettingsByRegime], inner: Companies, seed: int
    ) -> _Part:
        """A rival with the settings that it did best with."""
        if name == EaseTextIals.name and IALS in self._left_out:
            name = EaseText.name
        choice = {"model": name, **best[name][regime]}
        return _Part(choice, self._fit_part(inner, choice, seed))

    def _tune_ridge(
        self, inner: Companies, holdout: Holdout, best: Mapping[str, SettingsByRegime], search: Search
    ) -> tuple[_Part, list[Trial]]:
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
        return _Part({"model": NeighbourRidge.name, "near": near, "own": own}, statistics.fit(**own)), trials

    def _mix(
        self, parts: Mapping[str, _Part], bases: Sequence[str], holdout: Holdout, cutoff: int, trials: int
    ) -> tuple[_Part, list[tuple[Settings, float]]]:
        """The own model of a regime, and what was tried: weights, and their validation NDCG@K."""
        base = max(bases, key=lambda name: mean_ndcg(parts[name].model, holdout, cutoff))
        others = {name: part.model for name, part in parts.items() if name != base}
        shares = np.geomspace(_LEAST_SHARE, _MOST_SHARE, trials // max(1, len(others))).tolist()
        others = others if shares else {}
        found, tried = find_weights(parts[base].model, others, holdout, cutoff, shares, _ERRORS_OF_A_PART)
        weights = {base: 1.0, **{name: weight for name, weight in found.items() if weight}}
        chosen = {parts[name].choice["model"]: {"weight": weights[name], **parts[name].choice} for name in weights}
        choice = {"model": OWN, "parts": chosen}
        model = Mixture(tuple(parts[name].model for name in weights), tuple(weights.values()))
        return _Part(choice, model), [({name: weight}, ndcg) for name, weight, ndcg in tried]

    def _guard(
        self, regime: str, own: _Part, found: Mapping[str, Sequence[Trial]], best: Mapping[str, SettingsByRegime],
        inner: Companies, holdout: Holdout, search: Search,
    ) -> _Part:  # fmt: skip
        """The last step that the guard climbs to."""
        if GUARD in self._left_out:
            return own
        errors = dict.fromkeys(_FIRST_STEPS[regime], _ERRORS_OF_THE_GUARD)
        errors.setdefault(_hardest(found, regime), ERRORS_OF_A_PICK)
        steps = []
        for name in errors:
            choice = {"model": name, **best[name][regime]}
            steps.append(_Step(_Part(choice, self._fit_part(inner, choice, search.seed)), errors[name]))
        return _climb([*steps, _Step(own, ERRORS_OF_A_PICK)], holdout, search.cutoff)

    def _fit_part(self, train: Companies, choice: Settings, seed: int) -> Model:
        settings = {key: value for key, value in choice.items() if key not in ("model", "weight")}
        if choice["model"] == OWN:
            parts = settings["parts"].values()
            models = tuple(self._fit_part(train, part, seed) for part in parts)
            return Mixture(models, tuple(part["weight"] for part in parts))
        if choice["model"] == NeighbourRidge.name:
            return NeighbourRidgeStatistics.of(train, _neighbourhood(train, settings["near"])).fit(**settings["own"])
        return self._candidates[choice["model"]].fit(train, dict.fromkeys(REGIMES, settings), seed)


def _hardest(found: Mapping[str, Sequence[Trial]], regime: str) -> str:
    """The rival of the highest validation NDCG@K in a regime."""
    return max(found, key=lambda name: max(getattr(trial, regime) for trial in found[name]))


def _climb(steps: Sequence[_Step], holdout: Holdout, cutoff: int) -> _Part:
    """The last of the steps that is better than the one kept before it and not below any."""
    kept, best = steps[0].part, company_ndcg(steps[0].part.model, holdout, cutoff)
    highest = best.mean()
    for step in steps[1:]:
        ndcg = company_ndcg(step.part.model, holdout, cutoff)
        if is_above(ndcg, best, step.errors) and ndcg.mean() >= highest:
            kept, best = step.part, ndcg
        highest = max(highest, ndcg.mean())
    return kept


def _pair_trials(tried: Mapping[str, Sequence[tuple[Settings, float]]]) -> list[Trial]:
    """The k-th trial of the warm part and of the cold part as one, as a rival's trials are; 0 where one has no k-th."""
    pairs = zip_longest(tried["warm"], tried["cold"], fillvalue=({}, 0.0))
    return [Trial({"warm": warm, "cold": cold}, of_warm, of_cold) for (warm, of_warm), (cold, of_cold) in pairs]


def _neighbourhood(train: Companies, near: Settings) -> Neighbourhood:
    return Neighbourhood(TextNeighbours(Reference.of(train), near["k"], REMEMBERED_NEIGHBOURS), **near)
