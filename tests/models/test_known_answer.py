"""Every model must find what was withheld from a world that it can know, and stand companies it knows little of."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from worlds import checkerboard, fit_first, random_world, unseen

from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.fused import PARTS, FusedCandidate
from hcf_spark.models.by_regime import ByRegime
from hcf_spark.models.companies import Companies
from hcf_spark.models.ranking import top_k
from hcf_spark.models.registry import model_class
from hcf_spark.models.store import load_model, save_model

FUSED = FusedCandidate(CLOSED_FORM, replace(CLOSED_FORM["ae"], name="text_dae"), 256)
"""The network needs processes; ``tests/train`` has its known answers."""


def fit(name, train):
    if "+" in name:
        return ByRegime(*(fit(part, train) for part in name.split("+")))
    if name == "fused":
        return FUSED.fit(train, all_parts(train), seed=0)
    return fit_first(CLOSED_FORM[name], train)


def all_parts(train):
    first = {name: {"model": name, **candidate.start(train)} for name, candidate in CLOSED_FORM.items()}
    first["text_dae"] = {**first["ae"], "model": "text_dae"}
    ridge = {"near": {"k": 100, "sharpness": 10.0}, "own": {"text_strength": 10.0, "offset": 0.5}}
    first["neighbour_ridge"] = {"model": "neighbour_ridge", **ridge}
    return {
        regime: {"model": "own", "parts": {name: {"weight": 0.5, **first[name]} for name in names}}
        | ({"prior": {"weight": 0.3, "decay": 1.0}} if regime == "warm" else {})
        for regime, names in PARTS.items()
    }


def ranked(model, companies, cutoff):
    scores = model.score(companies)
    scores[companies.known.nonzero()] = -np.inf
    return top_k(scores, cutoff)


ALONE = (*CLOSED_FORM, "fused")
MODELS = (*ALONE, "ease+ae", "ae+popularity")
WITH_PRODUCTS = tuple(name for name in ALONE if model_class(name).folds_in)
WITH_TEXT = ("ae", "text_knn", "text_knn_words", "hybrid_knn", "ease_text", "ease_text_ials", "fused")


@pytest.mark.parametrize("name", [*dict.fromkeys(WITH_PRODUCTS + WITH_TEXT), "ease+ae", "ease+popularity"])
def test_withheld_cell_of_the_checkerboard_comes_first(name):
    train, holdouts = checkerboard()
    first = ranked(fit(name, train), holdouts.warm.companies, 1)[:, 0]
    assert first.tolist() == holdouts.warm.hidden.indices.tolist()


@pytest.mark.parametrize("name", [*WITH_TEXT, "ease+ae", "popularity+ae"])
def test_text_alone_tells_the_side_of_the_checkerboard(name):
    train, holdouts = checkerboard()
    best = np.sort(ranked(fit(name, train), holdouts.cold.companies, 6), axis=1)
    assert best.tolist() == [[0, 2, 4, 6, 8, 10], [1, 3, 5, 7, 9, 11]]


@pytest.mark.parametrize("name", [*WITH_PRODUCTS, "ease+ae"])
def test_two_known_products_of_an_unseen_company_tell_its_side(name):
    train, _ = checkerboard()
    known = np.zeros((2, 12), np.float32)
    known[0, [0, 4]] = known[1, [1, 5]] = 1
    newcomers = Companies(np.zeros((2, 8), np.float32), sp.csr_matrix(known), np.array([-1, -1]))
    best = np.sort(ranked(fit(name, train), newcomers, 4), axis=1)
    assert best.tolist() == [[2, 6, 8, 10], [3, 7, 9, 11]]


@pytest.mark.parametrize("name", ALONE)
def test_popular_products_come_first_where_a_model_sees_nothing(name):
    train, _ = random_world(0)
    known = unseen(train.text, train.known.shape[1]).known if name in WITH_PRODUCTS else train.known
    blind = Companies(train.text * (name not in WITH_TEXT), known, train.index)
    counts = train.known.toarray().sum(axis=0)
    order = top_k(fit(name, train).score(blind), len(counts))
    assert (order == np.argsort(-counts, kind="stable")).all()


@pytest.mark.parametrize("name", MODELS)
def test_scores_and_vectors_are_finite_whatever_is_missing(name):
    train, holdouts = random_world(0)
    model = fit(name, train)
    nothing = unseen(np.zeros((3, train.text.shape[1]), np.float32), train.known.shape[1])
    nobody = train.take(slice(0))
    for companies in (train, holdouts.cold.companies, nothing, nobody):
        scores, vectors = model.score(companies), model.embed(companies)
        assert scores.shape == companies.known.shape
        assert len(vectors) == len(companies)
        for numbers in (scores, vectors):
            assert numbers.dtype == np.float32
            assert np.isfinite(numbers).all()


@pytest.mark.parametrize("name", MODELS)
def test_a_company_is_scored_alike_alone_and_in_company(name):
    train, _ = random_world(0)
    model = fit(name, train)
    rows = np.array([7, 3])
    np.testing.assert_allclose(model.score(train.take(rows)), model.score(train)[rows], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.embed(train.take(rows)), model.embed(train)[rows], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_saved_and_loaded_model_gives_the_same_numbers(name, tmp_path):
    train, _ = random_world(0)
    model = fit(name, train)
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    assert loaded.name == model.name == name
    assert (loaded.score(train) == model.score(train)).all()
    assert (loaded.embed(train) == model.embed(train)).all()


@pytest.mark.parametrize("name", MODELS)
def test_fitting_twice_gives_the_same_model(name):
    train, _ = random_world(0)
    first, second = fit(name, train).arrays(), fit(name, train).arrays()
    assert all((first[key] == second[key]).all() for key in first)


@pytest.mark.parametrize("name", MODELS)
def test_fitting_leaves_the_companies_as_they_were(name):
    train, _ = random_world(0)
    text, known, words = train.text.copy(), train.known.copy(), train.words.copy()
    fit(name, train).score(train)
    assert (train.text == text).all()
    assert (train.known != known).nnz == (train.words != words).nnz == 0


def test_newcomer_goes_to_the_cold_part_where_the_warm_one_cannot_use_its_products():
    train, _ = checkerboard()
    newcomer = Companies(train.text[:1], train.known[:1], np.array([-1]))
    for warm, expected in (("ae", "popularity"), ("ease", "ease")):
        pair = ByRegime(fit(warm, train), fit("popularity", train))
        assert np.array_equal(pair.score(newcomer), fit(expected, train).score(newcomer))
    seen = Companies(train.text[:1], train.known[:1], train.index[:1])
    assert np.array_equal(fit("ae+popularity", train).score(seen), fit("ae", train).score(seen))
