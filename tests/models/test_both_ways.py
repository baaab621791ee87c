"""Scores in both directions at once are those of one direction at a time."""

import numpy as np
import pytest
from worlds import fit_first, random_world

from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.models.both_ways import score_both_ways
from hcf_spark.models.calibrated import Calibrated, RowCalibration
from hcf_spark.models.rotated import Rotated

CALIBRATION = RowCalibration(1.0, 2.0, -1.0, np.array([0.5, 0.5]), np.array([0.7, 0.0]), np.ones(2), 2.0, 0.5)


@pytest.mark.parametrize("turned", [False, True])
def test_a_calibrated_model_is_asked_once(monkeypatch, turned):
    train, _ = random_world(0)
    raw = fit_first(CLOSED_FORM["ease"], train)
    model = Calibrated(raw, CALIBRATION, CALIBRATION)
    model = Rotated(model, np.eye(raw.embed(train).shape[1], dtype=np.float32)) if turned else model
    expected, score, asked = (model.score(train), model.score_for_products(train)), type(raw).score, []
    monkeypatch.setattr(type(raw), "score", lambda self, companies: asked.append(1) or score(self, companies))
    for found, own in zip(score_both_ways(model, train), expected, strict=True):
        assert (found == own).all()
    assert len(asked) == 1


def test_a_model_without_scores_for_products_is_ranked_by_its_scores():
    train, _ = random_world(0)
    model = fit_first(CLOSED_FORM["ease"], train)
    scores, order = score_both_ways(Rotated(model, np.eye(3, dtype=np.float32)), train)
    assert order is scores
    assert (scores == model.score(train)).all()
