import numpy as np
import pytest
import scipy.sparse as sp
from worlds import random_world

from hcf_spark.evaluation.slices import popularity_slices, slice_ranking
from hcf_spark.models.companies import Companies, Holdout
from hcf_spark.models.popularity import Popularity
from hcf_spark.models.ranking import top_k


def companies_of(known):
    known = sp.csr_matrix(np.asarray(known, np.float32))
    return Companies(np.zeros((known.shape[0], 2), np.float32), known, np.arange(known.shape[0]))


@pytest.mark.parametrize(
    ("counts", "slices"),
    [([6, 3, 3, 2, 2, 2], [0, 1, 1, 2, 2, 2]), ([1, 9, 1, 1], [2, 0, 2, 2]), ([1, 1, 1], [0, 1, 2]), ([5, 0], [0, 2])],
)
def test_each_popularity_slice_begins_where_a_third_of_the_interactions_is_reached(counts, slices):
    train = companies_of(np.arange(9)[:, None] < counts)
    assert popularity_slices(train).tolist() == slices


def test_companies_go_by_their_number_of_known_products_and_empty_slices_are_left_out():
    known = np.zeros((5, 60))
    for row, n_known in enumerate((1, 2, 3, 10, 51)):
        known[row, :n_known] = 1
    hidden = np.zeros((5, 60))
    hidden[:, 59] = 1
    ranked = np.array([[59, 58], [57, 58], [58, 59], [59, 58], [58, 57]])
    found = slice_ranking(ranked, Holdout(companies_of(known), sp.csr_matrix(hidden)), companies_of(known), 2)
    second = pytest.approx(1 / np.log2(3))
    assert found["known_products"] == {
        "1-2": {"companies": 2, "recall_at_2": 0.5, "ndcg_at_2": 0.5},
        "3-5": {"companies": 1, "recall_at_2": 1.0, "ndcg_at_2": second},
        "6-10": {"companies": 1, "recall_at_2": 1.0, "ndcg_at_2": 1.0},
        "51+": {"companies": 1, "recall_at_2": 0.0, "ndcg_at_2": 0.0},
    }


def test_companies_go_by_the_length_of_their_text_where_it_is_told():
    n_tokens = np.array([0, 1, 64, 65, 1024, 5000])
    hidden = sp.csr_matrix(np.tile(np.array([[0, 1]], np.float32), (6, 1)))
    holdout = Holdout(companies_of(np.zeros((6, 2))), hidden, n_tokens).take(np.arange(1, 6))
    found = slice_ranking(np.array([[1], [0], [1], [1], [0]]), holdout, companies_of(np.ones((1, 2))), 1)
    assert {name: (row["companies"], row["recall_at_1"]) for name, row in found["text_tokens"].items()} == {
        "1-64": (2, 0.5), "65-256": (1, 1.0), "257-1024": (1, 1.0), "1025+": (1, 0.0),
    }  # fmt: skip


def test_hidden_products_of_a_slice_are_looked_for_among_all_products():
    train = companies_of(np.arange(6)[:, None] < [6, 6, 3, 3])
    hidden = sp.csr_matrix(np.array([[1, 0, 1, 0], [0, 1, 0, 0]], np.float32))
    ranked = np.array([[0, 1, 2], [0, 1, 2]])
    found = slice_ranking(ranked, Holdout(companies_of(np.zeros((2, 4))), hidden), train, 2)
    assert found["known_products"] == {}
    assert found["popularity"] == {
        "head": {"companies": 1, "recall_at_2": 1.0, "ndcg_at_2": 1.0},
        "torso": {"companies": 1, "recall_at_2": 1.0, "ndcg_at_2": pytest.approx(1 / np.log2(3))},
        "tail": {"companies": 1, "recall_at_2": 0.0, "ndcg_at_2": 0.0},
    }


def test_popularity_is_better_at_the_head_than_at_the_tail():
    train, holdouts = random_world(0)
    ranked = top_k(Popularity.fit(train).score(holdouts.cold.companies), 5)
    found = slice_ranking(ranked, holdouts.cold, train, 5)["popularity"]
    assert found["head"]["recall_at_5"] == 1.0
    assert found["tail"]["recall_at_5"] == 0.0
