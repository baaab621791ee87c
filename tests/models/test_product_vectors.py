"""Company vector times product vector: nearly the score."""

import numpy as np
import pytest
from worlds import fit_first, wide_world

from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.evaluate import mean_ndcg
from hcf_spark.models import fused
from hcf_spark.models.calibrated import Calibrated, RowCalibration
from hcf_spark.models.companies import Holdout, as_newcomers
from hcf_spark.models.fused import NO_PRIOR, Fused
from hcf_spark.models.product_vectors import DotProduct, product_vectors
from hcf_spark.models.rotated import Rotated


@pytest.fixture(scope="module")
def world():
    """More products than a vector has numbers."""
    return wide_world(0, 1_500, 700)


@pytest.fixture(scope="module")
def model(world):
    return fit_first(CLOSED_FORM["ease_text"], world[0])


def test_ranking_by_vectors_is_nearly_as_good_as_by_scores(model, world):
    assert product_vectors(model).shape == (700, 256)
    by_score, by_vectors = (mean_ndcg(each, world[1], 20) for each in (model, DotProduct(model)))
    assert by_vectors == pytest.approx(by_score, rel=0.03)


@pytest.mark.parametrize("warm", ["ease_text", "popularity"])
def test_vectors_of_fused_rank_newcomers_too_whatever_its_warm_part(warm, world):
    train, new = (world[0].take(rows) for rows in (slice(300, None), slice(300)))
    told, newcomers = world[1].take(slice(300, None)), Holdout(as_newcomers(new), new.known)
    parts = [fit_first(CLOSED_FORM[name], train) for name in (warm, "text_knn")]
    model = Fused.of_parts(*parts, prior=NO_PRIOR, train=train, vector_size=64, seed=0)
    assert product_vectors(model).shape == (700, 64)
    for holdout in (told, newcomers):
        by_score, by_vectors = (mean_ndcg(each, holdout, 20) for each in (model, DotProduct(model)))
        assert by_vectors == pytest.approx(by_score, rel=0.05)


def test_the_more_products_the_fewer_companies_axes_are_worked_out_from(monkeypatch, world):
    asked = []

    class Shares:
        folds_in = True

        def score(self, companies):
            asked.append(len(companies))
            return np.tile(np.arange(700, dtype=np.float32), (len(companies), 1))

    monkeypatch.setattr(fused, "_AXES_CELLS", 7000)
    Fused.of_parts(Shares(), Shares(), prior=NO_PRIOR, train=world[0], vector_size=4, seed=0).make_axes()
    assert max(asked) == 10


def test_rotated_and_calibrated_it_stays_the_same(model, world):
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((256, 256)))[0].astype(np.float32)
    row = RowCalibration(1.0, 2.0, -3.0, np.zeros(2), np.zeros(2), np.ones(2))
    turned = Rotated(Calibrated(model, row, row), rotation)
    some = world[0].take(slice(5))
    np.testing.assert_allclose(DotProduct(turned).score(some), DotProduct(model).score(some), atol=1e-4)


def test_a_model_without_such_vectors_says_so(world):
    assert product_vectors(fit_first(CLOSED_FORM["popularity"], world[0])) is None
