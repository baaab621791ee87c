"""How much of each model is added."""

import numpy as np
import pytest
from worlds import fit_first, telling_world

from hcf_spark.evaluation import mixing
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.mixing import find_weights, is_above, some_of

SHARES = (0.3, 1.2)


@pytest.fixture(scope="module")
def world():
    return telling_world(0)


@pytest.fixture(scope="module")
def models(world):
    return {name: fit_first(CLOSED_FORM[name], world[0]) for name in ("popularity", "ease", "ae")}


def test_what_knows_more_is_added_and_what_knows_nothing_is_not(world, models):
    holdout = world[1].warm
    added = {"popularity": models["popularity"], "ease": models["ease"]}
    weights, tried = find_weights(models["popularity"], added, holdout, 5, SHARES, 1.0)
    assert weights["popularity"] == 0
    assert weights["ease"] > 0
    assert [name for name, _, _ in tried] == ["popularity", "popularity", "ease", "ease"]


def test_a_share_of_one_makes_the_spreads_equal(world, models):
    _, tried = find_weights(models["ease"], {"ae": models["ae"]}, world[1].cold, 5, (1.0, 2.0), 1.0)
    spreads = [np.std(models[name].score(world[1].cold.companies)) for name in ("ease", "ae")]
    assert [weight for _, weight, _ in tried] == pytest.approx([spreads[0] / spreads[1], 2 * spreads[0] / spreads[1]])


def test_a_gain_within_its_error_does_not_count():
    gains = np.array([0.3, -0.1, 0.2, -0.2, 0.1, 0.0])
    error = gains.std() / 6**0.5
    other = np.full(6, 0.5)
    assert is_above(other + gains, other, 0.9 * gains.mean() / error)
    assert not is_above(other + gains, other, 1.1 * gains.mean() / error)
    assert not is_above(other, other, 0.0)


def test_so_many_companies_are_judged_as_their_scores_leave_room_for(world, monkeypatch):
    holdout = world[1].warm
    companies, products = holdout.hidden.shape
    assert len(some_of(holdout)) == companies
    monkeypatch.setattr(mixing, "_MOST", companies // 2)
    half = some_of(holdout)
    assert companies // 3 < len(half) <= companies // 2
    assert (half.companies.text == holdout.companies.text[:: companies // len(half)][: len(half)]).all()
    monkeypatch.setattr(mixing, "_MOST_CELLS", 12 * products)
    assert 6 < len(some_of(holdout)) <= 12
    assert 2 < len(some_of(holdout, share=3)) <= 4
