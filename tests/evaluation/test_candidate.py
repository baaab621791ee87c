from worlds import random_world

from hcf_spark.evaluation.candidate import GridCandidate, validation_score
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.evaluate import mean_ndcg
from hcf_spark.models.popularity import Popularity


class Prepared:
    """Popularity, reversed for sign -1; counts how often companies are prepared."""

    def __init__(self):
        self.calls = []

    def __call__(self, train, seed):
        self.calls.append((len(train), seed))
        shares = Popularity.fit(train).shares
        return lambda sign: Popularity(sign * shares)


def test_the_best_on_validation_is_chosen_and_every_trial_kept():
    inner, validation = random_world(0)
    prepare = Prepared()
    candidate = GridCandidate("popularity", prepare, [{"sign": -1}, {"sign": 1}, {"sign": 2}])
    choice = candidate.tune(inner, validation, cutoff=5, seed=3)
    assert choice.settings == {"sign": 1}
    assert [trial.settings for trial in choice.trials] == candidate.grid
    assert choice.trials[1].score == validation_score(choice.model, validation, 5) == choice.trials[2].score
    assert choice.trials[0].score < choice.trials[1].score
    assert prepare.calls == [(60, 3)]


def test_validation_score_weighs_both_regimes_alike():
    inner, validation = random_world(0)
    model = Popularity.fit(inner)
    warm, cold = mean_ndcg(model, validation.warm, 5), mean_ndcg(model, validation.cold, 5)
    assert validation_score(model, validation, 5) == (warm + cold) / 2


def test_fit_uses_all_companies_and_the_settings_given():
    full, _ = random_world(0)
    prepare = Prepared()
    model = GridCandidate("popularity", prepare, [{"sign": 1}]).fit(full, {"sign": 3}, seed=4)
    assert (model.shares == 3 * Popularity.fit(full).shares).all()
    assert prepare.calls == [(60, 4)]


def test_candidates_are_named_like_their_models():
    train, _ = random_world(0)
    for name, candidate in CLOSED_FORM.items():
        assert candidate.fit(train, candidate.grid[0], seed=0).name == candidate.name == name
