"""Scores as probabilities."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from worlds import fit_first, telling_world

from hcf_spark.errors import RegistryError
from hcf_spark.evaluation.blocks import ScoredHoldout
from hcf_spark.evaluation.calibration import calibrate
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.companies_for_products import evaluate_companies
from hcf_spark.evaluation.reliability import measure_reliability
from hcf_spark.models.calibrated import RowCalibration, row_features
from hcf_spark.models.companies import Companies, Holdout, Regimes
from hcf_spark.models.popularity import Popularity
from hcf_spark.models.store import load_model, save_model


def find_companies(model, warm, cold):
    """NDCG@20 of the warm companies for their products, by the model's scores and by the calibrated order."""
    ordered = calibrate(model, Regimes(warm, cold), cutoff=20, seed=0)(model)
    scored = ScoredHoldout.of(model, warm)
    both = (scored, scored.map(ordered.for_products))
    return [evaluate_companies(each, 20).summary["ndcg_at_20"] for each in both]


class Spoken:
    """Scores a company by its text, number by number."""

    name, folds_in = "spoken", True

    def score(self, companies):
        return companies.text


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
    model = replace(model, warm=replace(model.warm, reach=0.5, share=0.25, mass=2.0))
    save_model(model, tmp_path)
    expected, model = model.score_for_products(train), load_model(tmp_path)
    assert (model.score_for_products(train) == expected).all()
    for holdout in (holdouts.warm, holdouts.cold):
        before, after = (each.score(holdout.companies) for each in (raw, model))
        assert (np.argsort(before, axis=1, kind="stable") == np.argsort(after, axis=1, kind="stable")).all()
        assert ((after >= 0) & (after <= 1)).all()
    assert (model.embed(train) == raw.embed(train)).all()
    _, others = telling_world(1)
    found = measure_reliability(ScoredHoldout.of(model, others.cold))
    assert found["error"] < 0.03
    assert sum(each["cells"] for each in found["bins"]) == others.cold.hidden.shape[0] * others.cold.hidden.shape[1]


def test_companies_are_ranked_for_products_by_their_reach_and_what_they_have_in_all():
    features = np.array([0.5, 0.5]), np.array([0.7, 0.0]), np.ones(2)
    calibration = RowCalibration(1.0, 2.0, -1.0, *features, reach=3.0, share=0.5, mass=0.9)
    scores = np.array([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0], [0.0, 1.0, 2.0]], np.float32)
    told = known([[1, 0, 0], [0, 0, 0], [1, 1, 1]])
    log_odds = 2 * np.arcsinh(scores)
    in_all = np.log([[np.exp(log_odds[0, 1:]).sum()], [np.exp(log_odds[1]).sum()]])
    expected = -1 + 3 * (np.log([[2], [1]]) - 0.7) - 0.5 * (in_all - 0.9) + log_odds[:2]
    found = calibration.for_products(scores, told)
    np.testing.assert_allclose(found[:2], expected, rtol=1e-6)
    np.testing.assert_allclose(found[2], -1 + 3 * (np.log(4) - 0.7) + log_odds[2], rtol=1e-6)


def test_a_calibration_of_another_version_says_so():
    with pytest.raises(RegistryError) as caught:
        RowCalibration.from_array(np.zeros(9))
    assert str(caught.value) == (
        "this calibration has 9 numbers, not 12: it was saved by another version of hcf_spark; load it with that, or "
        "train_model again"
    )


def test_a_company_whose_scores_are_all_high_is_not_the_first_for_every_product():
    """Half of the newcomers have four times the scores of others, and no more products."""
    random = np.random.default_rng(0)
    tastes = random.random((400, 40))
    hidden = (tastes > 0.9) & (random.random((400, 40)) < 0.5)
    loud = 1 + 3 * (np.arange(400) % 2)[:, None]
    companies = Companies((tastes * loud).astype(np.float32), known(np.zeros((400, 40))), np.arange(-400, 0))
    holdout = Holdout(companies, known(hidden))
    model = Spoken()
    by_column, found = find_companies(model, holdout, holdout)
    assert by_column < 0.46
    assert found > 0.48, "by the half of the best cells that are hidden"


def test_where_scores_say_nothing_those_with_many_products_come_first():
    """Scores say nothing, but the companies with many known products have most of the hidden ones."""
    random = np.random.default_rng(0)
    shares = np.linspace(0.02, 0.6, 200)[:, None]
    told, hidden = random.random((2, 200, 30)) < shares
    told, hidden = told.astype(np.float32), (hidden & ~told).astype(np.float32)
    rows = np.flatnonzero(told.any(axis=1) & hidden.any(axis=1))
    companies = Companies(np.ones((len(rows), 2), np.float32), known(told[rows]), np.arange(len(rows)))
    warm = Holdout(companies, known(hidden[rows]))
    cold = Holdout(replace(companies, known=known(np.zeros((len(rows), 30)))), warm.hidden)
    by_column, found = find_companies(Popularity.fit(companies), warm, cold)
    assert found > 1.5 * by_column
