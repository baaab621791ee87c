import numpy as np
import pytest
import scipy.sparse as sp
from worlds import checkerboard, fit_first, telling_world

from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.told_products import TOLD, slice_told_products, tell_products
from hcf_spark.models.companies import Holdout


def used_by(n_products):
    """Companies with so many products of twelve each."""
    return sp.csr_matrix((np.arange(12) < np.array(n_products)[:, None]).astype(np.float32))


def test_products_are_told_one_after_the_other():
    used = used_by([6, 9, 12])
    told = dict(tell_products(used, seed=0))
    assert tuple(told) == TOLD
    before = used_by([0, 0, 0]).toarray()
    for number, known in told.items():
        cells = known.toarray()
        assert (cells.sum(axis=1) == number).all()
        assert (cells >= before).all(), "what was told stays told"
        assert (cells <= used.toarray()).all()
        before = cells


def test_the_order_is_drawn_by_seed():
    used = used_by([12] * 30)
    first, again, other = (dict(tell_products(used, seed))[1].toarray() for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert (first.sum(axis=0) > 0).sum() > 6, "not the first products of each"


def test_only_companies_with_something_left_to_find_are_judged():
    train, holdouts = telling_world(0)
    n_enough = (holdouts.cold.hidden.getnnz(axis=1) > 5).sum()
    found = slice_told_products(fit_first(CLOSED_FORM["ease"], train), holdouts.cold, 10, seed=0)
    assert 0 < n_enough < len(holdouts.cold)
    assert [row["companies"] for row in found.values()] == [n_enough] * len(TOLD)
    few = Holdout(holdouts.cold.companies, dict(tell_products(holdouts.cold.hidden, 0))[5])
    assert slice_told_products(fit_first(CLOSED_FORM["ease"], train), few, 10, seed=0) == {}


def test_a_model_that_folds_in_learns_from_what_it_is_told():
    """One product tells the parity; the sixth of each company's own six is what is to be found."""
    train, holdouts = checkerboard(n_companies=60)
    found = slice_told_products(fit_first(CLOSED_FORM["ease"], train), holdouts.cold, 1, seed=0)
    assert [found[number]["recall_at_1"] for number in ("1", "2", "3", "5")] == [1.0] * 4
    assert found["0"]["recall_at_1"] < 1


@pytest.mark.parametrize("name", ["popularity", "ae"])
def test_what_is_told_plays_no_part_for_a_model_that_does_not_fold_in(name):
    train, holdouts = telling_world(1)
    found = slice_told_products(fit_first(CLOSED_FORM[name], train), holdouts.cold, 10, seed=0)
    assert all(row == found["0"] for row in found.values())
    assert found["0"]["ndcg_at_10"] > 0
