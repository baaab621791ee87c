import numpy as np
import pytest
import scipy.sparse as sp

from hcf_spark.models.ranking import recommend, top_k


def sorted_by_hand(row, cutoff):
    return sorted(range(len(row)), key=lambda product: (-row[product], product))[:cutoff]


def recommended(scores, known, cutoff):
    scores = np.array(scores, np.float32)
    known = None if known is None else sp.csr_matrix(np.array(known, np.float32))
    return [(products.tolist(), values.tolist()) for products, values in recommend(scores, known, cutoff)]


@pytest.mark.parametrize("cutoff", [1, 2, 7, 12, 50])
@pytest.mark.parametrize("distinct", [2, 4, 1000])
def test_top_k_is_a_sort_with_ties_in_product_order(cutoff, distinct):
    scores = np.random.default_rng(cutoff).integers(0, distinct, (40, 12)).astype(np.float32)
    scores[np.random.default_rng(1).random(scores.shape) < 0.2] = -np.inf
    ranked = top_k(scores, cutoff)
    assert ranked.dtype == np.int64
    assert ranked.tolist() == [sorted_by_hand(row, cutoff) for row in scores]


@pytest.mark.parametrize("distinct", [2, 20, 1_000_000])
@pytest.mark.parametrize("width", [96, 97, 500])
def test_rows_too_wide_to_look_at_every_product_are_no_exception(width, distinct):
    scores = np.random.default_rng(width).integers(0, distinct, (200, width)).astype(np.float32)
    scores[np.random.default_rng(1).random(scores.shape) < 0.5] = -np.inf
    assert top_k(scores, 2).tolist() == [sorted_by_hand(row, 2) for row in scores]


def test_top_k_of_nobody():
    assert top_k(np.zeros((0, 5), np.float32), 3).shape == (0, 3)


def test_best_products_first_with_their_scores_and_known_ones_left_out():
    scores = [[0.1, 0.9, 0.5, 0.7], [0.4, 0.3, 0.2, 0.1]]
    known = [[0, 1, 0, 0], [0, 0, 0, 0]]
    assert recommended(scores, known, 2) == [
        ([3, 2], np.array([0.7, 0.5], np.float32).tolist()),
        ([0, 1], np.array([0.4, 0.3], np.float32).tolist()),
    ]


def test_equal_scores_come_in_product_order():
    assert [products for products, _ in recommended([[1, 2, 1, 2, 1]], [[0, 0, 0, 0, 0]], 4)] == [[1, 3, 0, 2]]


def test_none_is_left_out_where_nothing_is_said_to_be_known():
    assert [products for products, _ in recommended([[1, 3, 2]], None, 3)] == [[1, 2, 0]]


def test_fewer_where_fewer_are_left_and_none_where_all_are_known():
    known = [[1, 1, 0], [1, 1, 1], [0, 0, 0]]
    assert [products for products, _ in recommended(np.ones((3, 3)), known, 5)] == [[2], [], [0, 1, 2]]


@pytest.mark.parametrize("cutoff", [0, -3])
def test_fewer_than_one_product_cannot_be_asked_for(cutoff):
    with pytest.raises(ValueError, match=f"^at least 1 product must be asked for, found {cutoff}$"):
        recommended([[1, 2, 3]], None, cutoff)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(bad):
    with pytest.raises(
        ValueError, match=r"^1 of 3 scores are not finite: train the model again with a lower learning rate$"
    ):
        recommended([[1, bad, 3]], [[0, 1, 0]], 2)
