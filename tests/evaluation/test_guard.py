"""Which steps the guard climbs; what it does for the fused model is in test_fused.py."""

import numpy as np
import pytest

from hcf_spark.evaluation.guard import climb


@pytest.mark.parametrize(("gain", "errors", "kept"), [(1.5, 1.0, "b"), (1.5, 2.0, "a"), (2.5, 2.0, "b")])
def test_a_step_has_to_gain_more_than_its_standard_errors(gain, errors, kept):
    """The gains have mean g and standard deviation 1 over 400 companies: 0.05 is one standard error of the mean."""
    gains = np.tile([-1.0, 1.0], 200) + 0.05 * gain
    assert climb({"a": np.zeros(400), "b": gains}, {"a": 1.0, "b": errors}) == kept


def test_a_step_below_one_that_was_not_taken_is_not_taken_either():
    """b is above a by too little to be taken, c surely above a, but below b."""
    noise = np.tile([-1.0, 1.0], 200)
    ndcg = {"a": np.zeros(400), "b": noise + 0.09, "c": np.full(400, 0.08)}
    assert climb(ndcg, {"a": 1.0, "b": 2.0, "c": 1.0}) == "a"
    assert climb(ndcg, {"a": 1.0, "c": 1.0}) == "c"
