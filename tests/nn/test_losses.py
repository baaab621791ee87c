import numpy as np
import pytest
import torch

from hcf_spark.config import TrainSettings
from hcf_spark.nn.losses import bce_loss, huber_loss, make_loss, mse_loss, multinomial_loss

NAMES = TrainSettings.model_fields["loss"].annotation.__args__


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


@pytest.mark.parametrize(
    ("loss", "by_hand"),
    [
        (mse_loss, 3 * (0.75 - 1) ** 2 + 0.5**2),
        (bce_loss, -3 * np.log(0.75) - np.log(0.5)),
    ],
)
def test_a_known_cell_weighs_more_in_the_losses_of_single_cells(loss, by_hand):
    logits, known = torch.tensor([[np.log(3.0), 0.0]], dtype=torch.float32), torch.tensor([[1.0, 0.0]])
    assert loss(logits, known, 3.0).item() == pytest.approx(by_hand, rel=1e-6)


def test_multinomial_loss_is_the_log_likelihood_of_the_known_products():
    logits = torch.log(torch.tensor([[1.0, 2.0, 5.0], [1.0, 1.0, 2.0]]))
    known = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    by_hand = -(np.log(1 / 8) + np.log(5 / 8) + np.log(1 / 2)) / 2
    assert multinomial_loss(logits, known).item() == pytest.approx(by_hand, rel=1e-6)
    assert multinomial_loss(logits + 7, known).item() == pytest.approx(by_hand, rel=1e-5)


def test_huber_of_a_wide_delta_is_half_the_squared_error():
    logits, known = torch.tensor([[0.3, -2.0, 4.0]]), torch.tensor([[1.0, 0.0, 0.0]])
    assert huber_loss(logits, known, 1.0, 6.0).item() == pytest.approx(mse_loss(logits, known, 6.0).item() / 2)


@pytest.mark.parametrize("name", NAMES)
def test_every_loss_of_the_settings_falls_as_the_known_products_come_first(name):
    loss, known = make_loss(name, 0.5, 2.0), torch.tensor([[1.0, 0.0, 0.0]])
    good, bad = (loss(torch.tensor([logits]), known).item() for logits in ([2.0, -2.0, -2.0], [-2.0, 2.0, -2.0]))
    assert 0 < good < bad / 2


@pytest.mark.parametrize("name", NAMES)
def test_far_logits_are_finite_under_every_loss(name):
    logits = torch.tensor([[1e4, -1e4]], requires_grad=True)
    loss = make_loss(name, 0.5, 2.0)(logits, torch.tensor([[0.0, 1.0]]))
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()


def test_huber_is_linear_far_away():
    loss = huber_loss(torch.tensor([[1e4, -1e4]]), torch.tensor([[0.0, 1.0]]), 0.5, 2.0)
    assert loss.item() == pytest.approx(3 * 0.5 * (1 - 0.25))
