import numpy as np
import pytest
import torch

from hcf_spark.nn.losses import huber_loss


def huber_by_hand(logits, known, delta, positive_weight):
    """The docstring's formula, cell by cell."""
    total = 0.0
    for logit, x in zip(logits.ravel(), known.ravel(), strict=True):
        residual = abs(1 / (1 + np.exp(-float(logit))) - x)
        value = residual**2 / 2 if residual <= delta else delta * (residual - delta / 2)
        total += value * (positive_weight if x == 1 else 1)
    return total / len(logits)


@pytest.mark.parametrize(("delta", "positive_weight"), [(1.0, 1.0), (1.0, 6.0), (0.2, 3.0), (0.05, 0.5)])
def test_loss_is_the_formula(delta, positive_weight):
    random = np.random.default_rng(0)
    logits = 3 * random.standard_normal((5, 7)).astype(np.float32)
    known = (random.random((5, 7)) < 0.3).astype(np.float32)
    loss = huber_loss(torch.from_numpy(logits), torch.from_numpy(known), delta, positive_weight)
    assert loss.item() == pytest.approx(huber_by_hand(logits, known, delta, positive_weight), rel=1e-5)


def test_loss_is_a_sum_over_products_and_a_mean_over_companies():
    logits, known = torch.zeros(1, 4), torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    one = huber_loss(logits, known, 1.0, 1.0)
    assert one.item() == pytest.approx(4 * 0.5**2 / 2)
    assert huber_loss(logits.repeat(3, 1), known.repeat(3, 1), 1.0, 1.0).item() == pytest.approx(one.item())


def test_far_logits_give_a_finite_loss_and_gradient():
    logits = torch.tensor([[1e4, -1e4]], requires_grad=True)
    loss = huber_loss(logits, torch.tensor([[0.0, 1.0]]), 0.5, 2.0)
    loss.backward()
    assert loss.item() == pytest.approx(3 * 0.5 * (1 - 0.25))
    assert logits.grad.isfinite().all()
