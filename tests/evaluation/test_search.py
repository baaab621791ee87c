import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from worlds import fit_first, random_world

from hcf_spark.evaluation.candidate import Search, Trial, judge_trial
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.evaluate import mean_ndcg
from hcf_spark.evaluation.search import SearchCandidate, best_by_regime, run_study
from hcf_spark.models.by_regime import ByRegime
from hcf_spark.models.popularity import Popularity

SPACE = {"sign": FloatDistribution(-1, 1)}


class Prepared:
    """Popularity, reversed for a negative sign; counts how often companies are prepared."""

    def __init__(self):
        self.calls = []

    def __call__(self, train, seed):
        self.calls.append((len(train), seed))
        shares = Popularity.fit(train).shares
        return lambda sign: Popularity(np.float32(sign) * shares)


def test_the_best_on_validation_is_chosen_and_every_trial_kept():
    inner, validation = random_world(0)
    prepare = Prepared()
    choice = SearchCandidate("popularity", prepare, {"sign": -1.0}, SPACE).tune(inner, validation, Search(6, 5, seed=3))
    assert choice.trials[0].settings == {"sign": -1.0}
    assert len(choice.trials) == 6
    assert choice.settings["warm"] == choice.settings["cold"]
    assert choice.settings["warm"]["sign"] > 0
    assert max(trial.warm for trial in choice.trials) == mean_ndcg(choice.model, validation.warm, 5)
    assert choice.trials[0].warm < mean_ndcg(choice.model, validation.warm, 5)
    assert prepare.calls == [(60, 3)]


def test_a_model_without_settings_is_tried_once():
    inner, validation = random_world(0)
    choice = CLOSED_FORM["popularity"].tune(inner, validation, Search(6, 5, seed=3))
    assert choice.trials == [judge_trial({}, Popularity.fit(inner), validation, 5)]


def test_each_regime_keeps_its_own_settings_and_equally_good_ones_are_not_told_apart():
    trials = [Trial({"a": 1}, 0.5, 0.2), Trial({"a": 2}, 0.4, 0.3), Trial({"a": 3}, 0.5, 0.3)]
    assert best_by_regime(trials) == {"warm": {"a": 1}, "cold": {"a": 2}}
    assert best_by_regime(trials[1:]) == {"warm": {"a": 3}, "cold": {"a": 3}}


def test_settings_that_only_the_cold_regime_depends_on_join_those_of_the_best_warm_trial():
    trials = [Trial({"a": 1, "b": 1}, 0.5, 0.2), Trial({"a": 2, "b": 2}, 0.4, 0.3)]
    joint = {"a": 1, "b": 2}
    assert best_by_regime(trials, only_cold=["b"]) == {"warm": joint, "cold": joint}


def test_settings_that_differ_by_regime_make_a_pair():
    full, _ = random_world(0)
    candidate = SearchCandidate("popularity", Prepared(), {"sign": 1.0}, SPACE)
    alone = candidate.fit(full, {"warm": {"sign": 3.0}, "cold": {"sign": 3.0}}, seed=4)
    assert (alone.shares == 3 * Popularity.fit(full).shares).all()
    pair = candidate.fit(full, {"warm": {"sign": 3.0}, "cold": {"sign": -1.0}}, seed=4)
    assert isinstance(pair, ByRegime)
    assert (pair.cold.shares == -Popularity.fit(full).shares).all()


def test_the_same_seed_tries_the_same_settings_and_another_seed_others():
    def tried(seed):
        def judge(settings):
            return Trial(settings, settings["sign"], 0.0)

        return [trial.settings for trial in run_study("x", [{"sign": 0.5}], SPACE, judge, Search(8, 5, seed))]

    assert tried(1) == tried(1)
    assert tried(1)[1:] != tried(2)[1:]


@pytest.mark.parametrize("done_before", [0, 1, 3, 6])
def test_a_search_that_was_broken_off_ends_as_if_it_had_not_been_and_a_finished_one_is_not_repeated(
    tmp_path, done_before
):
    starts, tried, ended = [{"sign": 0.5}, {"sign": -0.5}], [], []

    def judge(settings):
        if len(tried) == done_before:
            tried.append(None)
            raise KeyboardInterrupt
        tried.append(settings)
        return Trial(settings, settings["sign"], -abs(settings["sign"]))

    undisturbed = run_study("x", starts, SPACE, lambda s: Trial(s, s["sign"], -abs(s["sign"])), Search(8, 5, 0))
    storage = f"sqlite:///{tmp_path / 'studies.db'}"
    search = Search(8, 5, 0, storage, on_trial=lambda: ended.append(len(tried)))
    with pytest.raises(KeyboardInterrupt):
        run_study("x", starts, SPACE, judge, search)
    trials = run_study("x", starts, SPACE, judge, search)
    assert trials == undisturbed
    assert [settings for settings in tried if settings] == [trial.settings for trial in trials]
    assert run_study("x", starts, SPACE, judge, search) == trials
    assert len(ended) == 8
    assert len(optuna.load_study(study_name="x, NDCG@5, seed 0", storage=storage).get_trials()) == 9


def test_candidates_are_named_like_their_models():
    train, _ = random_world(0)
    for name, candidate in CLOSED_FORM.items():
        assert fit_first(candidate, train).name == candidate.name == name
        assert candidate.space.keys() <= candidate.first.keys()
