"""What encoding took, of one process and of many together."""

import pytest

from hcf_spark.text.effort import Effort, add_up


def test_mfu_is_the_share_of_the_peak_that_real_tokens_took():
    assert Effort(flops=6e14, total_seconds=2.0, peak_flops=1e15).mfu == pytest.approx(0.3)
    assert Effort(flops=6e14, total_seconds=2.0).mfu is None, "a CPU, or a GPU that is not known"
    assert Effort(peak_flops=1e15).mfu is None


def test_mfu_of_many_tasks_is_that_of_their_time_together():
    both = add_up([Effort(flops=8e14, total_seconds=1.0, peak_flops=1e15), Effort(total_seconds=1.0, peak_flops=1e15)])
    assert both.mfu == pytest.approx(0.4)


def test_efforts_add_up_and_the_least_budget_of_those_that_have_one_counts():
    first = Effort(texts=1, tokens=10, model_seconds=0.5, batch_tokens=4_096)
    second = Effort(texts=2, tokens=30, model_seconds=1.5, batch_tokens=1_024)
    assert add_up([first, Effort(), second]) == Effort(texts=3, tokens=40, model_seconds=2.0, batch_tokens=1_024)
    assert add_up([]) == Effort()
