import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import ndcg_score
from worlds import random_world

from hcf_spark.evaluation import blocks
from hcf_spark.evaluation.blocks import ScoredHoldout
from hcf_spark.evaluation.companies_for_products import evaluate_companies
from hcf_spark.models.companies import Companies, Holdout


class Fixed:
    """Scores as given, company by company."""

    name = "fixed"

    def __init__(self, scores):
        self._scores = np.asarray(scores, np.float32)

    def score(self, companies):
        return self._scores[companies.index]


def judge(scores, known, hidden, cutoff):
    scores, known, hidden = np.asarray(scores), np.asarray(known), np.asarray(hidden)
    companies = Companies(np.zeros((len(scores), 1), np.float32), sp.csr_matrix(known), np.arange(len(scores)))
    holdout = Holdout(companies, sp.csr_matrix(hidden.astype(np.float32)))
    return evaluate_companies(ScoredHoldout.of(Fixed(scores), holdout), cutoff)


@pytest.mark.parametrize("cutoff", [1, 4, 100])
@pytest.mark.parametrize("regime", ["warm", "cold"])
def test_each_column_is_ranked_as_scikit_learn_would(regime, cutoff, monkeypatch):
    monkeypatch.setattr(blocks, "_CELLS", 7 * 15)
    holdout = getattr(random_world(0)[1], regime)
    known, hidden = holdout.companies.known.toarray(), holdout.hidden.toarray()
    scores = np.random.default_rng(1).random(known.shape) + 0.3 * hidden
    found = judge(scores, known, hidden, cutoff)
    judged = np.flatnonzero(hidden.any(axis=0))
    assert found.summary["products"] == len(judged)
    asked = np.where(known > 0, -1, scores.astype(np.float32))
    ndcg = [ndcg_score([hidden[:, product]], [asked[:, product]], k=cutoff) for product in judged]
    np.testing.assert_allclose(found.per_product[f"ndcg_at_{cutoff}"], ndcg, atol=1e-12)
    first = [np.argsort(-asked[:, product])[:cutoff] for product in judged]
    recall = [
        hidden[rows, product].sum() / hidden[:, product].sum() for rows, product in zip(first, judged, strict=True)
    ]
    np.testing.assert_allclose(found.per_product[f"recall_at_{cutoff}"], recall)
    assert found.summary[f"ndcg_at_{cutoff}"] == pytest.approx(np.mean(ndcg))


def test_companies_known_to_use_a_product_are_left_out():
    found = judge([[9.0], [8.0], [1.0], [2.0]], [[1.0], [1.0], [0.0], [0.0]], [[0], [0], [1], [0]], cutoff=2)
    assert found.summary.keys() == {"products"} | {
        f"{figure}_at_{k}" for figure in ("recall", "ndcg", "precision") for k in (2, 5, 20, 50)
    }
    assert [found.summary[key] for key in ("products", "recall_at_2", "precision_at_2", "precision_at_5")] == [
        1, 1.0, 0.5, 0.2,
    ]  # fmt: skip
    assert found.summary["ndcg_at_2"] == pytest.approx(1 / np.log2(3))


@pytest.mark.parametrize("rows_per_block", [1, 2, 9])
def test_equal_scores_rank_in_the_companies_order(rows_per_block, monkeypatch):
    monkeypatch.setattr(blocks, "_CELLS", rows_per_block)
    nothing, hidden = np.zeros((5, 1)), np.array([[0], [0], [1], [1], [0]])
    found = judge([[1.0], [2.0], [1.0], [2.0], [1.0]], nothing, hidden, cutoff=3)
    assert found.summary["recall_at_3"] == 0.5
    assert judge(nothing, nothing, hidden, cutoff=3).summary["recall_at_3"] == 0.5
    assert judge(nothing, nothing, hidden, cutoff=2).summary["recall_at_2"] == 0.0
