"""Models with fewer companies to compare others with."""

import numpy as np
import pytest
from worlds import fit_first, telling_world

from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.models.calibrated import Calibrated, RowCalibration
from hcf_spark.models.fused import Fused, Prior
from hcf_spark.models.mixture import Mixture
from hcf_spark.models.neighbour_ridge import Neighbourhood, NeighbourRidgeStatistics
from hcf_spark.models.reference import Reference
from hcf_spark.models.references import limit_references
from hcf_spark.models.store import load_model, save_model
from hcf_spark.models.text_knn import TextNeighbours

NEIGHBOURS = ["text_knn", "text_knn_words", "hybrid_knn"]


@pytest.fixture(scope="module")
def world():
    return telling_world(0)


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_only_drawn_companies_are_compared_with(world, name):
    """As if the others did not exist, but for what was learnt of all: means, tf-idf and shares."""
    train, holdouts = world
    model = fit_first(CLOSED_FORM[name], train)
    limited = limit_references(model, 30, seed=0)
    reference = limited.reference if name == "hybrid_knn" else limited.neighbours.reference
    whole = model.reference if name == "hybrid_knn" else model.neighbours.reference
    assert len(reference) == len(set(reference.index)) == 30
    assert np.isin(reference.index, train.index).all()
    assert (reference.known != whole.known[reference.index]).nnz == 0
    cosines = whole.text_cosines(holdouts.cold.companies)[:, reference.index]
    np.testing.assert_allclose(reference.text_cosines(holdouts.cold.companies), cosines, atol=1e-6)
    assert (limited.score(holdouts.cold.companies) != model.score(holdouts.cold.companies)).any()


def test_every_part_of_a_model_made_of_models_is_limited_and_it_is_saved_smaller(world, tmp_path):
    train, holdouts = world
    near = Neighbourhood(TextNeighbours(Reference.of(train), 50), 50, sharpness=10.0)
    ridge = NeighbourRidgeStatistics.of(train, near).fit(10.0, offset=0.5)
    parts = tuple(fit_first(CLOSED_FORM[name], train) for name in ("ease", *NEIGHBOURS))
    calibration = RowCalibration(1.0, 1.0, 0.0, np.zeros(2), np.zeros(2), np.ones(2))
    cold = Mixture((ridge, *parts[1:]), (1.0, 1.0, 1.0, 1.0))
    fused = Fused.of_parts(parts[0], cold, Prior(0.5, 1.0), train, vector_size=256, seed=0)
    model = Calibrated(fused, calibration, calibration)
    limited = limit_references(model, 30, seed=0)
    cold = limited.model.cold.parts
    assert [len(cold[0].neighbourhood.neighbours.reference), len(cold[3].reference)] == [30, 30]
    assert limited.model.warm is model.model.warm
    sizes = []
    for each, name in ((model, "whole"), (limited, "limited")):
        save_model(each, tmp_path / name)
        sizes.append(sum(file.stat().st_size for file in (tmp_path / name).iterdir()))
        scores = load_model(tmp_path / name).score(holdouts.cold.companies)
        np.testing.assert_allclose(scores, each.score(holdouts.cold.companies), atol=1e-6)
    assert sizes[1] < sizes[0]


@pytest.mark.parametrize("name", [*NEIGHBOURS, "ease", "ials", "popularity"])
def test_a_model_with_no_more_companies_stays_itself(world, name):
    model = fit_first(CLOSED_FORM[name], world[0])
    assert limit_references(model, len(world[0]), seed=0) is model
