"""The closed forms against independent solutions of what they minimise."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import Ridge
from worlds import fit_first, random_world, unseen

from hcf_spark.errors import TrainingError
from hcf_spark.evaluation.candidate import Search
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.models.by_regime import ByRegime
from hcf_spark.models.companies import Companies, text_mean, unit_rows
from hcf_spark.models.ease import EaseStatistics, ease_weights
from hcf_spark.models.ease_text import EaseTextStatistics
from hcf_spark.models.popularity import Popularity
from hcf_spark.models.score_axes import score_axes
from hcf_spark.models.text_ridge import TextRidgeStatistics


def test_popularity_is_the_share_of_training_companies():
    known = sp.csr_matrix(np.array([[1, 0, 1], [1, 0, 0], [1, 0, 0], [0, 0, 1]], np.float32))
    train = Companies(np.zeros((4, 2), np.float32), known, np.arange(4))
    assert Popularity.fit(train).score(train.take(slice(2))).tolist() == [[0.75, 0.0, 0.5]] * 2


def test_ease_is_one_ridge_per_product_on_all_the_others():
    train, _ = random_world(1)
    usage = train.known.toarray().astype(np.float64)
    weights = ease_weights((train.known.T @ train.known).toarray(), ridge=7.0)
    for product in range(usage.shape[1]):
        others = np.delete(usage, product, axis=1)
        expected = Ridge(alpha=7.0, fit_intercept=False).fit(others, usage[:, product]).coef_
        np.testing.assert_allclose(np.delete(weights[:, product], product), expected, atol=1e-6)
        assert weights[product, product] == 0


def test_what_is_tried_does_not_depend_on_the_number_of_companies():
    train, _ = random_world(1)
    twice = Companies(np.vstack([train.text] * 2), sp.vstack([train.known] * 2).tocsr(), np.arange(2 * len(train)))
    one, two = (fit_first(CLOSED_FORM["ease"], companies) for companies in (train, twice))
    np.testing.assert_allclose(one.weights, two.weights, atol=1e-6)


def test_a_penalty_that_was_found_counts_less_where_there_is_more_data():
    train, validation = random_world(1)
    twice = Companies(np.vstack([train.text] * 2), sp.vstack([train.known] * 2).tocsr(), np.arange(2 * len(train)))
    choice = CLOSED_FORM["ease"].tune(train, validation, Search(1, 5, 0))
    found = choice.settings["warm"]["strength"]
    assert found == pytest.approx(3.0 * train.known.nnz / train.known.shape[1])
    gram = (twice.known.T @ twice.known).toarray()
    on_all = CLOSED_FORM["ease"].fit(twice, choice.settings, seed=0)
    np.testing.assert_allclose(on_all.weights, ease_weights(gram, found), atol=1e-6)


def test_ease_fallback_is_popularity_at_the_level_of_the_scores():
    train, _ = random_world(1)
    model = EaseStatistics.of(train).fit(strength=1.0, seed=0)
    nobody_knows = unseen(train.text, train.known.shape[1])
    assert model.score(nobody_knows).mean() == pytest.approx(model.score(train).mean(), rel=1e-5)


def test_ease_falls_back_where_the_only_known_product_goes_with_no_other():
    known = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 0], [0, 0, 1]], np.float32)
    train = Companies(np.zeros((4, 2), np.float32), sp.csr_matrix(known), np.arange(4))
    model = EaseStatistics.of(train).fit(strength=1.0, seed=0)
    assert (model.score(train)[3] == model.fallback).all()
    assert model.fallback.tolist() == sorted(model.fallback, reverse=True)


def test_ease_without_any_pair_of_products_is_popularity():
    train = Companies(np.zeros((4, 2), np.float32), sp.csr_matrix(np.eye(4, 3, dtype=np.float32)), np.arange(4))
    model = EaseStatistics.of(train).fit(strength=1.0, seed=0)
    assert (model.score(train) == model.fallback).all()
    assert (model.fallback > 0).all()


def test_ease_without_any_interaction_says_so():
    train = unseen(np.zeros((4, 2), np.float32), 3)
    with pytest.raises(TrainingError, match="ease: no product is used by any training company"):
        fit_first(CLOSED_FORM["ease"], train)


def test_ease_vectors_give_the_scores_back():
    train, _ = random_world(1)
    model = EaseStatistics.of(train).fit(strength=1.0, seed=0)
    np.testing.assert_allclose(model.embed(train) @ model.make_axes().T, model.score(train), atol=1e-5)


def penalised_fit(train, strength, text_strength):
    """B and W by one ridge per product on all other products and the text, each feature with its own penalty."""
    usage, unit = train.known.toarray().astype(np.float64), unit_rows(train.text, text_mean(train.text))
    n_products = usage.shape[1]
    weights, text_weights = np.zeros((n_products, n_products)), np.zeros((unit.shape[1], n_products))
    for product in range(n_products):
        others = np.delete(usage, product, axis=1)
        features = np.hstack([others / np.sqrt(strength), unit / np.sqrt(text_strength)])
        solved = Ridge(alpha=1.0, fit_intercept=False).fit(features, usage[:, product]).coef_
        weights[np.arange(n_products) != product, product] = solved[: n_products - 1] / np.sqrt(strength)
        text_weights[:, product] = solved[n_products - 1 :] / np.sqrt(text_strength)
    return weights, text_weights


def test_ease_with_text_is_one_ridge_per_product_on_all_the_others_and_the_text():
    train, _ = random_world(1)
    model = EaseTextStatistics.of(train).fit(strength=0.5, text_strength=2.0, cold_strength=1.0, seed=0)
    weights, text_weights = penalised_fit(train, 0.5, 2.0)
    np.testing.assert_allclose(model.weights, weights, atol=1e-5)
    np.testing.assert_allclose(model.text_weights, text_weights, atol=1e-5)
    unit = unit_rows(train.text, text_mean(train.text))
    some = train.known.getnnz(axis=1) > 0
    expected = train.known @ weights + unit @ text_weights
    np.testing.assert_allclose(model.score(train)[some], expected[some], atol=1e-5)


def test_ease_with_text_scores_companies_without_products_by_a_ridge_of_the_text_alone():
    train, holdouts = random_world(1)
    cold = holdouts.cold.companies
    model = EaseTextStatistics.of(train).fit(strength=0.5, text_strength=2.0, cold_strength=7.0, seed=0)
    assert (model.score(cold) == TextRidgeStatistics.of(train).fit(strength=7.0).score(cold)).all()


def test_ease_with_text_is_ease_where_nobody_has_text():
    train, _ = random_world(1)
    mute = train.with_text(np.zeros_like(train.text))
    with_text = EaseTextStatistics.of(mute).fit(strength=0.5, text_strength=2.0, cold_strength=1.0, seed=0)
    some = train.known.getnnz(axis=1) > 0
    expected = EaseStatistics.of(train).fit(strength=0.5, seed=0).score(train)
    np.testing.assert_allclose(with_text.score(mute)[some], expected[some], atol=1e-6)


def test_ease_with_text_vectors_give_the_scores_back():
    train, _ = random_world(1)
    model = EaseTextStatistics.of(train).fit(strength=0.5, text_strength=2.0, cold_strength=1.0, seed=0)
    warm = train.take(train.known.getnnz(axis=1) > 0)
    np.testing.assert_allclose(model.embed(warm) @ model.make_axes().T, model.score(warm), atol=1e-5)


def test_score_axes_of_a_sum_are_those_of_the_whole():
    random = np.random.default_rng(0)
    left, right = (
        random.standard_normal((2, 30, 6)).astype(np.float32),
        random.standard_normal((2, 6, 12)).astype(np.float32),
    )
    axes = score_axes(list(zip(left, right, strict=True)), seed=0, size=3)
    whole = score_axes([(sum(left @ right), np.eye(12, dtype=np.float32))], seed=0, size=3)
    np.testing.assert_allclose(np.abs((axes * whole).sum(axis=0)), 1, atol=1e-3)


def test_score_axes_are_the_singular_directions():
    random = np.random.default_rng(0)
    known = sp.random(80, 40, density=0.2, random_state=0, dtype=np.float32, format="csr")
    weights = random.standard_normal((40, 40)).astype(np.float32)
    axes = score_axes([(known, weights)], seed=0, size=5)
    scores = known @ weights
    _, strengths, _ = np.linalg.svd(scores, full_matrices=False)
    np.testing.assert_allclose(axes.T @ axes, np.eye(5), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(scores @ axes, axis=0), strengths[:5], rtol=5e-3)


def test_text_ridge_equals_scikit_learn():
    train, _ = random_world(2)
    unit = unit_rows(train.text, text_mean(train.text))
    usage = train.known.toarray()
    model = TextRidgeStatistics.of(train).fit(strength=2.0)
    expected = Ridge(alpha=2.0, fit_intercept=False).fit(unit, usage - usage.mean(axis=0)).coef_.T
    np.testing.assert_allclose(model.weights, expected, atol=1e-5)
    np.testing.assert_allclose(model.score(train), unit @ expected + usage.mean(axis=0), atol=1e-5)


def test_text_of_companies_without_text_is_not_learnt_from():
    train, _ = random_world(2)
    silent = train.text.copy()
    silent[:30] = 0
    with_silent = TextRidgeStatistics.of(train.with_text(silent))
    without = TextRidgeStatistics.of(train.take(slice(30, None)))
    np.testing.assert_allclose(with_silent.gram, without.gram, atol=1e-5)
    np.testing.assert_allclose(with_silent.mean, without.mean, atol=1e-6)


def test_by_regime_scores_each_company_by_the_model_of_its_regime():
    train, holdouts = random_world(3)
    warm, cold = EaseStatistics.of(train).fit(strength=1.0, seed=0), TextRidgeStatistics.of(train).fit(strength=1.0)
    known = sp.vstack([train.known[:2], holdouts.cold.companies.known[:1], train.known[2:3]]).tocsr()
    mixed = Companies(train.text[:4], known, np.array([0, 1, -1, 2]))
    pair = ByRegime(warm, cold)
    scores = pair.score(mixed)
    assert (scores[[0, 1, 3]] == warm.score(mixed.take(np.array([0, 1, 3])))).all()
    assert (scores[[2]] == cold.score(mixed.take(np.array([2])))).all()
    vectors = pair.embed(mixed)
    split = warm.make_axes().shape[1]
    np.testing.assert_allclose(np.linalg.norm(vectors[:, :split], axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(vectors[:, split:], axis=1), 1, rtol=1e-5)
