"""Nearest neighbours, of companies by text and of products by use, against plain loops over all pairs."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from worlds import fit_first, random_world, unseen, words_of

from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.models.companies import Companies, text_mean, unit_rows
from hcf_spark.models.hybrid_knn import HybridKnn
from hcf_spark.models.item_knn import ItemKnnStatistics
from hcf_spark.models.reference import Reference
from hcf_spark.models.text_knn import TextKnn, TextNeighbours
from hcf_spark.models.text_knn_words import TextKnnWords
from hcf_spark.models.word_reference import WordReference


def text_knn(train, k=4, sharpness=3.0, remembered=0):
    return TextKnn.fit(train, TextNeighbours(Reference.of(train), 9, remembered), 0, k, sharpness)


def weighted_mean_of_nearest(similarities, usage, k, sharpness):
    nearest = np.argsort(-similarities)[:k]
    weights = np.exp(sharpness * (similarities[nearest] - 1))
    return weights @ usage[nearest] / weights.sum()


def test_text_knn_is_the_weighted_mean_of_the_nearest_other_companies():
    train, holdouts = random_world(1)
    mean = text_mean(train.text)
    unit = unit_rows(train.text, mean)
    usage = train.known.toarray()
    seen = train.take(np.array([8, 2]))
    expected = [
        weighted_mean_of_nearest(np.delete(unit @ unit[row], row), np.delete(usage, row, axis=0), 4, 3.0)
        for row in (8, 2)
    ]
    np.testing.assert_allclose(text_knn(train).score(seen), expected, atol=1e-6)
    new = holdouts.cold.companies
    expected = [weighted_mean_of_nearest(unit @ row, usage, 4, 3.0) for row in unit_rows(new.text, mean)]
    np.testing.assert_allclose(text_knn(train).score(new), expected, atol=1e-6)


def text_knn_words(train, k=4, sharpness=3.0, remembered=0):
    return TextKnnWords.fit(train, TextNeighbours(WordReference.of(train), 9, remembered), 0, k, sharpness)


def tf_idf(train, words):
    """(B, W) float64 unit rows, by the formula."""
    counts, own = train.words.toarray().astype(np.float64), words.toarray().astype(np.float64)
    idf = 1 + np.log((1 + len(train)) / (1 + (counts > 0).sum(axis=0)))
    weights = np.where(own > 0, 1 + np.log(np.maximum(own, 1)), 0) * idf
    return weights / np.linalg.norm(weights, axis=1, keepdims=True)


@pytest.mark.parametrize("common", [0, 3, 256])
def test_text_knn_words_is_the_weighted_mean_of_the_nearest_by_tf_idf_of_training_companies(common, monkeypatch):
    """However many words are taken for common ones."""
    monkeypatch.setattr("hcf_spark.models.word_reference._COMMON_WORDS", common)
    train, holdouts = random_world(1)
    unit, usage, new = tf_idf(train, train.words), train.known.toarray(), holdouts.cold.companies
    expected = [
        weighted_mean_of_nearest(np.delete(unit @ unit[row], row), np.delete(usage, row, axis=0), 4, 3.0)
        for row in (8, 2)
    ]
    np.testing.assert_allclose(text_knn_words(train).score(train.take(np.array([8, 2]))), expected, atol=1e-6)
    expected = [weighted_mean_of_nearest(unit @ row, usage, 4, 3.0) for row in tf_idf(train, new.words)]
    np.testing.assert_allclose(text_knn_words(train).score(new), expected, atol=1e-6)


def test_companies_without_words_are_nobodys_neighbours_and_get_popularity():
    train, _ = random_world(1)
    silent = replace(train, words=words_of(train.text * (np.arange(len(train)) >= 30)[:, None]))
    reference = WordReference.of(silent)
    cosines = reference.text_cosines(silent)
    assert np.isfinite(cosines[30:, 30:]).all()
    assert (cosines[:30] == -np.inf).all()
    assert (cosines[:, :30] == -np.inf).all()
    for nothing in (silent.take(slice(30)), replace(train, words=None)):
        assert (text_knn_words(silent).score(nothing) == reference.shares).all()


def test_words_are_remembered_apart_from_vectors():
    train, _ = random_world(1)
    mindful, other = text_knn_words(train, remembered=9 * 60), replace(train, words=train.words[::-1])
    for companies in (train, other, train.with_text(-train.text)):
        assert (mindful.score(companies) == text_knn_words(train).score(companies)).all()


def test_nothing_is_fitted_on_words_that_are_not_there():
    train, _ = random_world(1)
    with pytest.raises(ValueError, match=r"^training companies without words cannot be compared by them: "):
        WordReference.of(replace(train, words=None))


def hybrid_knn(train, k=4, sharpness=3.0, text_share=0.3):
    return HybridKnn.fit(train, Reference.of(train), 0, k, sharpness, text_share)


def test_hybrid_knn_weighs_text_and_products_of_the_other_companies():
    train, _ = random_world(1)
    unit, usage = unit_rows(train.text, text_mean(train.text)), train.known.toarray()
    expected, rows = [], np.flatnonzero(usage.any(axis=1))[[4, 1]]
    for row in rows:
        others, products = np.delete(unit, row, axis=0), np.delete(usage, row, axis=0)
        lengths = np.maximum(np.linalg.norm(products, axis=1), 1) * np.linalg.norm(usage[row])
        similarities = 0.3 * others @ unit[row] + 0.7 * products @ usage[row] / lengths
        expected.append(weighted_mean_of_nearest(similarities, products, 4, 3.0))
    np.testing.assert_allclose(hybrid_knn(train).score(train.take(rows)), expected, atol=1e-6)


def test_hybrid_knn_asks_the_text_alone_or_the_products_alone_where_that_is_all_there_is():
    train, holdouts = random_world(1)
    cold = holdouts.cold.companies
    np.testing.assert_allclose(hybrid_knn(train).score(cold), text_knn(train).score(cold), atol=1e-6)
    mute = train.with_text(np.zeros_like(train.text))
    by_products = hybrid_knn(train, text_share=0.0).score(train)
    some = train.known.getnnz(axis=1) > 0
    np.testing.assert_allclose(hybrid_knn(train).score(mute)[some], by_products[some], atol=1e-6)


def test_companies_without_text_are_nobodys_neighbours():
    train, _ = random_world(1)
    silent = train.text.copy()
    silent[:30] = 0
    with_silent, without = text_knn(train.with_text(silent)), text_knn(train.take(slice(30, None)))
    speaking = train.take(slice(30, None))
    np.testing.assert_allclose(with_silent.score(speaking), without.score(speaking), atol=1e-5)


@pytest.mark.parametrize("n_companies", [0, 1, 2])
def test_text_knn_asks_no_more_companies_than_there_are(n_companies):
    train, _ = random_world(1)
    few = train.take(slice(n_companies))
    others = few.known.toarray()[::-1] if n_companies == 2 else few.known.toarray()
    assert (text_knn(few).score(few) == others).all()
    assert text_knn(few).embed(train).shape == (len(train), train.known.shape[1])


def test_remembered_neighbours_are_those_that_are_found_and_make_room():
    train, holdouts = random_world(1)
    forgetful, mindful = text_knn(train), text_knn(train, remembered=9 * 30)
    cold = holdouts.cold.companies
    twins = Companies(train.text[:20], train.known[:20], np.full(20, -1))
    for companies in (cold, train.take(slice(20)), twins, cold, cold, train):
        assert (mindful.score(companies) == forgetful.score(companies)).all()
    first = mindful.neighbours.find(cold)
    assert mindful.neighbours.find(cold) is first
    mindful.neighbours.find(twins)
    assert mindful.neighbours.find(cold) is not first


def test_item_knn_sums_the_similarities_of_the_known_products_that_are_near():
    train, _ = random_world(1)
    usage = train.known.toarray().astype(np.float64)
    counts, k, shrinkage, exponent = usage.sum(axis=0), 3, 2.0, 0.7
    similarities = np.zeros((usage.shape[1],) * 2)
    for target in range(len(counts)):
        column = usage.T @ usage[:, target] / (counts**exponent * counts[target] ** (1 - exponent) + shrinkage)
        column[target] = 0
        nearest = np.argsort(-column, kind="stable")[:k]
        similarities[nearest, target] = column[nearest]
    model = ItemKnnStatistics.of(train).fit(k, shrinkage, exponent, seed=0)
    np.testing.assert_allclose(model.similarities.toarray(), similarities, rtol=1e-6)
    scores = usage @ similarities
    np.testing.assert_allclose(model.score(train)[scores.any(axis=1)], scores[scores.any(axis=1)], rtol=1e-5)


def test_item_knn_stands_no_product_and_no_pair():
    nothing = unseen(np.zeros((4, 2), np.float32), 3)
    assert not ItemKnnStatistics.of(nothing).fit(5, 1.0, 0.5, seed=0).score(nothing).any()
    apart = Companies(np.zeros((4, 2), np.float32), sp.csr_matrix(np.eye(4, 3, dtype=np.float32)), np.arange(4))
    assert (ItemKnnStatistics.of(apart).fit(5, 1.0, 0.5, seed=0).score(apart) == 0.25).all()


@pytest.mark.parametrize("name", ["text_knn", "text_knn_words", "hybrid_knn", "item_knn"])
def test_vectors_of_neighbour_models_give_the_scores_back(name):
    train, _ = random_world(1)
    fitted = fit_first(CLOSED_FORM[name], train)
    np.testing.assert_allclose(fitted.embed(train) @ fitted.make_axes().T, fitted.score(train), atol=1e-5)
