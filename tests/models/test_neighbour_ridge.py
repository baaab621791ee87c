"""The cold base of the fused model, against one independent least-squares problem per product."""

import numpy as np
import pytest
from worlds import random_world, unseen

from hcf_spark.models.companies import text_mean, unit_rows
from hcf_spark.models.neighbour_ridge import Neighbourhood, NeighbourRidge, NeighbourRidgeStatistics
from hcf_spark.models.reference import Reference
from hcf_spark.models.text_knn import TextNeighbours

STRENGTHS = {"text_strength": 2.0, "offset": 0.4}


@pytest.fixture
def train():
    return random_world(0)[0]


@pytest.fixture
def neighbourhood(train):
    return Neighbourhood(TextNeighbours(Reference.of(train), 7), k=7, sharpness=3.0)


def features(companies, train):
    return np.hstack([unit_rows(companies.text, text_mean(train.text)), np.ones((len(companies), 1))])


def ridge(inputs, target, penalties):
    """argmin |target - inputs w|^2 + sum penalties w^2, by least squares on stacked rows."""
    rows = np.vstack([inputs, np.diag(np.sqrt(penalties))])
    return np.linalg.lstsq(rows, np.concatenate([target, np.zeros(len(penalties))]), rcond=None)[0]


def test_neighbour_ridge_is_one_ridge_per_product_on_the_text(train, neighbourhood):
    model = NeighbourRidgeStatistics.of(train, neighbourhood).fit(**STRENGTHS)
    f, profiles = features(train, train), neighbourhood.profiles(train)
    target = train.known.toarray() - 0.4 * profiles
    weights = np.stack([ridge(f, column, [*np.full(f.shape[1] - 1, 2.0), 0.0]) for column in target.T], axis=1)
    np.testing.assert_allclose(model.score(train), f @ weights + 0.4 * profiles, atol=1e-4)


def test_without_text_and_products_the_ridge_ranks_by_popularity(train, neighbourhood):
    model = NeighbourRidgeStatistics.of(train, neighbourhood).fit(2.0, 0.5)
    nothing = unseen(np.zeros((1, train.text.shape[1]), np.float32), train.known.shape[1])
    (scores,) = model.score(nothing)
    counts = train.known.toarray().sum(axis=0)
    assert np.argmax(scores) == np.argmax(counts)
    assert np.corrcoef(scores, counts)[0, 1] > 0.9


def test_arrays_hold_all_of_it(train, neighbourhood):
    model = NeighbourRidgeStatistics.of(train, neighbourhood).fit(**STRENGTHS)
    assert (NeighbourRidge.from_arrays(model.arrays()).score(train) == model.score(train)).all()
