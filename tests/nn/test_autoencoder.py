import numpy as np
import scipy.sparse as sp
import torch

from hcf_spark.models.companies import Companies, unit_rows
from hcf_spark.models.store import load_model, save_model
from hcf_spark.models.text_dae import TextDae
from hcf_spark.nn.autoencoder import TextAutoencoder

PRODUCTS, DIMENSION, HIDDEN = 9, 4, 5


def make_network(dropout=0.0):
    torch.manual_seed(0)
    network = TextAutoencoder(PRODUCTS, DIMENSION, HIDDEN, dropout)
    torch.nn.init.normal_(network.products.weight)
    return network.eval()


def make_companies(rows=3):
    random = np.random.default_rng(0)
    known = (random.random((rows, PRODUCTS)) < 0.3).astype(np.float32)
    text = random.standard_normal((rows, DIMENSION)).astype(np.float32)
    return Companies(text, sp.csr_matrix(known), np.full(rows, -1))


def test_training_starts_at_popularity():
    shares = torch.linspace(0.1, 0.9, PRODUCTS)
    network = TextAutoencoder(PRODUCTS, DIMENSION, HIDDEN, 0.0).eval()
    network.start_at_shares(shares)
    logits = network(torch.randn(3, DIMENSION), (torch.rand(3, PRODUCTS) < 0.5).float())
    torch.testing.assert_close(logits, torch.logit(shares).expand(3, PRODUCTS))


def test_text_and_known_products_both_count_and_nothing_else():
    network, text, known = make_network(), torch.randn(1, DIMENSION), torch.zeros(1, PRODUCTS)
    told = known.clone()
    told[0, 3] = 1
    assert not torch.allclose(network(text, known), network(text, told))
    assert not torch.allclose(network(text, known), network(-text, known))
    expected = torch.nn.functional.layer_norm(network.text(text) + network.known.weight[:, 3], (HIDDEN,))
    torch.testing.assert_close(network.company_vectors(text, told), torch.nn.functional.gelu(expected))


def test_the_model_gives_log_shares_and_travels(tmp_path):
    model, companies = TextDae(make_network(), np.ones(DIMENSION, np.float32)), make_companies()
    scores = model.score(companies)
    np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1, rtol=1e-5)
    text = torch.from_numpy(unit_rows(companies.text, np.ones(DIMENSION, np.float32)))
    logits = make_network()(text, torch.from_numpy(companies.known.toarray())).detach()
    np.testing.assert_allclose(scores, torch.log_softmax(logits, dim=1).numpy(), rtol=1e-5)
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    assert (loaded.score(companies) == scores).all()
    assert (loaded.embed(companies) == model.embed(companies)).all()
    assert model.embed(companies).shape == (3, HIDDEN)
    assert model.score(companies.take(slice(0))).shape == (0, PRODUCTS)
