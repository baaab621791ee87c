from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_fscore_support, roc_auc_score
from worlds import random_world

from hcf_spark.errors import TrainingError
from hcf_spark.evaluation import blocks
from hcf_spark.evaluation.blocks import embed_by_blocks
from hcf_spark.evaluation.evaluate import evaluate, mean_ndcg


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


def test_summary_equals_scikit_learn_over_the_cells_that_are_not_known():
    holdout = random_world(0)[1].warm
    scores = Fixed().score(holdout.companies)
    asked, hidden = holdout.companies.known.toarray() == 0, holdout.hidden.toarray() > 0
    found = evaluate(Fixed(), holdout, cutoff=5, threshold=-0.5).summary
    assert found["auc"] == pytest.approx(roc_auc_score(hidden[asked], scores[asked]), abs=1e-12)
    assert found["average_precision"] == pytest.approx(average_precision_score(hidden[asked], scores[asked]), abs=1e-12)
    predicted = (scores >= -0.5) & asked
    micro = precision_recall_fscore_support(hidden, predicted, average="micro")
    labels = np.flatnonzero(hidden.any(axis=0))
    macro = precision_recall_fscore_support(hidden, predicted, average="macro", labels=labels, zero_division=0)
    assert (found["precision"], found["recall"]) == pytest.approx(micro[:2], abs=1e-12)
    assert (found["precision_macro"], found["recall_macro"]) == pytest.approx(macro[:2], abs=1e-12)
    assert found["threshold"] == -0.5


def test_known_products_are_not_ranked():
    holdout = random_world(0)[1].warm
    scores = Fixed().score(holdout.companies)
    expected = []
    for row in range(len(holdout)):
        known, hidden = (set(matrix[row].indices) for matrix in (holdout.companies.known, holdout.hidden))
        order = [product for product in np.argsort(-scores[row], kind="stable") if product not in known]
        expected.append(len(set(order[:3]) & hidden) / len(hidden))
    assert evaluate(Fixed(), holdout, cutoff=3).per_company["recall_at_3"].tolist() == expected


def test_figures_per_company_lie_under_their_means():
    found = evaluate(Fixed(), random_world(0)[1].cold, cutoff=20)
    assert list(found.summary) == [
        "recall_at_20", "ndcg_at_20", "auc", "average_precision", "precision", "recall",
        "precision_macro", "recall_macro", "threshold",
    ]  # fmt: skip
    assert found.per_company.keys() == {"recall_at_20", "ndcg_at_20"}
    for name, values in found.per_company.items():
        assert values.shape == (20,)
        assert found.summary[name] == values.mean()
    assert all(type(value) is float for value in found.summary.values())


def test_without_a_threshold_the_best_of_this_holdout_is_taken():
    holdout = random_world(0)[1].cold
    found = evaluate(Fixed(), holdout, cutoff=5).summary
    f1 = 2 * found["precision"] * found["recall"] / (found["precision"] + found["recall"])
    for threshold in np.unique(Fixed().score(holdout.companies)):
        other = evaluate(Fixed(), holdout, cutoff=5, threshold=float(threshold)).summary
        if other["recall"] > 0:
            assert f1 >= 2 / (1 / other["precision"] + 1 / other["recall"]) - 1e-12


def test_blocks_change_nothing(monkeypatch):
    train, holdouts = random_world(0)
    whole, vectors = evaluate(Fixed(), holdouts.warm, cutoff=5), embed_by_blocks(Fixed(), train)
    monkeypatch.setattr(blocks, "_CELLS", 3 * 15)
    small = evaluate(Fixed(), holdouts.warm, cutoff=5)
    assert small.summary == whole.summary
    assert all((small.per_company[key] == whole.per_company[key]).all() for key in whole.per_company)
    assert (embed_by_blocks(Fixed(), train) == vectors).all()


def test_mean_ndcg_is_the_one_of_evaluate():
    holdout = random_world(0)[1].warm
    assert mean_ndcg(Fixed(), holdout, 5) == evaluate(Fixed(), holdout, 5).summary["ndcg_at_5"]


@pytest.mark.parametrize("spoiled", [np.nan, np.inf])
def test_scores_that_are_not_finite_name_the_model(spoiled):
    with pytest.raises(TrainingError, match="model fixed: 300 of 300 scores are not finite"):
        evaluate(Fixed(spoiled=spoiled), random_world(0)[1].warm, cutoff=5)


def test_vectors_that_are_not_finite_name_the_model():
    with pytest.raises(TrainingError, match="model fixed: 300 of 300 vectors are not finite"):
        embed_by_blocks(Fixed(spoiled=np.nan), random_world(0)[0])


def test_scores_that_the_model_keeps_are_not_written_to():
    holdout = random_world(0)[1].warm
    kept = Fixed().score(holdout.companies)

    class Keeping(Fixed):
        def score(self, companies):
            return kept

    evaluate(Keeping(), holdout, cutoff=5)
    assert np.isfinite(kept).all()
