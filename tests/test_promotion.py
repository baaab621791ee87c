"""Rotation to the champion, and the checks that the gate is given; no Spark, no registry."""

from types import SimpleNamespace

import numpy as np
import pytest
from worlds import fit_first, random_world, telling_world

from hcf_spark.evaluation.challenge import ndcg_by_regime
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.models.package import About, ModelPackage
from hcf_spark.models.translated import Translated
from hcf_spark.promotion import limit_companies, make_checks, rotate_to_champion
from hcf_spark.tracking.champion import Champion
from hcf_spark.tracking.gate import Check

ABOUT = About(
    text_columns=("description",), encoder={}, encoder_id="tiny@1", text_dimension=5, snapshot_id="abc", top_k=3
)
PRODUCTS = [f"p{product}" for product in range(15)]


@pytest.fixture(scope="module")
def train():
    return random_world(0)[0]


def champion_of(model, own, today):
    return Translated.of(ModelPackage(model, PRODUCTS, PRODUCTS, own, ABOUT), today, PRODUCTS)


def test_a_model_fitted_with_another_seed_has_the_vectors_of_the_champion():
    """iALS finds its factors up to a rotation, and the seed decides which."""
    train, _ = telling_world(0, n_products=15)
    ids = [f"c{company}" for company in range(400)]
    settings = dict.fromkeys(("warm", "cold"), CLOSED_FORM["ials"].start(train) | {"factors": 4, "iterations": 300})
    first, second = (CLOSED_FORM["ials"].fit(train, settings, seed) for seed in (0, 1))
    rotated, drift = rotate_to_champion(second, champion_of(first, ids, ids), train, seed=0)
    apart = np.linalg.norm(second.embed(train) - first.embed(train)) / np.linalg.norm(first.embed(train))
    assert apart > 10 * drift.relative_residual
    assert drift.mean_cosine > 0.99
    assert drift.companies == 400
    assert (rotated.score(train) == second.score(train)).all()


def test_companies_are_paired_by_id_and_new_ones_take_no_part(train):
    """Today's companies are the champion's in reverse, and ten new ones before them."""
    model = fit_first(CLOSED_FORM["ease_text"], train)
    own = [f"c{company}" for company in range(59, 9, -1)]
    before = champion_of(model, own, [f"c{company}" for company in range(60)])
    _, drift = rotate_to_champion(model, before, train, seed=0)
    assert drift.companies == 50
    assert drift.relative_residual == pytest.approx(0, abs=1e-3)


def test_without_common_companies_the_model_stays_as_it_is(train):
    model = fit_first(CLOSED_FORM["ease_text"], train)
    strangers = champion_of(model, ["x", "y"], [f"c{company}" for company in range(60)])
    assert rotate_to_champion(model, strangers, train, seed=0) == (model, None)


def judged(model, holdouts):
    """What ``limit_companies`` reads of a harness's result."""
    values = ndcg_by_regime(model, holdouts, 5)
    parts = {regime: SimpleNamespace(per_company={"ndcg_at_5": ndcg}) for regime, ndcg in values.items()}
    return SimpleNamespace(champion="it", models={"it": SimpleNamespace(**parts)})


@pytest.fixture
def logged(monkeypatch):
    logged = {}
    monkeypatch.setattr("hcf_spark.promotion.log_metrics", lambda metrics, group: logged.update({group: metrics}))
    return logged


def test_a_model_within_the_limit_is_served_as_it_is(logged):
    train, holdouts = telling_world(0)
    model = fit_first(CLOSED_FORM["text_knn"], train)
    served, ndcg = limit_companies(model, judged(model, holdouts), holdouts, limit=400, cutoff=5, seed=0)
    assert served is model
    assert (ndcg["cold"] == ndcg_by_regime(model, holdouts, 5)["cold"]).all()
    assert not logged


def test_what_fewer_companies_to_compare_with_cost_is_logged_and_judged(logged):
    train, holdouts = telling_world(0)
    model = fit_first(CLOSED_FORM["text_knn"], train)
    served, ndcg = limit_companies(model, judged(model, holdouts), holdouts, limit=20, cutoff=5, seed=0)
    assert len(served.neighbours.reference) == 20
    whole = ndcg_by_regime(model, holdouts, 5)
    assert ndcg["cold"].mean() < whole["cold"].mean() - 0.02
    assert logged["reference"]["companies"] == 20
    assert 0 < logged["reference"]["cold_calibration_error"] < 1
    assert logged["reference"]["cold_ndcg"] == pytest.approx(ndcg["cold"].mean() - whole["cold"].mean())


@pytest.mark.parametrize("limit", [400, 20])
def test_the_gate_judges_what_is_served(logged, monkeypatch, limit):
    """With few companies to compare with it is worse than it was itself, its own baseline here."""
    train, holdouts = telling_world(0)
    model = fit_first(CLOSED_FORM["text_knn"], train)
    result = judged(model, holdouts)
    result.baselines = {"warm": "it", "cold": "it"}
    served, ndcg = limit_companies(model, result, holdouts, limit, cutoff=5, seed=0)
    package = ModelPackage(served, [], [], [], ABOUT)
    monkeypatch.setattr("hcf_spark.promotion.check_load", lambda *_: Check("load", {}, None))
    snapshot = SimpleNamespace(test=holdouts)
    checks = make_checks("it", "1", result, ndcg, package, None, snapshot, None, cutoff=5, seed=0)
    assert [check.name for check in checks] == ["baseline_warm", "baseline_cold", "vectors", "load"]
    assert (checks[1].problem is None) == (limit == 400)
    stranger = Champion("7", None, "it does not load")
    checks = make_checks("it", "8", result, ndcg, package, stranger, snapshot, None, cutoff=5, seed=0)
    assert checks[2].note == "not compared with champion 7: it does not load"
