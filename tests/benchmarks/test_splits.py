"""Intervals over splits that judge the same companies."""

import numpy as np

from benchmarks.splits import mean_gain, sum_by_company


def test_sums_are_of_each_company_over_the_splits_that_judge_it():
    sums = sum_by_company([["a", "b"], ["b", "c"]], [np.array([1.0, 2.0]), np.array([3.0, 4.0])])
    assert sums.tolist() == [1.0, 5.0, 4.0]


def test_the_same_judgements_again_tell_nothing_new():
    gains = np.random.default_rng(0).standard_normal(200)
    ids = [f"c{number}" for number in range(200)]
    once, often = mean_gain([ids], [gains], seed=0), mean_gain([ids] * 5, [gains] * 5, seed=0)
    assert once["difference"] == gains.mean()
    for key in ("difference", "low", "high"):
        assert np.isclose(once[key], often[key])
    others = mean_gain([[f"{split} {own}" for own in ids] for split in range(5)], [gains] * 5, seed=0)
    assert others["high"] - others["low"] < 0.6 * (once["high"] - once["low"])
    assert often["by_split"] == [gains.mean()] * 5
