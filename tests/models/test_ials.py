"""iALS and the sum that it is part of: the fold-in against the library's own solver, the sum against its parts."""

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits
from worlds import fit_first, random_world, unseen

from hcf_spark.errors import TrainingError
from hcf_spark.evaluation.candidate import Search
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.evaluate import mean_ndcg
from hcf_spark.models.ials import Ials


def ials(train):
    return Ials.fit(train, seed=0, factors=6, regularization=0.1, alpha=8.0, iterations=5)


def test_folding_in_gives_what_the_library_recalculates():
    train, _ = random_world(1)
    model = ials(train)
    ridge = 0.1 * 8.0 * (train.known.sum(axis=1).mean() * train.known.sum(axis=0).mean()) ** 0.25
    with threadpool_limits(1, "blas"):
        library = AlternatingLeastSquares(
            factors=6, regularization=ridge, alpha=8.0, iterations=5, num_threads=1, random_state=0
        )
        library.fit(train.known, show_progress=False)
        expected = library.recalculate_user(np.arange(len(train)), train.known)
    np.testing.assert_allclose(model.products, library.item_factors, atol=1e-3)
    np.testing.assert_allclose(model.embed(train), expected, atol=1e-3)


def test_a_company_vector_is_the_minimum_of_the_weighted_squares():
    train, _ = random_world(1)
    products = np.random.default_rng(0).standard_normal((train.known.shape[1], 4)).astype(np.float32)
    model = Ials.of(products, 3.0, 8.0, np.zeros(len(products), np.float32))
    for row, vector in zip(train.known.toarray()[:5], model.embed(train), strict=False):
        weights = np.where(row > 0, 8.0, 1.0)[:, None]
        expected = np.linalg.solve(products.T @ (weights * products) + 3.0 * np.eye(4), products.T @ (8.0 * row))
        np.testing.assert_allclose(vector, expected, atol=1e-5)


def test_ials_without_any_interaction_says_so():
    with pytest.raises(TrainingError, match="ials: no product is used by any training company"):
        ials(unseen(np.zeros((4, 2), np.float32), 3))


def test_the_sum_is_the_sum_of_its_parts_and_leaves_cold_companies_to_the_first():
    train, holdouts = random_world(1)
    model = fit_first(CLOSED_FORM["ease_text_ials"], train)
    warm, cold = train.take(train.known.getnnz(axis=1) > 0), holdouts.cold.companies
    expected = model.linear.score(warm) + model.gamma * model.low_rank.score(warm)
    np.testing.assert_allclose(model.score(warm), expected, atol=1e-5)
    assert (model.score(cold) == model.linear.score(cold)).all()


def test_the_sum_is_tuned_after_its_parts_whose_studies_are_not_repeated(tmp_path):
    inner, validation = random_world(0)
    candidate = CLOSED_FORM["ease_text_ials"]
    search = Search(2, 5, 0, f"sqlite:///{tmp_path / 'studies.db'}")
    parts = {name: CLOSED_FORM[name].tune(inner, validation, search) for name in ("ease_text", "ials")}
    choice = candidate.tune(inner, validation, search)
    best = choice.settings["warm"]
    for part in parts.values():
        assert part.settings["warm"].items() <= best.items()
    assert choice.trials[0].settings["gamma"] == 0.1
    assert len({trial.settings["gamma"] for trial in choice.trials}) == 2
    assert max(trial.warm for trial in choice.trials) == mean_ndcg(choice.model, validation.warm, 5)
    assert {trial.cold for trial in choice.trials} == {mean_ndcg(choice.model, validation.cold, 5)}
    again = candidate.fit(inner, choice.settings, seed=0)
    assert (again.score(inner) == choice.model.score(inner)).all()
