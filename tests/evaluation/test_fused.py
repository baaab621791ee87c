"""The fused model as the harness gets it: tuned, guarded, one vector for any company."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from worlds import checkerboard, random_world, telling_world, wide_world, words_of

from hcf_spark.evaluation.candidate import Search
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.evaluate import company_ndcg, mean_ndcg
from hcf_spark.evaluation.fused import FusedCandidate
from hcf_spark.evaluation.guard import OWN
from hcf_spark.evaluation.mixing import is_above
from hcf_spark.evaluation.model_result import REGIMES
from hcf_spark.evaluation.search import SearchCandidate
from hcf_spark.models import product_weights
from hcf_spark.models.companies import Companies, Holdout, Regimes, as_newcomers
from hcf_spark.models.fused import Prior
from hcf_spark.models.popularity import Popularity
from hcf_spark.models.ranking import top_k
from hcf_spark.models.store import load_model, save_model

RIVALS = {
    name: CLOSED_FORM[name]
    for name in (
        "popularity", "ease", "text_knn", "text_knn_words", "hybrid_knn", "ease_text", "ials", "ease_text_ials"
    )
}  # fmt: skip
NETWORK = replace(CLOSED_FORM["ae"], name="text_dae")
"""Stands where the trained network does: a candidate of its own that sees the text."""
SEARCH = Search(trials=6, cutoff=5, seed=0)


@pytest.fixture(scope="module")
def candidate():
    return FusedCandidate(RIVALS, NETWORK, 256)


@pytest.fixture(scope="module")
def world():
    return random_world(0)


@pytest.fixture(scope="module")
def choice(candidate, world):
    return candidate.tune(*world, SEARCH)


def own(train, left_out=()):
    """What is chosen with own parts in both regimes, whatever the rivals reach."""
    choice = FusedCandidate(RIVALS, NETWORK, 256, left_out=[*left_out, "guard"]).tune(*train, SEARCH)
    assert [choice.settings[regime]["model"] for regime in ("warm", "cold")] == [OWN, OWN]
    return choice


@pytest.mark.parametrize(("regime", "seed"), [("warm", 0), ("cold", 1)])
def test_where_nothing_can_be_learnt_popularity_is_kept(candidate, regime, seed):
    """Companies of the random world have no structure but popularity; chance makes other rivals better by a hair."""
    world = random_world(seed)
    choice = candidate.tune(*world, SEARCH)
    assert choice.settings[regime]["model"] == "popularity"


def test_no_rival_is_clearly_better(candidate):
    """On validation, by two standard errors, though the rivals are more than one and the best of them is looked for."""
    train, holdouts = telling_world(0)
    choice = candidate.tune(train, holdouts, SEARCH)
    for regime in ("warm", "cold"):
        holdout = getattr(holdouts, regime)
        kept = company_ndcg(choice.model, holdout, 5)
        for name, rival in RIVALS.items():
            model = rival.fit(train, dict.fromkeys(REGIMES, choose(rival, train, holdouts, regime)), 0)
            assert not is_above(company_ndcg(model, holdout, 5), kept, 2.0), name


def choose(rival, train, holdouts, regime):
    return max(rival.search(train, holdouts, SEARCH), key=lambda trial: getattr(trial, regime)).settings


def test_a_rival_that_is_clearly_better_is_kept():
    """Here it knows what the others cannot know."""
    train, holdouts = telling_world(0)
    unreachable = SearchCandidate("unreachable", lambda train, seed: lambda: Oracle(holdouts.warm), {}, {})
    choice = FusedCandidate({**RIVALS, "unreachable": unreachable}, NETWORK, 256).tune(train, holdouts, SEARCH)
    assert choice.settings["warm"]["model"] == "unreachable"
    assert choice.settings["cold"]["model"] != "unreachable"


class Oracle:
    """What is hidden from known companies; nothing of others."""

    name = "unreachable"

    def __init__(self, holdout):
        self.hidden = dict(zip(holdout.companies.index.tolist(), holdout.hidden.toarray(), strict=True))

    def score(self, companies):
        nothing = np.zeros(companies.known.shape[1], np.float32)
        return np.stack([self.hidden.get(index, nothing) for index in companies.index.tolist()])


def test_as_many_trials_as_a_rival(choice):
    assert len(choice.trials) == SEARCH.trials


def test_own_parts_find_what_is_withheld():
    train, holdouts = checkerboard()
    model = own((train, holdouts)).model
    scores = model.score(train)
    scores[train.known.nonzero()] = -np.inf
    assert top_k(scores, 1)[:, 0].tolist() == holdouts.warm.hidden.indices.tolist()
    cold = np.sort(top_k(model.score(holdouts.cold.companies), 6), axis=1)
    assert cold.tolist() == [[0, 2, 4, 6, 8, 10], [1, 3, 5, 7, 9, 11]]


def test_what_is_left_out_has_no_part(monkeypatch):
    monkeypatch.setattr("hcf_spark.evaluation.fused._ERRORS", -10.0)
    monkeypatch.setattr("hcf_spark.evaluation.fused.find_prior", lambda *_: (Prior(0.3, 4.0), []))
    whole = own(telling_world(0)).settings
    assert list(whole["warm"]["parts"]) == ["ease_text_ials", "hybrid_knn", "text_dae"]
    assert set(whole["cold"]["parts"]) == {"neighbour_ridge", "text_knn_words", "text_dae"}
    assert whole["cold"]["parts"]["neighbour_ridge"]["own"]["offset"] > 0
    assert whole["warm"]["prior"] == {"weight": 0.3, "decay": 4.0}
    settings = own(telling_world(0), ["ials", "offset", "prior", "hybrid_knn", "text_knn_words"]).settings
    assert "prior" not in settings["warm"]
    assert list(settings["warm"]["parts"]) == ["ease_text", "text_dae"]
    assert list(settings["cold"]["parts"]) == ["neighbour_ridge", "text_dae"]
    assert settings["cold"]["parts"]["neighbour_ridge"]["own"]["offset"] == 0


def test_fitted_again_on_the_same_companies_it_is_the_same_model(candidate, monkeypatch):
    monkeypatch.setattr("hcf_spark.evaluation.fused._ERRORS", -10.0)
    train, holdouts = telling_world(0)
    choice = own((train, holdouts))
    weights = [part["weight"] for part in choice.settings["warm"]["parts"].values()]
    assert len(weights) == 3
    assert all(weight > 0 for weight in weights)
    again = candidate.fit(train, choice.settings, SEARCH.seed)
    for companies in (train, holdouts.cold.companies):
        np.testing.assert_allclose(again.score(companies), choice.model.score(companies), atol=1e-5)


def test_a_rival_to_which_nothing_is_added_goes_by_its_own_name(candidate, monkeypatch):
    monkeypatch.setattr("hcf_spark.evaluation.fused._ERRORS", 1e9)
    for seed in range(3):
        choice = candidate.tune(*telling_world(seed), SEARCH)
        assert choice.settings["warm"]["model"] in RIVALS
        cold = choice.settings["cold"]
        assert cold["model"] in RIVALS or cold["parts"].keys() == {"neighbour_ridge"}


@pytest.mark.parametrize("trials", [1, 2, 3])
def test_no_more_trials_than_a_rival_where_there_are_few(candidate, trials):
    choice = candidate.tune(*telling_world(0), replace(SEARCH, trials=trials))
    assert len(choice.trials) <= trials


def test_without_its_guard_the_own_model_is_kept_though_a_rival_is_better():
    train, holdouts = checkerboard()
    unguarded = FusedCandidate(RIVALS, NETWORK, 256, left_out=["guard"])
    choice = unguarded.tune(train, holdouts, SEARCH)
    assert [choice.settings[regime]["model"] for regime in ("warm", "cold")] == ["own", "own"]
    fitted = unguarded.fit(train, choice.settings, seed=0)
    np.testing.assert_allclose(fitted.score(train), choice.model.score(train), atol=1e-5)


def test_products_of_a_newcomer_change_its_vector_and_scores_at_once():
    world = checkerboard()
    model = own(world).model
    known = np.zeros((2, 12), np.float32)
    known[1, [1, 5, 7]] = 1
    newcomer = Companies(np.zeros((2, 8), np.float32), sp.csr_matrix(known), np.array([-1, -1]))
    scores, vectors = model.score(newcomer), model.embed(newcomer)
    odd, even = scores[1, [3, 9, 11]], scores[1, [0, 2, 4, 6, 8, 10]]
    assert odd.min() > even.max()
    assert not np.allclose(vectors[0], vectors[1])


def test_vector_times_product_vectors_gives_the_scores(world):
    model = own(world).model
    products = model.make_axes()
    for companies in (world[0], world[1].cold.companies):
        np.testing.assert_allclose(model.embed(companies) @ products.T, model.score(companies), atol=1e-4)


def test_saved_and_loaded_it_gives_the_same_numbers(world, tmp_path):
    model = own(world).model
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    assert loaded.name == "fused"
    assert (loaded.score(world[0]) == model.score(world[0])).all()
    assert (loaded.embed(world[1].cold.companies) == model.embed(world[1].cold.companies)).all()


def test_the_same_seed_gives_the_same_model(candidate, world, choice):
    again = candidate.tune(*world, SEARCH)
    assert again.settings == choice.settings
    first, second = (candidate.fit(world[0], choice.settings, seed=0).score(world[0]) for _ in range(2))
    assert (first == second).all()


@pytest.mark.parametrize("most_direct", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_30_000_products(monkeypatch, most_direct):
    """All of it, with a closed form of as many products as is usual, or of fewer to save time."""
    monkeypatch.setattr(product_weights, "MOST_DIRECT", most_direct)
    everyone, holdout = wide_world(0, n_companies=600, n_products=30_000)
    everyone = replace(everyone, words=words_of(everyone.text))
    train = everyone.take(slice(500))
    newcomers = everyone.take(slice(500, None))
    validation = Regimes(
        Holdout(everyone.take(slice(100)), holdout.hidden[:100]), Holdout(as_newcomers(newcomers), newcomers.known)
    )
    choice = FusedCandidate(RIVALS, NETWORK, 64).tune(train, validation, Search(trials=2, cutoff=20, seed=0))
    popularity = Popularity.fit(train)
    for regime in REGIMES:
        of_regime = getattr(validation, regime)
        assert mean_ndcg(choice.model, of_regime, 20) > 1.1 * mean_ndcg(popularity, of_regime, 20)
        assert choice.model.embed(of_regime.companies).shape == (100, 64)
