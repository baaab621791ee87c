import numpy as np
import pytest
from worlds import checkerboard, fit_first, random_world

from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.models.by_regime import ByRegime
from hcf_spark.models.rotated import Rotated, fit_rotation
from hcf_spark.models.store import load_model, save_model


def random_vectors(count, dimension, seed=0):
    return np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)


def turn(dimension, seed=1):
    return np.linalg.qr(random_vectors(dimension, dimension, seed))[0]


def test_vectors_that_were_only_turned_are_turned_back():
    before = random_vectors(50, 6)
    vectors = before @ turn(6)
    rotation, drift = fit_rotation(vectors, before)
    np.testing.assert_allclose(vectors @ rotation, before, atol=1e-5)
    assert drift.companies == 50
    assert drift.mean_cosine == pytest.approx(1.0)
    assert drift.relative_residual == pytest.approx(0.0, abs=1e-5)


def test_what_is_left_is_what_moved():
    before = random_vectors(200, 6)
    moved = before + 0.1 * random_vectors(200, 6, seed=2)
    _, drift = fit_rotation(moved @ turn(6), before)
    assert drift.relative_residual == pytest.approx(0.1, rel=0.1)
    assert 0.99 < drift.mean_cosine < 1
    _, unrelated = fit_rotation(random_vectors(200, 6, seed=3), before)
    assert unrelated.mean_cosine < 0.5


@pytest.mark.parametrize(("d", "e"), [(4, 6), (6, 4), (1, 5), (5, 1)])
def test_other_dimensions_are_filled_up_and_lengths_and_angles_stay(d, e):
    common = random_vectors(40, min(d, e))
    vectors = np.pad(common, [(0, 0), (0, d - common.shape[1])]) @ turn(d)
    before = np.pad(common, [(0, 0), (0, e - common.shape[1])])
    rotation, drift = fit_rotation(vectors, before)
    assert rotation.shape == (d, max(d, e))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(d), atol=1e-5)
    np.testing.assert_allclose((vectors @ rotation)[:, :e], before, atol=1e-5)
    assert drift.mean_cosine == pytest.approx(1.0)


def test_companies_of_which_nothing_is_known_do_no_harm():
    rotation, drift = fit_rotation(np.zeros((3, 2), np.float32), np.zeros((3, 2), np.float32))
    assert np.isfinite(rotation).all()
    assert (drift.mean_cosine, drift.relative_residual) == (1.0, 0.0)
    before = np.vstack([random_vectors(20, 6), np.zeros((20, 6), np.float32)])
    assert fit_rotation(before @ turn(6), before)[1].mean_cosine == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["ease_text_ials", "ease+ae", "popularity"])
def test_scores_stay_and_it_travels(name, tmp_path):
    train, holdouts = random_world(0)
    warm, _, cold = name.partition("+")
    model = fit_first(CLOSED_FORM[warm], train)
    model = ByRegime(model, fit_first(CLOSED_FORM[cold], train)) if cold else model
    vectors = model.embed(train)
    rotated = Rotated(model, turn(vectors.shape[1]))
    save_model(rotated, tmp_path)
    loaded = load_model(tmp_path)
    for companies in (train, holdouts.cold.companies, train.take(slice(0))):
        assert (loaded.score(companies) == model.score(companies)).all()
        assert (loaded.embed(companies) == rotated.embed(companies)).all()
    assert loaded.folds_in == model.folds_in
    np.testing.assert_allclose(rotated.embed(train) @ rotated.embed(train).T, vectors @ vectors.T, rtol=1e-3, atol=1e-3)


def test_a_low_rank_model_with_its_factors_turned_has_the_vectors_of_the_one_before():
    train, _ = checkerboard()
    first = fit_first(CLOSED_FORM["ials"], train)
    second = type(first).from_arrays(
        first.arrays() | {key: first.arrays()[key] @ turn(128) for key in ("products", "projection")}
    )
    rotation, drift = fit_rotation(second.embed(train), first.embed(train))
    np.testing.assert_allclose(Rotated(second, rotation).embed(train), first.embed(train), atol=1e-4)
    assert drift.mean_cosine == pytest.approx(1.0, abs=1e-4)
