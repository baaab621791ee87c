"""Intervals over splits that judge the same companies."""

import numpy as np

from benchmarks.splits import format_gain, mean_gain, over_splits, sum_by_company


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


def test_splits_that_differ_widen_the_interval_over_splits():
    """Means 1 and 3 have mean 2 and standard error 1; Student's t of 0.975 with one degree of freedom is 12.706."""
    assert np.allclose(over_splits([1.0, 3.0]), (2 - 12.7062, 2 + 12.7062))
    assert over_splits([2.0, 2.0, 2.0]) == (2.0, 2.0)


def test_a_gain_is_bold_only_where_companies_and_splits_agree():
    gain = {"difference": 0.002, "low": 0.001, "high": 0.003, "by_split": [0.0019, 0.002, 0.0021]}
    assert format_gain(gain) == "**+0.0020** (+0.0010 to +0.0030; +0.0018 to +0.0022)"
    assert format_gain({**gain, "low": -0.001}).startswith("+0.0020 (-0.0010")
    assert format_gain({**gain, "by_split": [-0.001, 0.002, 0.005]}).startswith("+0.0020 (")
    assert format_gain({**gain, "by_split": [0.002]}) == "**+0.0020** (+0.0010 to +0.0030)"
