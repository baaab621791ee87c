"""Every model treated alike: tuned on validation, fitted on all training companies, shown the test once."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tqdm import tqdm

from hcf_spark.errors import DataError
from hcf_spark.evaluation.blocks import ScoredHoldout
from hcf_spark.evaluation.calibration import calibrate
from hcf_spark.evaluation.candidate import Candidate, Search, SettingsByRegime, Trial
from hcf_spark.evaluation.companies_for_products import evaluate_companies
from hcf_spark.evaluation.comparison import GUARDED, best_baseline
from hcf_spark.evaluation.evaluate import evaluate, mean_ndcg, ndcg_and_threshold
from hcf_spark.evaluation.evidence import gather_evidence
from hcf_spark.evaluation.exposure import exposure_at_k
from hcf_spark.evaluation.mixing import ERRORS_OF_A_PICK, is_above
from hcf_spark.evaluation.model_result import REGIMES, ModelResult
from hcf_spark.evaluation.probe import probe
from hcf_spark.evaluation.reliability import measure_reliability
from hcf_spark.evaluation.slices import slice_ranking
from hcf_spark.evaluation.told_products import slice_told_products
from hcf_spark.models.base import Model
from hcf_spark.models.by_regime import ByRegime
from hcf_spark.models.calibrated import Calibrated
from hcf_spark.models.companies import Companies, Regimes
from hcf_spark.models.product_vectors import DotProduct, product_vectors

logger = logging.getLogger(__name__)

_CURE = {
    "warm": "raise split.warm_share or lower split.min_products_to_hide",
    "cold": "raise split.cold_share",
}


@dataclass(frozen=True)
class Fitted:
    """A model as tuned on the inner companies and as fitted on all training companies, with the same settings.

    Both give probabilities, calibrated on validation.
    """

    name: str
    inner: Calibrated
    full: Calibrated
    settings: SettingsByRegime
    trials: Sequence[Trial]
    tune_seconds: float
    fit_seconds: float


@dataclass(frozen=True)
class HarnessResult:
    """What the harness found.

    Attributes:
        models: result by model name, in the candidates' order, the champion's last if it is made of two.
        winners: regime to the model that validation chooses: that of the highest NDCG, or ``fused`` if that one's gain
            over it is not above two standard errors.
        leaders_on_test: regime to the model of the highest test NDCG; to be named in a report, never to choose by.
        baselines: regime to the simple candidate of the highest validation NDCG; None if no candidate is simple.
        evidence: by model name, the intervals of its test figures (``interval``), of how far they are from those of the
            regime's baseline (``over_baseline``), and of how much more than text its vectors tell (``bpdm_gain``).
        champion: the winner of both regimes, or the pair of winners.
        champion_model: the champion, fitted on all training companies.
    """

    models: dict[str, ModelResult]
    winners: dict[str, str]
    leaders_on_test: dict[str, str]
    baselines: dict[str, str | None]
    evidence: dict[str, dict[str, Any]]
    champion: str
    champion_model: Model

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """``ModelResult.row`` with the evidence, by model name."""
        return {name: {**result.row(), **self.evidence[name]} for name, result in self.models.items()}


def run_harness(
    candidates: Sequence[Candidate],
    inner: Companies,
    validation: Regimes,
    full: Companies,
    test: Regimes,
    search: Search,
    progress: bool,
) -> HarnessResult:
    """Tune, fit and judge every candidate, and name the champion.

    Everything is chosen by ``validation``: settings, thresholds, winners. ``test`` is only reported.

    Args:
        candidates: with distinct names; of equally good ones the first wins.
        inner: ``full`` less what validation withholds.
        validation: the holdouts of ``inner``.
        full: all training companies.
        test: the holdouts of ``full``.
        search: how settings are looked for; its cutoff is that of all ranking metrics.
        progress: show a bar, on a terminal.

    Raises:
        DataError: a regime has no company to judge.
        TrainingError: a model gives numbers that are not finite.
    """
    for split, regimes in (("validation", validation), ("test", test)):
        _require_companies(split, regimes)
    judge = partial(_judge, inner=inner, validation=validation, full=full, test=test, search=search)
    models: dict[str, ModelResult] = {}
    leaders: dict[str, Fitted] = {}
    guarded = None
    bar = tqdm(candidates, disable=None if progress else True)
    for candidate in bar:
        bar.set_description(candidate.name)
        fitted = _fit(candidate, inner, validation, full, search)
        result = models[fitted.name] = judge(fitted)
        leaders = _find_leaders(leaders, fitted, models)
        if fitted.name == GUARDED:
            guarded = fitted
        logger.info(
            "%s: validation NDCG@%d warm %.4f, cold %.4f; %d trials in %.1f s, fit in %.1f s",
            *(candidate.name, search.cutoff, result.validation["warm"], result.validation["cold"]),
            *(len(fitted.trials), fitted.tune_seconds, fitted.fit_seconds),
        )
    if guarded is not None:
        leaders = {
            regime: leader if _is_surely_better(models[leader.name], models[GUARDED], regime) else guarded
            for regime, leader in leaders.items()
        }
    if models[leaders["warm"].name].validation["cold"] == models[leaders["cold"].name].validation["cold"]:
        leaders["cold"] = leaders["warm"]
    champion = leaders["warm"]
    if leaders["cold"] is not champion:
        champion = _pair(leaders["warm"], leaders["cold"])
        models[champion.name] = judge(champion)
    logger.info("champion by validation: %s", champion.name)
    names = [candidate.name for candidate in candidates]
    baselines = {
        regime: best_baseline(names, {name: models[name].validation[regime] for name in names}) for regime in REGIMES
    }
    return HarnessResult(
        models=models,
        winners={regime: leaders[regime].name for regime in REGIMES},
        leaders_on_test={regime: _leader_on_test(models, regime, search.cutoff) for regime in REGIMES},
        baselines=baselines,
        evidence=gather_evidence(models, baselines, test, search),
        champion=champion.name,
        champion_model=champion.full,
    )


def _require_companies(split: str, regimes: Regimes) -> None:
    for regime in REGIMES:
        if not len(getattr(regimes, regime)):
            raise DataError(
                f"no company to judge in the {regime} regime of the {split} split: {_CURE[regime]}, or bring more data"
            )


def _fit(candidate: Candidate, inner: Companies, validation: Regimes, full: Companies, search: Search) -> Fitted:
    start = time.perf_counter()
    choice = candidate.tune(inner, validation, search)
    calibrated = calibrate(choice.model, validation, search.cutoff, search.seed)
    tuned = time.perf_counter()
    return Fitted(
        name=candidate.name,
        inner=calibrated(choice.model),
        full=calibrated(candidate.fit(full, choice.settings, search.seed)),
        settings=choice.settings,
        trials=choice.trials,
        tune_seconds=tuned - start,
        fit_seconds=time.perf_counter() - tuned,
    )


def _pair(warm: Fitted, cold: Fitted) -> Fitted:
    return Fitted(
        name=f"{warm.name}+{cold.name}",
        inner=_pair_models(warm.inner, cold.inner),
        full=_pair_models(warm.full, cold.full),
        settings={"warm": warm.settings["warm"], "cold": cold.settings["cold"]},
        trials=(),
        tune_seconds=warm.tune_seconds + cold.tune_seconds,
        fit_seconds=warm.fit_seconds + cold.fit_seconds,
    )


def _pair_models(warm: Calibrated, cold: Calibrated) -> Calibrated:
    return Calibrated(ByRegime.of(warm.model, cold.model), warm.warm, cold.cold)


def _judge(
    fitted: Fitted, inner: Companies, validation: Regimes, full: Companies, test: Regimes, search: Search
) -> ModelResult:
    cutoff = search.cutoff
    validation_ndcg, on_test, by_vectors, companies, exposure, slices, calibration = {}, {}, {}, {}, {}, {}, {}
    for regime in REGIMES:
        holdout = getattr(test, regime)
        validation_ndcg[regime], threshold = ndcg_and_threshold(fitted.inner, getattr(validation, regime), cutoff)
        raw = ScoredHoldout.of(fitted.full.model, holdout)
        scored = raw.map(fitted.full.probabilities)
        on_test[regime] = evaluate(scored, cutoff, threshold)
        calibration[regime] = measure_reliability(scored)
        if product_vectors(fitted.full) is not None:
            by_vectors[regime] = mean_ndcg(DotProduct(fitted.full), holdout, cutoff)
        companies[f"companies_{regime}"] = evaluate_companies(raw.map(fitted.full.for_products), cutoff)
        exposure[regime] = exposure_at_k(on_test[regime].ranked, holdout, full, cutoff)
        slices[regime] = slice_ranking(on_test[regime].ranked, holdout, full, cutoff)
    slices["cold"]["told_products"] = slice_told_products(fitted.full, test.cold, cutoff, search.seed)
    return ModelResult(
        **on_test,
        **companies,
        by_vectors=by_vectors,
        bpdm=probe(fitted.inner, inner, validation.warm, fitted.full, full, test.warm, cutoff),
        exposure=exposure,
        slices=slices,
        calibration=calibration,
        validation_ndcg=validation_ndcg,
        settings=fitted.settings,
        trials=fitted.trials,
        tune_seconds=fitted.tune_seconds,
        fit_seconds=fitted.fit_seconds,
    )


def _find_leaders(leaders: dict[str, Fitted], fitted: Fitted, models: dict[str, ModelResult]) -> dict[str, Fitted]:
    """The model of the highest validation NDCG by regime, after one more; one that leads both before a pair of two."""
    if not leaders:
        return dict.fromkeys(REGIMES, fitted)
    gains = {
        regime: models[fitted.name].validation[regime] - models[leaders[regime].name].validation[regime]
        for regime in REGIMES
    }
    is_pair = leaders["warm"] is not leaders["cold"]
    if is_pair and min(gains.values()) >= 0:
        return dict.fromkeys(REGIMES, fitted)
    return {regime: fitted if gains[regime] > 0 else leaders[regime] for regime in REGIMES}


def _is_surely_better(model: ModelResult, other: ModelResult, regime: str) -> bool:
    return is_above(model.validation_ndcg[regime], other.validation_ndcg[regime], ERRORS_OF_A_PICK)


def _leader_on_test(models: dict[str, ModelResult], regime: str, cutoff: int) -> str:
    return max(models, key=lambda name: getattr(models[name], regime).summary[f"ndcg_at_{cutoff}"])
