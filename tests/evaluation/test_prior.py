"""How much of the cold score stays once products are known."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from hcf_spark.evaluation.prior import find_prior
from hcf_spark.models.companies import Companies, Holdout, Regimes
from hcf_spark.models.fused import NO_PRIOR, Fused, Prior
from hcf_spark.models.mixture import Mixture
from hcf_spark.models.popularity import Popularity

COMPANIES, PRODUCTS, USED, TOLD = 200, 30, 8, 6


class Scores:
    """The same row of scores for a company whatever is known of it; the text says which."""

    name, folds_in = "scores", True

    def __init__(self, scores):
        self.scores = scores.astype(np.float32)

    def score(self, companies):
        return self.scores[companies.text[:, 0].astype(int)]


class KnownOnly(Scores):
    """Noise where no more than three products are known."""

    def score(self, companies):
        is_known = companies.known.getnnz(axis=1)[:, None] > 3
        return np.where(is_known, super().score(companies), 0.5 * noise(4).score(companies)).astype(np.float32)


def holdout(used, told):
    """All companies, told so many of the products that they use."""
    order = np.argsort(-used.toarray(), axis=1, kind="stable")[:, :told]
    known = np.zeros(used.shape, np.float32)
    np.put_along_axis(known, order, 1, axis=1)
    text = np.arange(COMPANIES, dtype=np.float32)[:, None]
    companies = Companies(text, sp.csr_matrix(known), np.full(COMPANIES, -1))
    return Holdout(companies, sp.csr_matrix(used.toarray() - known))


@pytest.fixture(scope="module")
def used():
    random = np.random.default_rng(0)
    rows = np.zeros((COMPANIES, PRODUCTS), np.float32)
    for row in rows:
        row[random.choice(PRODUCTS, USED, replace=False)] = 1
    return sp.csr_matrix(rows)


@pytest.fixture(scope="module")
def validation(used):
    return Regimes(holdout(used, TOLD), holdout(used, 0))


def truth(used):
    return Scores(used.toarray())


def noise(seed=1):
    return Scores(np.random.default_rng(seed).standard_normal((COMPANIES, PRODUCTS)))


def find(warm, cold, validation, trials=4):
    return find_prior(warm, cold, validation, cutoff=5, seed=0, trials=trials)


def test_what_is_right_already_gets_no_prior(used, validation):
    prior, tried = find(truth(used), noise(), validation)
    assert prior == NO_PRIOR
    assert len(tried) == 4


def of_known(tried, prior):
    return next(ndcg for each, ndcg in tried if each == prior)


def without(warm, validation):
    return find(warm, Scores(np.zeros((COMPANIES, PRODUCTS))), validation)[1][0][1]


def test_noise_gets_a_prior_that_reaches_known_companies(used, validation):
    prior, tried = find(noise(), truth(used), validation)
    assert prior.decay == 1.0
    assert of_known(tried, prior) > without(noise(), validation) + 0.02


def test_newcomers_get_one_that_known_companies_hardly_notice(used, validation):
    """The cold score knows which products companies use early, and is wrong about the others."""
    warm = KnownOnly(used.toarray() + 0.4 * noise(2).scores)
    cold = Scores(validation.warm.companies.known.toarray() - validation.warm.hidden.toarray())
    prior, tried = find(warm, cold, validation)
    assert prior.decay == 4.0
    assert of_known(tried, prior) == pytest.approx(without(warm, validation), abs=0.005)
    far = min(ndcg for each, ndcg in tried if each.decay == 1.0)
    assert far < without(warm, validation) - 0.01


def test_no_more_are_tried_than_allowed(used, validation):
    assert len(find(noise(), truth(used), validation, trials=2)[1]) == 2
    assert find(noise(), truth(used), validation, trials=0) == (NO_PRIOR, [])


def test_where_the_cold_score_says_nothing_there_is_no_prior(used, validation):
    assert find(noise(), Scores(np.zeros((COMPANIES, PRODUCTS))), validation)[0] == NO_PRIOR


def test_the_cold_score_counts_less_the_more_products_are_known():
    """s = 2 + w / n^decay, and the cold score alone where n = 0."""
    train = Companies(np.zeros((1, 2), np.float32), sp.csr_matrix(np.ones((1, 8), np.float32)), np.zeros(1, int))
    one = Popularity(np.ones(8, np.float32))
    fused = Fused.of_parts(Mixture((one,), (2.0,)), one, Prior(0.5, 2.0), train, vector_size=4, seed=0)
    known = sp.csr_matrix((np.arange(8) < np.array([[0], [1], [2], [4]])).astype(np.float32))
    some = Companies(np.zeros((4, 2), np.float32), known, np.full(4, -1))
    assert fused.score(some)[:, 0].tolist() == [1.0, 2.5, 2.125, 2.03125]
    again = Fused.from_arrays(fused.arrays())
    assert (again.score(some) == fused.score(some)).all()
    assert (replace(fused, prior=NO_PRIOR).score(some)[1:] == 2).all()
