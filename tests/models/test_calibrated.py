"""Scores as probabilities."""

import numpy as np
import scipy.sparse as sp
from worlds import fit_first, telling_world

from hcf_spark.evaluation.blocks import ScoredHoldout
from hcf_spark.evaluation.calibration import calibrate
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.reliability import measure_reliability
from hcf_spark.models.calibrated import Calibrated, RowCalibration, row_features
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
    model = Calibrated(raw, **calibrate(raw, holdouts, seed=0))
    save_model(model, tmp_path)
    model = load_model(tmp_path)
    for holdout in (holdouts.warm, holdouts.cold):
        before, after = (each.score(holdout.companies) for each in (raw, model))
        assert (np.argsort(before, axis=1, kind="stable") == np.argsort(after, axis=1, kind="stable")).all()
        assert ((after >= 0) & (after <= 1)).all()
    assert (model.embed(train) == raw.embed(train)).all()
    _, others = telling_world(1)
    found = measure_reliability(ScoredHoldout(model, others.cold))
    assert found["error"] < 0.03
    assert sum(each["cells"] for each in found["bins"]) == others.cold.hidden.shape[0] * others.cold.hidden.shape[1]
