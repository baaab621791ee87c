from dataclasses import dataclass

import scipy.sparse as sp
from worlds import checkerboard, random_world

import hcf_spark.evaluation.probe as probing
from hcf_spark.evaluation.blocks import ScoredHoldout
from hcf_spark.evaluation.evaluate import evaluate, ndcg_and_threshold
from hcf_spark.evaluation.probe import probe
from hcf_spark.models.companies import Holdout
from hcf_spark.models.popularity import Popularity
from hcf_spark.models.text_ridge import TextRidgeStatistics


@dataclass(frozen=True)
class Vectors:
    """A model of which only the vectors matter: the first ``size`` numbers of the text."""

    size: int
    name: str = "vectors"

    def embed(self, companies):
        return companies.text[:, : self.size]


def test_vectors_that_tell_everything_are_read_out():
    train, holdouts = checkerboard()
    found = probe(Vectors(8), train, holdouts.warm, Vectors(8), train, holdouts.warm, cutoff=5).summary
    assert found["auc"] == 1.0
    assert found["precision"] == found["recall"] == 1.0


def test_vectors_that_tell_nothing_give_popularity():
    train, holdouts = random_world(0)
    popularity = Popularity.fit(train)
    found = probe(popularity, train, holdouts.warm, popularity, train, holdouts.warm, cutoff=5).summary
    _, threshold = ndcg_and_threshold(popularity, holdouts.warm, 5)
    assert found == evaluate(ScoredHoldout.of(popularity, holdouts.warm), 5, threshold).summary


def test_the_test_set_changes_neither_the_ridge_nor_the_threshold(monkeypatch):
    inner, validation = random_world(0)
    full, test = random_world(1)
    poisoned = Holdout(test.warm.companies, _reversed(test.warm))
    fitted = []
    fit = TextRidgeStatistics.fit
    monkeypatch.setattr(
        TextRidgeStatistics, "fit", lambda self, strength: fitted.append(strength) or fit(self, strength)
    )
    model = Vectors(3)
    found = [probe(model, inner, validation.warm, model, full, warm, 5).summary for warm in (test.warm, poisoned)]
    half = len(fitted) // 2
    assert fitted[:half] == fitted[half:]
    assert found[0]["threshold"] == found[1]["threshold"]
    assert found[0]["ndcg_at_5"] != found[1]["ndcg_at_5"]


def test_the_strength_is_chosen_by_some_of_many_companies_and_all_are_judged(monkeypatch):
    train, holdouts = random_world(0)
    judged, mean_ndcg = [], probing.mean_ndcg
    monkeypatch.setattr(probing, "_JUDGED_FOR_STRENGTH", 7)
    monkeypatch.setattr(
        probing, "mean_ndcg", lambda model, holdout, k: judged.append(len(holdout)) or mean_ndcg(model, holdout, k)
    )
    found = probe(Vectors(3), train, holdouts.warm, Vectors(3), train, holdouts.warm, 5)
    assert set(judged) == {7}
    assert len(found.hits) == len(holdouts.warm) == 20


def _reversed(holdout):
    free = 1 - holdout.companies.known.toarray()
    return sp.csr_matrix(free - holdout.hidden.toarray())
