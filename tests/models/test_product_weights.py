"""Closed forms of more products than fit: what is left out of them, and what that costs."""

import logging
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from safetensors.numpy import load_file, save_file
from sklearn.linear_model import Ridge
from worlds import random_world, wide_world

from hcf_spark.errors import TrainingError
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.evaluate import mean_ndcg
from hcf_spark.models import free_memory, item_knn, product_weights
from hcf_spark.models.companies import Companies, text_mean, unit_rows
from hcf_spark.models.ease import EaseStatistics, ease_weights
from hcf_spark.models.ease_text import EaseTextStatistics
from hcf_spark.models.item_knn import ItemKnnStatistics
from hcf_spark.models.popularity import Popularity
from hcf_spark.models.product_weights import head_products, spread, vote
from hcf_spark.models.ranking import top_k


def strength(train):
    """What is tried first: three times the mean number of companies per product of the closed form."""
    return CLOSED_FORM["ease"].start(train)["strength"]


def ease(train):
    return EaseStatistics.of(train).fit(strength(train), seed=0)


def ease_text(train):
    return EaseTextStatistics.of(train).fit(strength(train), text_strength=2.0, cold_strength=2.0, seed=0)


CLOSED_FORMS = (ease, ease_text)


@pytest.fixture
def limit(monkeypatch):
    def set_limits(most_direct, strongest):
        monkeypatch.setattr(product_weights, "MOST_DIRECT", most_direct)
        monkeypatch.setattr(product_weights, "STRONGEST", strongest)

    return set_limits


@pytest.fixture(scope="module")
def wide():
    return wide_world(0, n_companies=2000, n_products=30_000)


def used(*counts):
    """Companies of which the first ``counts[j]`` use product j."""
    return sp.csr_matrix((np.arange(max(counts))[:, None] < np.array(counts)).astype(np.float32))


def test_the_head_is_the_most_used_products_and_of_equal_ones_the_first(limit, caplog):
    limit(3, 1)
    with caplog.at_level(logging.INFO):
        assert head_products(used(1, 5, 2, 2, 2, 8), "ease", 3).tolist() == [1, 2, 5]
    assert caplog.messages == [
        "ease: closed form of the 3 most used products; the other 3 of 6, with 25.0% of the interactions, are left out "
        "of it; its matrices take up to 0.0 GB"
    ]


def test_up_to_the_limit_all_products_take_part_and_nothing_is_said(limit, caplog):
    limit(6, 1)
    weights = np.arange(36, dtype=np.float32).reshape(6, 6)
    with caplog.at_level(logging.INFO):
        head = head_products(used(1, 5, 2, 2, 2, 8), "ease", 3)
    assert spread(weights, head, 6) is weights
    assert caplog.messages == []


def test_matrices_that_exceed_the_free_memory_are_refused_before_they_are_made():
    known = sp.csr_matrix((1, 30_000), dtype=np.float32)
    with pytest.raises(
        TrainingError,
        match=r"^ease: the closed form of 10000 of 30000 products needs about 400000\.0 GB of memory, \d+\.\d GB are "
        r"free; take a machine with more, or raise filter\.min_companies_per_product$",
    ):
        head_products(known, "ease", 1_000_000)


def test_the_strongest_weights_stay(limit):
    limit(3, 1)
    weights = np.array([[0, 1, -4], [-3, 0, 5], [2, -3, 0]], np.float32)
    assert spread(weights, np.array([0, 2, 3]), 4).toarray().tolist() == [[0, 0, 0, -4], [0] * 4, [0, 0, 0, 5], [0] * 4]
    weights[2, 1] = -9
    found = spread(weights, np.array([0, 2, 3]), 4).toarray()
    assert found.tolist() == [[0, 0, 0, -4], [0] * 4, [0, 0, 0, 5], [0, 0, -9, 0]]


def test_within_the_head_it_is_the_closed_form_of_the_head_alone(limit):
    limit(9, 8)
    train, _ = random_world(1)
    head = head_products(train.known, "ease", 3)
    gram = (train.known.T @ train.known).toarray()[np.ix_(head, head)]
    expected = np.zeros((15, 15))
    expected[np.ix_(head, head)] = ease_weights(gram, 3 * gram.diagonal().mean())
    np.testing.assert_allclose(ease(train).weights.toarray(), expected, atol=1e-6)


def test_the_tail_of_ease_with_text_is_scored_by_a_ridge_of_the_text(limit):
    limit(9, 8)
    train, _ = random_world(1)
    tail = np.setdiff1d(np.arange(15), head_products(train.known, "ease", 3))
    warm = train.take(vote(train.known, ease_text(train).weights).any(axis=1))
    unit = unit_rows(train.text, text_mean(train.text))
    ridge = Ridge(alpha=2.0, fit_intercept=False).fit(unit, train.known[:, tail].toarray())
    expected = ridge.predict(unit_rows(warm.text, text_mean(train.text)))
    np.testing.assert_allclose(ease_text(train).score(warm)[:, tail], expected, atol=1e-5)


def test_ease_gives_popularity_to_a_company_whose_products_are_all_left_out(limit):
    limit(9, 8)
    train, _ = random_world(1)
    model = ease(train)
    (unpopular,) = np.setdiff1d(np.arange(15), head_products(train.known, "ease", 3))[:1]
    known = sp.csr_matrix(np.eye(15, dtype=np.float32)[[unpopular]])
    assert (model.score(Companies(np.zeros((1, 5), np.float32), known, np.array([-1]))) == model.fallback).all()


@pytest.mark.parametrize("make", CLOSED_FORMS)
def test_the_sparse_form_travels_as_arrays(limit, make, tmp_path):
    limit(9, 4)
    train, _ = random_world(1)
    model = make(train)
    save_file({key: np.ascontiguousarray(array) for key, array in model.arrays().items()}, tmp_path / "arrays")
    loaded = type(model).from_arrays(load_file(tmp_path / "arrays"))
    assert (loaded.score(train) == model.score(train)).all()


@pytest.mark.parametrize("make", CLOSED_FORMS)
def test_the_sparse_form_ranks_nearly_as_the_dense_one(limit, make):
    train, warm = wide_world(0, n_companies=1500, n_products=600)
    dense = make(train)
    limit(400, 30)
    sparse = make(train)
    assert sp.issparse(sparse.weights)
    first, second = (top_k(model.score(train), 20) for model in (dense, sparse))
    assert np.mean([np.isin(row, other).mean() for row, other in zip(first, second, strict=True)]) > 0.85
    assert mean_ndcg(sparse, warm, 20) > 0.99 * mean_ndcg(dense, warm, 20)


@pytest.mark.parametrize("make", CLOSED_FORMS)
def test_memory_grows_with_the_head_and_not_with_the_square_of_all_products(limit, make, wide):
    limit(1000, 200)
    model, peak = traced(make, wide[0])
    assert peak < 0.6e9  # a matrix of all products has 3.6 GB
    assert_beats_popularity(model, *wide)


@pytest.mark.slow
def test_ease_of_30_000_products_stays_within_what_it_says(caplog, wide):
    with caplog.at_level(logging.INFO):
        model, peak = traced(ease, wide[0])
    assert caplog.messages[0].startswith("ease: closed form of the 10000 most used products; the other 20000 of 30000")
    assert caplog.messages[0].endswith("its matrices take up to 1.2 GB")
    assert peak < 1.05 * 1.2e9
    assert_beats_popularity(model, *wide)


def test_item_knn_of_30_000_products_stays_within_what_it_asks_for(monkeypatch, wide):
    asked = []
    monkeypatch.setattr(item_knn, "require_memory", lambda what, gigabytes: asked.append((what, gigabytes)))
    _, peak = traced(lambda train: ItemKnnStatistics.of(train).fit(50, 1.0, 0.5, seed=0), wide[0])
    ((what, gigabytes),) = asked
    assert what.startswith("item_knn: the similarity of ")
    assert 0.7 * gigabytes < peak / 1e9 < 1.1 * gigabytes


def test_item_knn_that_exceeds_the_free_memory_is_refused(monkeypatch, wide):
    monkeypatch.setattr(free_memory, "free_memory", lambda: 1000)
    with pytest.raises(
        TrainingError,
        match=r"^item_knn: the similarity of [\d,]+ pairs among 30000 products needs about \d\.\d GB of memory, "
        r"0\.0 GB are free; take a machine with more, or raise filter\.min_companies_per_product$",
    ):
        ItemKnnStatistics.of(wide[0])


def traced(make, train):
    """The model and the most bytes that were held at once while it was fitted."""
    tracemalloc.start()
    try:
        return make(train), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def assert_beats_popularity(model, train, warm):
    some = warm.take(slice(300))
    assert mean_ndcg(model, some, 20) > mean_ndcg(Popularity.fit(train), some, 20)
