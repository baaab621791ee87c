"""Training companies as newcomers."""

import numpy as np
import pytest
import scipy.sparse as sp
from worlds import random_world

from hcf_spark.evaluation import folds
from hcf_spark.evaluation.folds import cold_folds
from hcf_spark.models.companies import Companies


@pytest.fixture
def companies():
    return random_world(0)[0]


def test_every_company_is_judged_once_by_what_the_others_show(companies):
    judged = []
    for train, newcomers in cold_folds(companies, seed=0):
        own = (companies.text[:, None] == newcomers.companies.text).all(axis=2).argmax(axis=0)
        assert not np.isin(own, train.index).any()
        assert len(train) + len(own) == len(companies)
        assert newcomers.companies.known.nnz == 0
        assert (newcomers.companies.index == -1).all()
        assert (newcomers.hidden != companies.known[own]).nnz == 0
        judged += own.tolist()
    assert sorted(judged) == list(range(len(companies)))


def test_copies_are_in_one_part_and_companies_without_text_are_no_copies():
    text = np.repeat(np.eye(8, dtype=np.float32), 5, axis=0)
    text = np.vstack([text, np.zeros((200, 8), np.float32)])
    companies = Companies(text, sp.csr_matrix(np.ones((240, 2), np.float32)), np.arange(240))
    parts = [set(np.setdiff1d(np.arange(240), train.index)) for train, _ in cold_folds(companies, seed=1)]
    for group in np.arange(40).reshape(8, 5):
        assert sum(bool(part & set(group)) for part in parts) == 1
    assert all(part & set(range(40, 240)) for part in parts)


def test_companies_without_products_are_learnt_from_but_not_judged():
    known = sp.csr_matrix(np.eye(40, 3, dtype=np.float32))
    companies = Companies(np.random.default_rng(0).random((40, 4), np.float32), known, np.arange(40))
    found = list(cold_folds(companies, seed=0))
    assert sum(len(newcomers) for _, newcomers in found) == 3
    assert all((newcomers.hidden.getnnz(axis=1) == 1).all() for _, newcomers in found)


def test_no_more_are_judged_than_are_needed(companies, monkeypatch):
    monkeypatch.setattr(folds, "_MOST", 5)
    for train, newcomers in cold_folds(companies, seed=0):
        assert 0 < len(newcomers) <= 5
        assert len(train) > len(companies) / 2


def test_the_seed_decides(companies):
    first, again, other = ([train.index.tolist() for train, _ in cold_folds(companies, seed)] for seed in (0, 0, 1))
    assert first == again != other
