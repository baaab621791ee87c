"""Metrics against independent implementations: scikit-learn where it has them, the plain definition elsewhere."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    ndcg_score,
    precision_recall_fscore_support,
    roc_auc_score,
)

from hcf_spark.evaluation.cell_counts import count_cells
from hcf_spark.evaluation.metrics import (
    average_precision,
    best_f1_threshold,
    macro_precision_recall_f1,
    micro_precision_recall_f1,
    ndcg_at_k,
    recall_at_k,
    roc_auc,
)
from hcf_spark.models.ranking import top_k

SEEDS = range(5)


def cells(seed, distinct=8, companies=30, products=17):
    """Scores with many ties (-inf where known) and hidden cells that tend to score higher; some products have none."""
    random = np.random.default_rng(seed)
    hidden = random.random((companies, products)) < 0.15
    hidden[np.arange(companies), random.integers(0, products - 3, companies)] = True
    hidden[:, -3:] = False
    scores = np.round(random.random((companies, products)) + 0.3 * hidden, 6).astype(np.float32)
    if distinct is not None:
        scores = np.round(scores * distinct).astype(np.float32) / distinct - 0.5
    scores[(random.random(scores.shape) < 0.2) & ~hidden] = -np.inf
    return scores, hidden


def counted(scores, hidden, rows_per_block=7):
    blocks = (scores[start : start + rows_per_block] for start in range(0, len(scores), rows_per_block))
    return count_cells(scores[hidden], blocks)


def judged(scores, hidden):
    asked = np.isfinite(scores)
    return hidden[asked], scores[asked]


@pytest.mark.parametrize("distinct", [8, None])
@pytest.mark.parametrize("seed", SEEDS)
def test_roc_auc_and_average_precision_equal_scikit_learn(seed, distinct):
    scores, hidden = cells(seed, distinct)
    counts = counted(scores, hidden)
    assert roc_auc(counts) == pytest.approx(roc_auc_score(*judged(scores, hidden)), abs=1e-12)
    assert average_precision(counts) == pytest.approx(average_precision_score(*judged(scores, hidden)), abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_threshold_has_a_better_f1(seed):
    scores, hidden = cells(seed)
    truth, given = judged(scores, hidden)
    best = max(f1_score(truth, given >= threshold) for threshold in np.unique(given))
    assert f1_score(truth, given >= best_f1_threshold(counted(scores, hidden))) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("power", [1, 9, 30])
@pytest.mark.parametrize("shift", [-1, 0, 1e4])
def test_counts_are_exact_whatever_the_scores_look_like(power, shift):
    scores, hidden = cells(0, distinct=None, companies=60)
    scores = (np.sign(scores - 0.6) * np.abs(scores - 0.6) ** power + shift).astype(np.float32)
    scores[0, :3] = np.finfo(np.float32).max * np.array([1, -1, 0.5], np.float32)
    scores[1, :2] = scores[hidden].max(), scores[hidden].min()
    counts, asked = counted(scores, hidden), np.sort(scores[np.isfinite(scores)])
    assert (counts.thresholds == np.unique(scores[hidden])).all()
    assert (counts.at_least == len(asked) - np.searchsorted(asked, counts.thresholds, side="left")).all()
    assert (counts.above == len(asked) - np.searchsorted(asked, counts.thresholds, side="right")).all()
    assert counts.n_cells == len(asked)


@pytest.mark.parametrize("scores", [[[1, 1, 1, 1]], [[0, 1, 2, -np.inf]], [[-1e-45, 0, 1e-45, 1]]])
def test_counts_around_a_few_scores(scores):
    scores = np.array(scores, np.float32)
    counts = count_cells(scores[0, 1:3], [scores])
    assert counts.at_least.tolist() == [np.count_nonzero(scores >= value) for value in counts.thresholds]
    assert counts.above.tolist() == [np.count_nonzero(scores > value) for value in counts.thresholds]


def test_counts_do_not_depend_on_the_blocks():
    scores, hidden = cells(0)
    whole, rows = counted(scores, hidden, rows_per_block=1000), counted(scores, hidden, rows_per_block=1)
    assert (whole.at_least == rows.at_least).all()
    assert (whole.above == rows.above).all()
    assert whole.n_cells == rows.n_cells == np.isfinite(scores).sum()


def test_auc_is_undecided_where_every_cell_is_hidden():
    assert roc_auc(count_cells(np.ones(4, np.float32), [np.ones((2, 2), np.float32)])) == 0.5


@pytest.mark.parametrize("threshold", [-1.0, 0.25, 0.5, 9.0])
@pytest.mark.parametrize(
    ("average", "ours"), [("micro", micro_precision_recall_f1), ("macro", macro_precision_recall_f1)]
)
def test_precision_recall_f1_equal_scikit_learn(average, ours, threshold):
    scores, hidden = cells(0)
    predicted = scores >= threshold
    with_hidden = np.flatnonzero(hidden.any(axis=0)) if average == "macro" else None
    expected = precision_recall_fscore_support(hidden, predicted, average=average, labels=with_hidden, zero_division=0)[
        :3
    ]
    found = ours((hidden & predicted).sum(axis=0), predicted.sum(axis=0), hidden.sum(axis=0))
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("cutoff", [1, 5, 17])
@pytest.mark.parametrize("seed", SEEDS)
def test_top_k_equals_a_full_stable_sort(seed, cutoff):
    scores, _ = cells(seed)
    assert (top_k(scores, cutoff) == np.argsort(-scores, axis=1, kind="stable")[:, :cutoff]).all()


@pytest.mark.parametrize("cutoff", [1, 3, 20])
@pytest.mark.parametrize("products", [640, 1999])
@pytest.mark.parametrize("distinct", [2, 40, None])
def test_top_k_of_wide_rows_equals_a_full_stable_sort(distinct, products, cutoff):
    scores, _ = cells(0, distinct, companies=6, products=products)
    scores[0], scores[1, 2:] = 1.0, -np.inf
    assert (top_k(scores, cutoff) == np.argsort(-scores, axis=1, kind="stable")[:, :cutoff]).all()


def test_top_k_of_fewer_products_than_the_cutoff_ranks_them_all():
    assert top_k(np.array([[0.0, 2.0, 1.0]], np.float32), 20).tolist() == [[1, 2, 0]]


def test_equal_scores_rank_in_product_order():
    assert top_k(np.array([[1, 0, 1, 1, 0, 2]], np.float32), 3).tolist() == [[5, 0, 2]]


@pytest.mark.parametrize("cutoff", [1, 5, 20])
@pytest.mark.parametrize("seed", SEEDS)
def test_ndcg_equals_scikit_learn(seed, cutoff):
    scores, hidden = cells(seed, distinct=None)
    found = ndcg_at_k(top_k(scores, cutoff), sp.csr_matrix(hidden, dtype=np.float32))
    finite = np.where(np.isfinite(scores), scores, -1)
    expected = [ndcg_score(hidden[[i]], finite[[i]], k=cutoff) for i in range(len(scores))]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_recall_is_the_share_of_all_hidden_products(seed):
    scores, hidden = cells(seed)
    found = recall_at_k(top_k(scores, 2), sp.csr_matrix(hidden, dtype=np.float32))
    order = np.argsort(-scores, axis=1, kind="stable")[:, :2]
    expected = [len(set(order[i]) & set(np.flatnonzero(hidden[i]))) / hidden[i].sum() for i in range(len(scores))]
    np.testing.assert_allclose(found, expected)


def test_ideal_gain_is_cut_at_k_but_recall_is_not():
    scores, hidden = np.array([[3.0, 2.0, 1.0]], np.float32), sp.csr_matrix(np.ones((1, 3), np.float32))
    assert ndcg_at_k(top_k(scores, 2), hidden).tolist() == [1.0]
    assert recall_at_k(top_k(scores, 2), hidden).tolist() == [2 / 3]
