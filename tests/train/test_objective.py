"""What the denoising network is told, and what it learns from."""

from types import SimpleNamespace

import pytest
import torch

from hcf_spark.train.objective import Denoising

MANIFEST = SimpleNamespace(n_companies=2000, n_products=10, text_dimension=4)


@pytest.fixture
def denoising():
    plan = SimpleNamespace(hidden_size=4, dropout=0.0, loss="multinomial", huber_delta=1.0, positive_weight=1.0)
    return Denoising(plan, MANIFEST)


@pytest.fixture
def step(denoising):
    """What was told to the network, and the gradient of its logits, of companies that use the first five products."""
    torch.manual_seed(0)
    text, used = torch.randn(2000, 4), torch.zeros(2000, 10)
    used[:, :5] = 1
    told, logits = [], torch.zeros(2000, 10, requires_grad=True)

    def run(_, known):
        told.append(known)
        return logits

    denoising.loss(run, text, torch.arange(2000), used).backward()
    return told[0].bool(), logits.grad


def test_a_share_of_the_products_is_told_and_a_fifth_of_the_companies_with_none(step):
    told, _ = step
    assert not told[:, 5:].any()
    numbers = told.sum(dim=1).bincount(minlength=6) / 2000
    assert numbers[0] == pytest.approx(0.2 + 0.8 / 6, abs=0.03), "a share is drawn evenly: each number is as likely"
    assert numbers[1:].tolist() == pytest.approx([0.8 / 6] * 5, abs=0.03)


def test_what_is_told_is_neither_hit_nor_miss(step):
    told, gradient = step
    assert (gradient[told] == 0).all()
    is_judged = ~told[:, :5].all(dim=1)
    hidden = ~told[:, :5]
    assert (gradient[:, :5][hidden] < 0).all(), "hits: their logits are pushed up"
    assert (gradient[is_judged][:, 5:] > 0).all()


def test_a_company_is_scored_by_its_text_and_all_its_known_products(denoising):
    torch.manual_seed(0)
    denoising.network.eval()
    for parameter in denoising.network.parameters():
        torch.nn.init.normal_(parameter)
    text, known = torch.randn(2, 4), torch.eye(2, 10)
    scores = denoising.score(text, torch.tensor([-1, -1]), known)
    assert torch.equal(scores, denoising.network(text, known))
    assert not torch.equal(scores, denoising.score(text, torch.tensor([-1, -1]), torch.zeros(2, 10)))
