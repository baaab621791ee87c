"""Scores as probabilities."""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from worlds import fit_first, telling_world

from hcf_spark.evaluation.blocks import ScoredHoldout
from hcf_spark.evaluation.calibration import calibrate
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.reliability import measure_reliability
from hcf_spark.models.calibrated import RowCalibration, row_features
from hcf_spark.models.companies import Companies, Holdout, Regimes
from hcf_spark.models.popularity import Popularity
from hcf_spark.models.store import load_model, save_model


def known(rows):
    return sp.csr_matrix(np.array(rows, np.float32))


def test_row_features_count_the_known_and_rank_the_others():
    scores = np.tile(np.arange(12, dtype=np.float32), (2, 1))
    features = row_features(scores, known([[0] * 11 + [1], [0] * 12]))
    np.testing.assert_allclose(features[:, 0], [np.log(2), 0])
    np.testing.assert_allclose(features[:, 1], [np.mean(np.arange(1, 11)), np.mean(np.arange(2, 12))])


def test_the_probability_is_that_of_the_formula():
    calibration = RowCalibration(2.0, 1.5, -1.0, np.array([0.5, 0.0]), np.zeros(2), np.ones(2))
    scores = np.array([[0.0, 4.0, -4.0]], np.float32)
    expected = 1 / (1 + np.exp(-(-1 + 0.5 * np.log(2) + 1.5 * np.arcsinh([0, 2, -2]))))
    np.testing.assert_allclose(calibration.probabilities(scores, known([[1, 0, 0]]))[0], expected, rtol=1e-6)


def test_probabilities_keep_the_order_of_each_row_and_come_true_on_other_companies(tmp_path):
    train, holdouts = telling_world(0)
    raw = fit_first(CLOSED_FORM["ease_text"], train)
    model = calibrate(raw, holdouts, cutoff=20, seed=0)(raw)
    save_model(model, tmp_path)
    model = load_model(tmp_path)
    for holdout in (holdouts.warm, holdouts.cold):
        before, after = (each.score(holdout.companies) for each in (raw, model))
        assert (np.argsort(before, axis=1, kind="stable") == np.argsort(after, axis=1, kind="stable")).all()
        assert ((after >= 0) & (after <= 1)).all()
    assert (model.embed(train) == raw.embed(train)).all()
    _, others = telling_world(1)
    found = measure_reliability(ScoredHoldout.of(model, others.cold))
    assert found["error"] < 0.03
    assert sum(each["cells"] for each in found["bins"]) == others.cold.hidden.shape[0] * others.cold.hidden.shape[1]


def test_companies_are_ranked_for_products_by_their_reach_too():
    calibration = RowCalibration(1.0, 2.0, -1.0, np.array([0.5, 0.5]), np.array([0.7, 0.0]), np.ones(2))
    scores = np.array([[0.0, 1.0], [0.0, 1.0]], np.float32)
    told = known([[1, 0], [0, 0]])
    expected = -1 + 3 * (np.log([[2], [1]]) - 0.7) + 2 * np.arcsinh(scores)
    np.testing.assert_allclose(calibration.for_products(scores, told, reach=3.0), expected, rtol=1e-6)


def test_the_reach_is_what_finds_most_companies():
    """Scores say nothing, but the companies with many known products have most of the hidden ones."""
    random = np.random.default_rng(0)
    shares = np.linspace(0.02, 0.6, 200)[:, None]
    told, hidden = random.random((2, 200, 30)) < shares
    told, hidden = told.astype(np.float32), (hidden & ~told).astype(np.float32)
    rows = np.flatnonzero(told.any(axis=1) & hidden.any(axis=1))
    companies = Companies(np.ones((len(rows), 2), np.float32), known(told[rows]), np.arange(len(rows)))
    warm = Holdout(companies, known(hidden[rows]))
    cold = Holdout(replace(companies, known=known(np.zeros((len(rows), 30)))), warm.hidden)
    popularity = Popularity.fit(companies)
    assert calibrate(popularity, Regimes(warm, cold), cutoff=20, seed=0)(popularity).reach > 0
