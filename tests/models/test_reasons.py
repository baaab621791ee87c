from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from optuna.storages import InMemoryStorage
from tiny_package import make_hcf
from worlds import fit_first, telling_world

from hcf_spark.evaluation.calibration import calibrate
from hcf_spark.evaluation.candidate import Search
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.fused import GUARD, FusedCandidate
from hcf_spark.models import reasons
from hcf_spark.models.by_regime import ByRegime
from hcf_spark.models.companies import Companies
from hcf_spark.models.ease import Ease
from hcf_spark.models.reasons import OTHER_PRODUCTS, POPULARITY, PRODUCT, TEXT, explain

NAMES = [f"P{product}" for product in range(60)]


@pytest.fixture(scope="module")
def world():
    """Training companies, and companies of all kinds: seen and unseen, with text, products, both and neither."""
    train, regimes = telling_world(0)
    seen, new = regimes.warm.companies.take(slice(6)), regimes.cold.companies.take(slice(4))
    products = sp.csr_matrix(np.eye(4, 60, dtype=np.float32) + np.eye(4, 60, 9, dtype=np.float32))
    return train, [
        seen,
        new,
        Companies(new.text, products, new.index, new.words),
        Companies(np.zeros_like(new.text), products, new.index),
        Companies(np.zeros_like(new.text), new.known, new.index),
    ]


@pytest.fixture(scope="module")
def models(world):
    closed = {name: fit_first(CLOSED_FORM[name], world[0]) for name in (*ADDS_UP[:-4], "ae")}
    hcf = make_hcf(world[0].text.shape[1], len(world[0]), 60)
    candidate = FusedCandidate(CLOSED_FORM, replace(CLOSED_FORM["ae"], name="text_dae"), 256, left_out=[GUARD])
    train, holdouts = telling_world(1)
    choice = candidate.tune(train, holdouts, Search(3, 20, 0, InMemoryStorage()))
    fused = candidate.fit(world[0], choice.settings, seed=0)
    calibrated = calibrate(choice.model, holdouts, cutoff=20, seed=0)(fused)
    return {**closed, "hcf": hcf, "hcf+ae": ByRegime(hcf, closed["ae"]), "fused": fused, "calibrated": calibrated}


ADDS_UP = [
    "popularity", "item_knn", "ease", "ials", "text_knn", "text_knn_words", "hybrid_knn", "ease_text_ials",
    "hcf", "hcf+ae", "fused", "calibrated",
]  # fmt: skip


@pytest.mark.parametrize("name", ADDS_UP)
def test_the_reasons_of_every_company_add_up_to_its_scores(models, world, name):
    for companies in world[1]:
        asked = [np.array([row, 59, 30]) for row in range(len(companies))]
        scores = models[name].score(companies)
        for row, found in enumerate(explain(models[name], companies, asked, NAMES)):
            sums = [sum(reason.share for reason in of_product) for of_product in found]
            np.testing.assert_allclose(sums, scores[row, asked[row]], atol=1e-5)


def kinds(model, companies):
    found = explain(model, companies, [np.array([40, 50])] * len(companies), NAMES)
    return {reason.kind for of_company in found for of_product in of_company for reason in of_product}


def test_only_what_is_known_of_a_company_is_a_reason(models, world):
    seen, new, both, products, neither = world[1]
    model = models["ease_text_ials"]
    assert kinds(model, both) == {POPULARITY, TEXT, PRODUCT}
    assert kinds(model, new) == {POPULARITY, TEXT}
    assert kinds(model, products) == {POPULARITY, PRODUCT}
    assert kinds(model, neither) == {POPULARITY}
    assert kinds(models["popularity"], seen) == {POPULARITY}


def test_what_a_network_has_learnt_of_a_company_counts_as_its_products(models, world):
    """Its scores are linear in text and learnt vector, and leave no product out one by one."""
    hcf, seen = models["hcf"], world[1][0]
    found = explain(hcf, seen, [np.array([7])] * len(seen), NAMES)
    weights, arrays = hcf.arrays()["products.weight"][7], hcf.arrays()
    for row, (of_product,) in enumerate(found):
        shares = {reason.kind: reason.share for reason in of_product}
        assert shares.keys() == {POPULARITY, TEXT, OTHER_PRODUCTS}
        assert shares[POPULARITY] == pytest.approx(arrays["products.bias"][7], abs=1e-5)
        learnt = arrays["companies.weight"][seen.index[row]] @ weights
        assert shares[OTHER_PRODUCTS] == pytest.approx(learnt, abs=1e-4)


def test_a_company_is_not_told_by_its_own_row_among_the_neighbours(models, world):
    """Without products a training company is scored as one that is seen, or it would be its own nearest neighbour."""
    model, seen = models["text_knn"], world[1][0]
    scores = model.score(Companies(seen.text, sp.csr_matrix(seen.known.shape, dtype=np.float32), seen.index))
    for row, (of_product,) in enumerate(explain(model, seen, [np.array([3])] * len(seen), NAMES)):
        assert sum(each.share for each in of_product if each.kind in (TEXT, POPULARITY)) == pytest.approx(
            scores[row, 3], abs=1e-6
        )


def ease(effects, popularity):
    """Known product k adds ``effects[k]`` to the score of the last product."""
    weights = np.zeros((len(effects) + 1, len(effects) + 1), np.float32)
    weights[:-1, -1] = effects
    return Ease(weights, np.append(np.linspace(0.1, 0.9, len(effects)), popularity).astype(np.float32), lambda: None)


def shares_of(effects, popularity):
    known = sp.csr_matrix(np.append(np.ones(len(effects)), 0)[None].astype(np.float32))
    companies = Companies(np.zeros((1, 2), np.float32), known, np.array([-1]))
    ((found,),) = explain(ease(effects, popularity), companies, [np.array([len(effects)])], NAMES)
    return [(reason.name or reason.kind, round(reason.share, 5)) for reason in found]


def test_effects_are_scaled_to_the_gain_over_popularity():
    assert shares_of([0.1, 0.3], 0.2) == [("popularity", 0.2), ("P1", 0.15), ("P0", 0.05)]


def test_effects_of_both_signs_share_what_is_left_by_their_size():
    """The gain is 0.1, the effects sum to 0.2: of -0.1 the first bears three quarters."""
    assert shares_of([0.3, -0.1], 0.1) == [("P0", 0.225), ("popularity", 0.1), ("P1", -0.125)]


def test_the_three_largest_are_named_and_the_others_summed():
    assert shares_of([0.1, 0.4, 0.2, 0.05, 0.3], 0.0) == [
        ("P1", 0.4), ("P4", 0.3), ("P2", 0.2), (OTHER_PRODUCTS, 0.15),
    ]  # fmt: skip


def test_of_many_products_the_most_popular_are_not_told_apart(monkeypatch):
    monkeypatch.setattr(reasons, "_CONSIDERED", 2)
    assert shares_of([0.1, 0.2, 0.3, 0.4], 0.0) == [(OTHER_PRODUCTS, 0.7), ("P1", 0.2), ("P0", 0.1)]


def test_blocks_do_not_change_the_reasons(models, world, monkeypatch):
    asked = [np.array([5, 6])] * 6
    whole = explain(models["hybrid_knn"], world[1][0], asked, NAMES)
    monkeypatch.setattr(reasons, "_CELLS", 1)
    for first, second in zip(whole, explain(models["hybrid_knn"], world[1][0], asked, NAMES), strict=True):
        for one, other in zip(first, second, strict=True):
            assert [(each.kind, each.name) for each in one] == [(each.kind, each.name) for each in other]
            np.testing.assert_allclose([each.share for each in one], [each.share for each in other], atol=1e-6)


def test_nobody_has_no_reasons(models, world):
    assert explain(models["ease"], world[1][0].take(slice(0)), [], NAMES) == []
