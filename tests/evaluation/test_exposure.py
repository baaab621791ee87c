import numpy as np
import pytest
import scipy.sparse as sp
from worlds import random_world, unseen

from hcf_spark.evaluation.exposure import exposure_at_k, gini
from hcf_spark.models.companies import Companies, Holdout


def holdout_of(known):
    known = sp.csr_matrix(np.array(known, np.float32))
    companies = Companies(np.zeros((known.shape[0], 2), np.float32), known, np.arange(known.shape[0]))
    return Holdout(companies, sp.csr_matrix(known.shape, dtype=np.float32))


def train_of(counts, n_companies):
    known = (np.arange(n_companies)[:, None] < counts).astype(np.float32)
    return Companies(np.zeros((n_companies, 2), np.float32), sp.csr_matrix(known), np.arange(n_companies))


def test_figures_of_a_case_worked_out_by_hand():
    ranked = np.array([[0, 1, 3], [0, 2, 3]])
    found = exposure_at_k(ranked, holdout_of(np.zeros((2, 4))), train_of([8, 4, 2, 1], 8), cutoff=2)
    assert found == {"coverage_at_2": 0.75, "gini_at_2": 0.375, "novelty_at_2": (0 + 1 + 0 + 2) / 4}


def test_known_products_at_the_end_of_a_short_ranking_are_not_shown():
    ranked = np.array([[2, 0, 1]])
    found = exposure_at_k(ranked, holdout_of([[1, 1, 0]]), train_of([4, 4, 1], 4), cutoff=3)
    assert (found["coverage_at_3"], found["novelty_at_3"]) == (1 / 3, 2.0)


def test_a_product_without_training_companies_counts_as_used_by_one():
    found = exposure_at_k(np.array([[1]]), holdout_of([[0, 0]]), train_of([4, 0], 4), cutoff=1)
    assert found["novelty_at_1"] == 2.0


@pytest.mark.parametrize("seed", range(5))
def test_gini_is_half_the_mean_difference_by_the_mean(seed):
    amounts = np.random.default_rng(seed).integers(0, 9, 30)
    mean_difference = np.abs(amounts[:, None] - amounts).mean()
    assert gini(amounts) == pytest.approx(mean_difference / 2 / amounts.mean(), abs=1e-12)


def test_gini_of_equal_amounts_is_nothing_and_of_one_for_all_nearly_one():
    assert gini(np.full(10, 3)) == 0
    assert gini(np.eye(10, dtype=int)[4]) == pytest.approx(0.9)


def test_cold_companies_are_shown_whole_rankings():
    train, holdouts = random_world(0)
    ranked = np.tile(np.arange(15), (20, 1))
    found = exposure_at_k(ranked, Holdout(unseen(np.zeros((20, 5)), 15), holdouts.cold.hidden), train, 6)
    assert (found["coverage_at_6"], found["gini_at_6"]) == (0.4, pytest.approx(0.6))
