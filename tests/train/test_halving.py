"""Successive halving, with learning curves given: what is trained for how long, and what is left of what fails."""

from dataclasses import replace

import pytest
from tiny_snapshot import checkerboard_shards, make_plan, write_snapshot

from hcf_spark.errors import TrainingError
from hcf_spark.train.halving import halve
from hcf_spark.train.progress import Progress


class Curves:
    """Trains plans whose learning rate is the number of a curve: validation NDCG by epoch, None where it fails."""

    def __init__(self, *curves):
        self.curves, self.trained, self.came_to = curves, [], {}

    def train(self, plan):
        number = int(plan.learning_rate)
        self.trained.append((number, plan.epochs))
        curve = self.curves[number - 1]
        to = max(min(plan.epochs, len(curve)), self.came_to.get(number, 0))
        if None in curve[:to]:
            raise TrainingError("the training loss is nan")
        self.came_to[number] = to
        return Progress([{"validation_warm_ndcg": ndcg, "validation_cold_ndcg": ndcg} for ndcg in curve[:to]])


@pytest.fixture
def plans(tmp_path):
    write_snapshot(tmp_path / "snapshot", checkerboard_shards(12, 8, 1), [], n_products=8)
    plan = make_plan(tmp_path / "snapshot", tmp_path, epochs=20)
    return [replace(plan, folder=str(tmp_path / str(number)), learning_rate=number) for number in range(1, 5)]


RISING = [epoch / 100 for epoch in range(1, 11)]
FAST, SLOW = [0.5] * 12, [0.0] * 12


def test_the_first_is_trained_to_its_end_the_others_for_a_fifth_of_it_then_the_best_of_them(plans):
    curves = Curves(RISING, SLOW, FAST, [0.3] * 12)
    progress = halve(plans, curves.train)
    assert curves.trained == [(1, 20), (2, 2), (3, 2), (4, 2), (3, 20)]
    assert [len(each.history) for each in progress] == [10, 2, 12, 2]
    assert [each.best_score for each in progress] == [0.1, 0.0, 0.5, 0.3]


def test_one_plan_is_trained_and_no_more(plans):
    curves = Curves(RISING)
    (progress,) = halve(plans[:1], curves.train)
    assert (curves.trained, progress.best_epoch) == ([(1, 20)], 10)


def test_a_search_that_was_broken_off_comes_to_the_same_end(plans):
    """One had been taken further than it should be: it is judged by what it was after the short while."""
    late = [0.0, 0.0, *([0.9] * 10)]
    undisturbed = halve(plans, Curves(RISING, late, FAST, [0.3] * 12).train)
    again = Curves(RISING, late, FAST, [0.3] * 12)
    again.came_to = {1: 10, 2: 12, 3: 12, 4: 12}
    assert halve(plans, again.train) == undisturbed
    assert len(undisturbed[1].history) == 2


def test_settings_that_cannot_be_trained_are_left_out_and_the_next_best_goes_on(plans, caplog):
    caplog.set_level("WARNING")
    fails_late = [0.8, 0.8, None]
    curves = Curves(RISING, [None], FAST, fails_late, SLOW)
    plans.append(replace(plans[-1], learning_rate=5))
    progress = halve(plans, curves.train)
    assert [len(each.history) for each in progress] == [10, 0, 12, 0, 2]
    assert "settings 2 of 5 are left out: the training loss is nan" in caplog.text
    assert "settings 4 of 5 are left out" in caplog.text


def test_the_settings_asked_for_have_to_be_trainable(plans):
    with pytest.raises(TrainingError, match="nan"):
        halve(plans, Curves([None], FAST, FAST, FAST).train)


def test_progress_knows_its_best_epoch():
    assert (Progress().best_epoch, Progress().best_score) == (0, float("-inf"))
    assert Progress([{"loss": 3.0}, {"loss": 4.0}]).best_epoch == 2
    cold = [{"validation_warm_ndcg": 0.0, "validation_cold_ndcg": ndcg} for ndcg in (0.2, 0.6, 0.6, 0.4)]
    assert (Progress(cold).best_epoch, Progress(cold).best_score, Progress(cold).until(1).best_score) == (2, 0.3, 0.1)
