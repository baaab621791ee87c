from dataclasses import dataclass

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import average_precision_score, ndcg_score, precision_recall_fscore_support, roc_auc_score
from worlds import random_world

from hcf_spark.errors import TrainingError
from hcf_spark.evaluation import blocks
from hcf_spark.evaluation.blocks import ScoredHoldout, embed_by_blocks
from hcf_spark.evaluation.companies_for_products import evaluate_companies
from hcf_spark.evaluation.evaluate import evaluate, mean_ndcg, ndcg_and_threshold
from hcf_spark.models.companies import Holdout


@dataclass(frozen=True)
class Fixed:
    """Scores by a rule of text and product, with ties."""

    decimals: int = 1
    spoiled: float = 0.0
    name: str = "fixed"

    def score(self, companies):
        products = np.arange(companies.known.shape[1])
        scores = np.round(companies.text[:, :1] * np.cos(products) - products / 10, self.decimals)
        return (scores + self.spoiled).astype(np.float32)

    def embed(self, companies):
        return companies.text + self.spoiled


def judge(model, holdout, cutoff, threshold=-0.5):
    return evaluate(ScoredHoldout.of(model, holdout), cutoff, threshold)


def test_summary_equals_scikit_learn_over_the_cells_that_are_not_known():
    holdout = random_world(0)[1].warm
    scores = Fixed().score(holdout.companies)
    asked, hidden = holdout.companies.known.toarray() == 0, holdout.hidden.toarray() > 0
    found = judge(Fixed(), holdout, cutoff=5, threshold=-0.5).summary
    assert found["auc"] == pytest.approx(roc_auc_score(hidden[asked], scores[asked]), abs=1e-12)
    assert found["average_precision"] == pytest.approx(average_precision_score(hidden[asked], scores[asked]), abs=1e-12)
    predicted = (scores >= -0.5) & asked
    micro = precision_recall_fscore_support(hidden, predicted, average="micro")
    labels = np.flatnonzero(hidden.any(axis=0))
    macro = precision_recall_fscore_support(hidden, predicted, average="macro", labels=labels, zero_division=0)
    assert (found["precision"], found["recall"], found["f1"]) == pytest.approx(micro[:3], abs=1e-12)
    assert tuple(found[f"{name}_macro"] for name in ("precision", "recall", "f1")) == pytest.approx(
        macro[:3], abs=1e-12
    )
    assert found["threshold"] == -0.5


@pytest.mark.parametrize("regime", ["warm", "cold"])
def test_figures_per_company_equal_scikit_learn_row_by_row(regime):
    holdout = getattr(random_world(0)[1], regime)
    found = judge(Fixed(), holdout, cutoff=3).per_company
    exact = judge(Fixed(decimals=6), holdout, cutoff=3).per_company
    for row, (scores, known, hidden) in enumerate(
        zip(Fixed().score(holdout.companies), holdout.companies.known.toarray(), holdout.hidden.toarray(), strict=True)
    ):
        asked = known == 0
        assert found["company_auc"][row] == pytest.approx(roc_auc_score(hidden[asked], scores[asked]), abs=1e-12)
        expected = average_precision_score(hidden[asked], scores[asked])
        assert found["company_average_precision"][row] == pytest.approx(expected, abs=1e-12)
        order = [product for product in np.argsort(-scores, kind="stable") if asked[product]]
        for k in (3, 5, 20, 50):
            hits = hidden[order[:k]].sum()
            assert found[f"precision_at_{k}"][row] == pytest.approx(hits / k)
            assert found[f"recall_at_{k}"][row] == pytest.approx(hits / hidden.sum())
            distinct = Fixed(decimals=6).score(holdout.companies)[row]
            ndcg = ndcg_score([hidden], [np.where(asked, distinct, -99)], k=k)
            assert exact[f"ndcg_at_{k}"][row] == pytest.approx(ndcg, abs=1e-12)


def test_a_company_that_uses_all_that_was_asked_for_has_an_undecided_auc():
    companies = random_world(0)[1].cold.companies.take(slice(2))
    found = judge(Fixed(), Holdout(companies, sp.csr_matrix(np.ones(companies.known.shape, np.float32))), cutoff=3)
    assert found.per_company["company_auc"].tolist() == [0.5, 0.5]
    assert found.per_company["company_average_precision"].tolist() == [1.0, 1.0]


def test_hits_and_predicted_cells_of_the_companies_add_up_to_precision_and_recall():
    holdout = random_world(0)[1].warm
    found = judge(Fixed(), holdout, cutoff=3)
    assert found.hits.sum() / found.predicted.sum() == found.summary["precision"]
    assert found.hits.sum() / holdout.hidden.nnz == found.summary["recall"]
    asked = holdout.companies.known.toarray() == 0
    assert found.predicted.tolist() == ((Fixed().score(holdout.companies) >= -0.5) & asked).sum(axis=1).tolist()


def test_known_products_are_not_ranked():
    holdout = random_world(0)[1].warm
    scores = Fixed().score(holdout.companies)
    expected = []
    for row in range(len(holdout)):
        known, hidden = (set(matrix[row].indices) for matrix in (holdout.companies.known, holdout.hidden))
        order = [product for product in np.argsort(-scores[row], kind="stable") if product not in known]
        expected.append(len(set(order[:3]) & hidden) / len(hidden))
    assert judge(Fixed(), holdout, cutoff=3).per_company["recall_at_3"].tolist() == expected


def test_figures_per_company_lie_under_their_means():
    found = judge(Fixed(), random_world(0)[1].cold, cutoff=10)
    ranking = [f"{name}_at_{k}" for k in (10, 5, 20, 50) for name in ("recall", "ndcg", "precision")]
    per_company = [*ranking, "company_auc", "company_average_precision"]
    assert list(found.per_company) == per_company
    assert list(found.summary) == [
        *per_company, "auc", "average_precision", "precision", "recall", "f1",
        "precision_macro", "recall_macro", "f1_macro", "threshold",
    ]  # fmt: skip
    for name, values in found.per_company.items():
        assert values.shape == (20,)
        assert found.summary[name] == values.mean()
    assert all(type(value) is float for value in found.summary.values())


def test_the_threshold_is_that_of_the_best_f1_and_the_ndcg_is_the_mean():
    holdout = random_world(0)[1].cold
    ndcg, threshold = ndcg_and_threshold(Fixed(), holdout, 5)
    found = judge(Fixed(), holdout, 5, threshold).summary
    assert mean_ndcg(Fixed(), holdout, 5) == ndcg.mean() == found["ndcg_at_5"]
    for other in np.unique(Fixed().score(holdout.companies)):
        assert found["f1"] >= judge(Fixed(), holdout, 5, float(other)).summary["f1"]


@pytest.mark.parametrize("kept", [0, 10**9])
def test_blocks_change_nothing(kept, monkeypatch):
    train, holdouts = random_world(0)
    whole, vectors = judge(Fixed(), holdouts.warm, cutoff=5), embed_by_blocks(Fixed(), train)
    chosen, found = ndcg_and_threshold(Fixed(), holdouts.warm, 5), of_companies(holdouts.warm)
    monkeypatch.setattr(blocks, "_CELLS", 3 * 15)
    monkeypatch.setattr(blocks, "_CELLS_KEPT", kept)
    small = judge(Fixed(), holdouts.warm, cutoff=5)
    assert small.summary == whole.summary
    assert all((small.per_company[key] == whole.per_company[key]).all() for key in whole.per_company)
    for name in ("hits", "predicted", "ranked"):
        assert (getattr(small, name) == getattr(whole, name)).all()
    ndcg, threshold = ndcg_and_threshold(Fixed(), holdouts.warm, 5)
    assert (ndcg == chosen[0]).all()
    assert threshold == chosen[1]
    assert of_companies(holdouts.warm) == found
    assert (embed_by_blocks(Fixed(), train) == vectors).all()


def of_companies(holdout):
    return evaluate_companies(ScoredHoldout.of(Fixed(), holdout), 5).summary


def test_a_model_is_asked_for_its_scores_once(monkeypatch):
    asked = []

    class Counting(Fixed):
        def score(self, companies):
            asked.append(len(companies))
            return super().score(companies)

    monkeypatch.setattr(blocks, "_CELLS", 8 * 15)
    scored = ScoredHoldout.of(Counting(), random_world(0)[1].warm)
    evaluate(scored, 5, 0.0)
    evaluate_companies(scored, 5)
    assert asked == [8, 8, 4]


@pytest.mark.parametrize("spoiled", [np.nan, np.inf])
def test_scores_that_are_not_finite_name_the_model(spoiled):
    with pytest.raises(TrainingError, match="model fixed: 300 of 300 scores are not finite"):
        judge(Fixed(spoiled=spoiled), random_world(0)[1].warm, cutoff=5)


def test_vectors_that_are_not_finite_name_the_model():
    with pytest.raises(TrainingError, match="model fixed: 300 of 300 vectors are not finite"):
        embed_by_blocks(Fixed(spoiled=np.nan), random_world(0)[0])


def test_scores_that_the_model_keeps_are_not_written_to():
    holdout = random_world(0)[1].warm
    kept = Fixed().score(holdout.companies)

    class Keeping(Fixed):
        def score(self, companies):
            return kept

    judge(Keeping(), holdout, cutoff=5)
    assert np.isfinite(kept).all()
