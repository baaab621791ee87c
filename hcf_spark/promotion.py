"""What stands between the best model of a run and the alias ``champion``: comparable vectors, and the gate's checks."""

import logging

import numpy as np

from hcf_spark.config import Config
from hcf_spark.evaluation.blocks import ScoredHoldout, embed_by_blocks
from hcf_spark.evaluation.challenge import NdcgByRegime, gain_over, ndcg_by_regime
from hcf_spark.evaluation.harness import REGIMES, HarnessResult
from hcf_spark.evaluation.reliability import measure_reliability
from hcf_spark.models.base import Model
from hcf_spark.models.companies import Companies, Regimes
from hcf_spark.models.package import ModelPackage
from hcf_spark.models.references import limit_references
from hcf_spark.models.rotated import Drift, Rotated, fit_rotation
from hcf_spark.models.translated import Translated
from hcf_spark.spark import look
from hcf_spark.spark.tables import Tables
from hcf_spark.tracking.champion import Champion
from hcf_spark.tracking.gate import Check, check_finite, check_not_worse, note_not_compared
from hcf_spark.tracking.load_check import Sample, check_load
from hcf_spark.tracking.run import log_metrics
from hcf_spark.train.snapshot import Snapshot

logger = logging.getLogger(__name__)

_COMPANIES_ROTATED_BY = 20_000
_SAMPLE_PER_REGIME = 10
_ROWS = 512


def rotate_to_champion(model: Model, champion: Translated, train: Companies, seed: int) -> tuple[Model, Drift | None]:
    """The model with company vectors rotated to the champion's, and how far from them they are still.

    Args:
        model: the challenger.
        champion: takes the companies of ``train``.
        train: training companies of the challenger; the rotation is fitted on those (at most 20,000, drawn by seed)
            that were the champion's too.
        seed: of the draw.

    Returns:
        The model itself and None where the two have no company in common.
    """
    common = np.flatnonzero(champion.company_idx[train.index] >= 0)
    if not len(common):
        logger.warning("company vectors are not rotated: champion and challenger have no training company in common")
        return model, None
    drawn = train.take(np.random.default_rng(seed).permutation(common)[:_COMPANIES_ROTATED_BY])
    rotation, drift = fit_rotation(embed_by_blocks(model, drawn), embed_by_blocks(champion, drawn))
    logger.info(
        "company vectors rotated to the champion's on %s companies: mean cosine %.4f, residual %.4f of their length",
        f"{drift.companies:,}", drift.mean_cosine, drift.relative_residual,
    )  # fmt: skip
    return Rotated(model, rotation), drift


def limit_companies(
    model: Model, result: HarnessResult, test: Regimes, limit: int, cutoff: int, seed: int
) -> tuple[Model, NdcgByRegime]:
    """The champion as it will be served, with at most ``limit`` companies to compare others with, and its NDCG@K.

    What the limit costs is logged with the active run: by regime ``reference.warm_ndcg``, the change on test, and
    ``reference.warm_calibration_error``, since probabilities were calibrated without the limit.

    Args:
        model: the champion of ``result``.
        result: of the harness.
        test: that it was judged on.
        limit: companies in each reference.
        cutoff: K.
        seed: of the draw.
    """
    whole = {regime: _ndcg(result, result.champion, regime, cutoff) for regime in REGIMES}
    limited = limit_references(model, limit, seed)
    if limited is model:
        return model, whole
    served = ndcg_by_regime(limited, test, cutoff)
    changes = {f"{regime}_ndcg": float((served[regime] - whole[regime]).mean()) for regime in REGIMES}
    errors = {
        f"{regime}_calibration_error": measure_reliability(ScoredHoldout.of(limited, getattr(test, regime)))["error"]
        for regime in REGIMES
    }
    log_metrics({**changes, **errors, "companies": limit}, "reference")
    logger.info(
        "the registered model compares with %s companies (mlflow.reference_companies): NDCG on test, warm %+.4f, "
        "cold %+.4f",
        f"{limit:,}", changes["warm_ndcg"], changes["cold_ndcg"],
    )  # fmt: skip
    return limited, served


def make_sample(tables: Tables, config: Config, package: ModelPackage, snapshot: Snapshot) -> Sample:
    """A few test companies of each regime, drawn by seed, as a user has them, with the scores of the job; runs jobs.

    Args:
        tables: the tables.
        config: settings.
        package: the challenger.
        snapshot: what it was judged on.
    """
    rows = {
        regime: np.sort(np.random.default_rng(config.seed).permutation(len(index))[:_SAMPLE_PER_REGIME])
        for regime, index in snapshot.test_index.items()
    }
    companies = [getattr(snapshot.test, regime).companies.take(rows[regime]) for regime in REGIMES]
    ids = look.look_up_ids(tables, np.concatenate([snapshot.test_index[regime][rows[regime]] for regime in REGIMES]))
    texts = look.look_up_texts(tables, config, ids)
    products = [row.indices for own in companies for row in own.known]
    question = {
        "company_id": ids,
        **{column: texts[column].tolist() for column in config.text.columns},
        "products": [[package.product_ids[product] for product in known] for known in products],
    }
    scores = np.vstack([package.model.score(own) for own in companies])
    return Sample(question, scores, package.product_ids, package.about.top_k)


def make_checks(
    name: str,
    version: str,
    result: HarnessResult,
    served: NdcgByRegime,
    package: ModelPackage,
    champion: Champion | None,
    snapshot: Snapshot,
    sample: Sample,
    cutoff: int,
    seed: int,
) -> list[Check]:
    """All that the gate asks of a challenger.

    It is compared on test, the only cells that the champion was not trained on either; nothing is chosen by them.

    Args:
        name: of the registered model.
        version: the challenger.
        result: of the harness that chose it.
        served: NDCG@K of the challenger on test, of ``limit_companies``.
        package: what was registered.
        champion: the present one; None where there is none.
        snapshot: what it was judged on.
        sample: to ask the registered version.
        cutoff: K of NDCG@K.
        seed: of the paired bootstrap.
    """
    checks = []
    if None not in result.baselines.values():
        rivals = {regime: _ndcg(result, rival, regime, cutoff) for regime, rival in result.baselines.items()}
        gains = gain_over(rivals, served, seed)
        checks += [check_not_worse("baseline", result.baselines[regime], regime, gains[regime]) for regime in REGIMES]
    if champion is not None and champion.not_compared is not None:
        checks.append(note_not_compared(champion.version, champion.not_compared))
    elif champion is not None:
        gains = gain_over(ndcg_by_regime(champion.model, snapshot.test, cutoff), served, seed)
        checks += [check_not_worse("champion", champion.version, regime, gain) for regime, gain in gains.items()]
    judged = [_embed(package.model, getattr(snapshot.test, regime).companies) for regime in REGIMES]
    return [*checks, check_finite(np.vstack(judged)), check_load(name, version, sample)]


def _embed(model: Model, companies: Companies) -> np.ndarray:
    starts = range(0, len(companies), _ROWS)
    return np.vstack([model.embed(companies.take(slice(start, start + _ROWS))) for start in starts])


def _ndcg(result: HarnessResult, model: str, regime: str, cutoff: int) -> np.ndarray:
    return getattr(result.models[model], regime).per_company[f"ndcg_at_{cutoff}"]
