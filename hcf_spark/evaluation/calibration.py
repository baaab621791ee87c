"""Scores to probabilities, by what validation cells hold; and how far probabilities can be trusted."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from hcf_spark.errors import DataError
from hcf_spark.evaluation.blocks import ScoredHoldout, score_blocks
from hcf_spark.evaluation.companies_for_products import evaluate_companies
from hcf_spark.models.base import Model
from hcf_spark.models.calibrated import Calibrated, RowCalibration, row_features, standardised
from hcf_spark.models.companies import Holdout, Regimes
from hcf_spark.models.ranking import csr_rows

_OTHER_CELLS = 100_000
_LEAST_SLOPE = 1e-3
_REACHES = (0.0, 0.5, 1.0)
_SHARES = (0.0, 0.5, 1.0)
_SCALES = (0.03, 0.1, 0.3, 1.0, 3.0)
_COMPANIES = 4000
_COMPANIES_RANKED = 1000


def calibrate(inner: Model, validation: Regimes, cutoff: int, seed: int) -> Callable[[Model], Calibrated]:
    """What makes ``inner``, or a model with its settings, ``Calibrated``.

    Args:
        inner: fitted on the inner companies.
        validation: the holdouts; 4,000 companies of each are used, if there are more, 1,000 of them to be ranked.
        cutoff: K of the NDCG@K of companies for products, by which reach and share are chosen.
        seed: of the cells drawn.
    """
    warm, cold = (
        _order_companies(_fit(inner, holdout, seed), reaches, inner, holdout, cutoff)
        for holdout, reaches in ((validation.warm, _REACHES), (validation.cold, (0.0,)))
    )
    return partial(Calibrated, warm=warm, cold=cold)


def _order_companies(
    calibration: RowCalibration, reaches: Sequence[float], model: Model, holdout: Holdout, cutoff: int
) -> RowCalibration:
    """With the reach and share by which most hidden companies of the products are found."""
    scored = ScoredHoldout.of(model, _some(holdout, _COMPANIES_RANKED))
    masses = [calibration.row_mass(scores, block.companies.known) for block, scores in scored]
    calibration = replace(calibration, mass=float(np.concatenate(masses).mean()))
    tried = [replace(calibration, reach=reach, share=share) for reach, share in product(reaches, _SHARES)]

    def ndcg(ordered: RowCalibration) -> float:
        for_products = scored.map(lambda scores, companies: ordered.for_products(scores, companies.known))
        return evaluate_companies(for_products, cutoff).summary[f"ndcg_at_{cutoff}"]

    return max(tried, key=ndcg)


def _fit(model: Model, holdout: Holdout, seed: int) -> RowCalibration:
    """Logistic regression over cells that are not known: all that hold an interaction, others drawn and weighted.

    Where higher scores are not likelier to hold one, every cell has nearly the same probability.
    """
    random = np.random.default_rng(seed)
    holdout = _some(holdout, _COMPANIES)
    share = min(1.0, _OTHER_CELLS / np.prod(holdout.hidden.shape))
    features, scores, rows, used, first = [], [], [], [], 0
    for block, found in score_blocks(model, holdout):
        open_cells = np.isfinite(found)
        hidden = np.zeros(found.shape, bool)
        hidden[csr_rows(block.hidden), block.hidden.indices] = True
        taken = open_cells & (hidden | (random.random(found.shape) < share))
        raw = np.where(open_cells, found, 0).astype(np.float32)
        features.append(row_features(raw, block.companies.known))
        scores.append(found[taken])
        rows.append(first + taken.nonzero()[0])
        used.append(hidden[taken])
        first += len(found)
    features, scores, rows, used = (np.concatenate(part) for part in (features, scores, rows, used))
    centre, spread = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-12)
    of_rows = standardised(features, centre, spread)[rows]
    weights = np.where(used, 1.0, 1 / share)
    if used.all():
        raise DataError("every product that is not known is hidden for validation: bring more products")
    shares = np.average(used, weights=weights)
    best = RowCalibration(1.0, _LEAST_SLOPE, float(logit(shares)), np.zeros(2), centre, spread)
    least = np.inf
    for scale in max(float(np.std(scores)), 1e-12) * np.array(_SCALES):
        inputs = np.column_stack([np.arcsinh(scores / scale, dtype=np.float64), of_rows])
        fitted = LogisticRegression(max_iter=1000).fit(inputs, used, weights)
        loss = log_loss(used, fitted.predict_proba(inputs)[:, 1], sample_weight=weights)
        slope = float(fitted.coef_[0, 0])
        if slope > _LEAST_SLOPE and loss < least:
            least, intercept = loss, float(fitted.intercept_[0])
            best = RowCalibration(float(scale), slope, intercept, fitted.coef_[0, 1:], centre, spread)
    return best


def _some(holdout: Holdout, limit: int) -> Holdout:
    return holdout.take(slice(None, None, -(-len(holdout) // limit)))
