"""The paper's network as a fitted model: what it knows of whom, and that it survives the disk."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from hcf_spark.models.companies import Companies, text_mean, unit_rows
from hcf_spark.models.hcf import Dcf, Hcf
from hcf_spark.models.store import load_model, save_model
from hcf_spark.nn.network import DeepCF

COMPANIES, PRODUCTS, DIMENSION = 5, 7, 4


def make_model(kind=Hcf, depth=1, seed=0):
    """A model with random weights everywhere."""
    generator = torch.Generator().manual_seed(seed)
    network = DeepCF(COMPANIES, PRODUCTS, DIMENSION, 3, depth, 0.5, kind.text_start)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return kind(network, np.linspace(-0.2, 0.2, DIMENSION, dtype=np.float32))


def make_companies(index, seed=1, text=None):
    random = np.random.default_rng(seed)
    if text is None:
        text = random.standard_normal((len(index), DIMENSION)).astype(np.float32)
    known = sp.csr_matrix((random.random((len(index), PRODUCTS)) < 0.3).astype(np.float32))
    return Companies(text, known, np.array(index, np.int64))


@pytest.mark.parametrize("kind", [Hcf, Dcf])
def test_scores_and_vectors_are_finite_float32_and_repeat(kind):
    model, companies = make_model(kind), make_companies([0, 4, -1, 2])
    scores, vectors = model.score(companies), model.embed(companies)
    assert scores.shape == (4, PRODUCTS)
    assert vectors.shape == (4, DIMENSION)
    for numbers in (scores, vectors):
        assert numbers.dtype == np.float32
        assert np.isfinite(numbers).all()
    assert (model.score(companies) == scores).all()  # dropout 0.5 in the network, none here


def test_hcf_knows_a_trained_company_by_text_and_vector_another_by_its_text_alone():
    model = make_model(depth=0)
    weights, companies = model.arrays(), make_companies([3, -1])
    text = unit_rows(companies.text, weights["text_mean"])
    expected = text + np.stack([weights["companies.weight"][3], np.zeros(DIMENSION)])
    np.testing.assert_allclose(model.embed(companies), expected, rtol=1e-5)
    scores = expected @ weights["products.weight"].T + weights["products.bias"]
    np.testing.assert_allclose(model.score(companies), scores, rtol=1e-4, atol=1e-5)


def test_a_company_without_text_is_what_was_learnt_of_it():
    model = make_model(depth=0)
    companies = make_companies([3, -1], text=np.zeros((2, DIMENSION), np.float32))
    learnt = model.arrays()["companies.weight"][3]
    np.testing.assert_allclose(model.embed(companies), [learnt, np.zeros(DIMENSION)], rtol=1e-6)


def test_dcf_knows_no_text():
    model = make_model(Dcf)
    first, second = make_companies([0, -1, 2], seed=1), make_companies([0, -1, 2], seed=2)
    assert (model.score(first) == model.score(second)).all()
    mean = model.arrays()["companies.weight"].mean(axis=0)
    np.testing.assert_allclose(model.embed(first)[1], mean, rtol=1e-5)


@pytest.mark.parametrize("kind", [Hcf, Dcf])
def test_products_told_later_change_nothing(kind):
    model, companies = make_model(kind), make_companies([0, -1])
    told = Companies(companies.text, sp.csr_matrix(np.ones((2, PRODUCTS), np.float32)), companies.index)
    assert (model.score(told) == model.score(companies)).all()


def test_any_number_of_companies(monkeypatch):
    model, companies = make_model(), make_companies([0, 1, 2, 3, 4, -1, -1])
    whole = model.score(companies)
    monkeypatch.setattr("hcf_spark.models.hcf._ROWS", 3)
    np.testing.assert_allclose(model.score(companies), whole, rtol=1e-5, atol=1e-6)
    nobody = companies.take(slice(0))
    assert model.score(nobody).shape == (0, PRODUCTS)
    assert model.embed(nobody).shape == (0, DIMENSION)


@pytest.mark.parametrize("kind", [Hcf, Dcf])
@pytest.mark.parametrize("depth", [0, 1, 2, 11])
def test_saved_and_loaded_it_gives_the_same_numbers(kind, depth, tmp_path):
    model, companies = make_model(kind, depth), make_companies([0, 4, -1])
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    assert type(loaded) is kind
    assert (loaded.score(companies) == model.score(companies)).all()
    assert (loaded.embed(companies) == model.embed(companies)).all()


def test_text_is_centred_by_the_training_companies_and_scaled_where_there_is_one():
    text = np.array([[3.0, 0.0], [0.0, 0.0], [1.0, 2.0]], np.float32)
    mean = text_mean(text)
    assert mean.tolist() == [2, 1]
    root = np.float32(np.sqrt(0.5))
    np.testing.assert_allclose(unit_rows(text, mean), [[root, -root], [0, 0], [-root, root]], rtol=1e-6)
    assert text_mean(np.zeros((2, 3), np.float32)).tolist() == [0, 0, 0]
    assert unit_rows(np.array([[2.0, 1.0]], np.float32), mean).tolist() == [[0, 0]]  # just the mean: no direction
