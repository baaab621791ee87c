import numpy as np
import pytest
import torch

from hcf_spark.nn.network import DeepCF

COMPANIES, PRODUCTS, DIMENSION, HIDDEN = 6, 9, 4, 5


def make_network(depth=0, text_start=True, dropout=0.0, seed=0):
    torch.manual_seed(seed)
    return DeepCF(COMPANIES, PRODUCTS, DIMENSION, HIDDEN, depth, dropout, text_start)


def make_text(rows, seed=1):
    return torch.nn.functional.normalize(torch.randn(rows, DIMENSION, generator=torch.Generator().manual_seed(seed)))


def randomise(network, seed=2):
    """As if trained: every parameter anything."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return network


def test_company_vectors_of_hcf_start_at_their_text():
    text = make_text(3)
    assert torch.equal(make_network().company_vectors(text, torch.tensor([0, 5, -1])), text)


def test_a_trained_company_of_hcf_has_its_text_and_what_was_learnt_an_unseen_one_its_text_alone():
    network, text = randomise(make_network()), make_text(3)
    vectors = network.company_vectors(text, torch.tensor([4, -1, 0]))
    learnt = network.companies.weight
    assert torch.equal(vectors, torch.stack([text[0] + learnt[4], text[1], text[2] + learnt[0]]))


def test_company_vectors_of_dcf_know_no_text_and_an_unseen_company_gets_their_mean():
    network = randomise(make_network(text_start=False))
    vectors = network.company_vectors(make_text(3), torch.tensor([2, -1, 0]))
    learnt = network.companies.weight
    torch.testing.assert_close(vectors, torch.stack([learnt[2], learnt.mean(dim=0), learnt[0]]))
    assert torch.equal(vectors, network.company_vectors(torch.zeros(3, DIMENSION), torch.tensor([2, -1, 0])))


def test_company_vectors_of_dcf_start_at_random():
    weight = make_network(text_start=False).companies.weight
    assert len(torch.unique(weight)) == weight.numel()
    assert torch.equal(weight, make_network(text_start=False).companies.weight)
    assert not torch.equal(weight, make_network(text_start=False, seed=1).companies.weight)


@pytest.mark.parametrize("depth", [0, 2])
@pytest.mark.parametrize("text_start", [True, False])
def test_training_starts_at_popularity(depth, text_start):
    shares = torch.linspace(0.02, 0.9, PRODUCTS)
    network = make_network(depth, text_start).eval()
    network.start_at_shares(shares)
    with torch.no_grad():
        scores = torch.sigmoid(network(torch.zeros(1, DIMENSION), torch.tensor([-1])))
        mean = torch.sigmoid(network(make_text(200), torch.full((200,), -1))).mean(dim=0)
    if text_start:  # nothing known of the company: exactly popularity
        torch.testing.assert_close(scores[0], shares)
    torch.testing.assert_close(mean, shares, atol=0.02, rtol=0.0)


def test_shares_of_none_and_of_all_give_finite_logits():
    network = make_network()
    network.start_at_shares(torch.tensor([0.0, 1.0] + [0.5] * (PRODUCTS - 2)))
    assert network.products.bias.isfinite().all()
    assert network.products.bias[0] < network.products.bias[2] < network.products.bias[1]


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_shapes_and_one_gradient_for_every_weight(depth):
    network, text, index = randomise(make_network(depth)), make_text(3), torch.tensor([0, 1, 2])
    assert len(network.blocks) == depth
    logits = network(text, index)
    assert logits.shape == (3, PRODUCTS)
    assert logits.dtype == torch.float32
    logits.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_logits_are_the_formula():
    network, text = randomise(make_network(depth=2)), make_text(2)
    weights = {name: tensor.double().numpy() for name, tensor in network.state_dict().items()}
    vectors = text.double().numpy() + weights["companies.weight"][[3, 1]]
    for block in range(2):
        hidden = vectors @ weights[f"blocks.{block}.0.weight"].T + weights[f"blocks.{block}.0.bias"]
        gelu = torch.nn.functional.gelu(torch.from_numpy(hidden)).numpy()
        vectors = vectors + gelu @ weights[f"blocks.{block}.3.weight"].T + weights[f"blocks.{block}.3.bias"]
    expected = vectors @ weights["products.weight"].T + weights["products.bias"]
    with torch.no_grad():
        np.testing.assert_allclose(network(text, torch.tensor([3, 1])).numpy(), expected, rtol=1e-4, atol=1e-4)


def test_dropout_is_for_training_only():
    network, text, index = randomise(make_network(depth=1, dropout=0.5)), make_text(3), torch.tensor([0, 1, 2])
    with torch.no_grad():
        assert not torch.equal(network.train()(text, index), network(text, index))
        assert torch.equal(network.eval()(text, index), network(text, index))


def test_companies_l2_is_the_mean_squared_length_of_what_is_added():
    network = randomise(make_network())
    index = torch.tensor([1, 1, 5])
    lengths = network.companies.weight.detach().numpy() ** 2
    assert network.companies_l2(index).item() == pytest.approx(lengths[[1, 1, 5]].sum(axis=1).mean(), rel=1e-5)
    assert make_network().companies_l2(index).item() == 0.0
