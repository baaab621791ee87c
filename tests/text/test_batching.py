import numpy as np

from hcf_spark.text.batching import token_batches


def test_every_window_is_in_one_batch_within_the_budget():
    lengths = np.random.default_rng(0).integers(2, 60, size=500)
    batches = token_batches(lengths, budget=256)
    assert sorted(np.concatenate(batches)) == list(range(500))
    assert max(len(batch) * lengths[batch].max() for batch in batches) <= 256


def test_sorting_leaves_little_padding():
    lengths = np.random.default_rng(0).integers(2, 60, size=500)
    padded = sum(len(batch) * lengths[batch].max() for batch in token_batches(lengths, budget=256))
    assert padded / lengths.sum() < 1.05
    in_table_order = sum(32 * lengths[start : start + 32].max() for start in range(0, 500, 32))
    assert in_table_order / lengths.sum() > 1.5


def test_a_few_windows_of_very_different_lengths_are_not_padded_to_the_longest():
    lengths = np.array([256, 200, 190, 130, 90, 70, 40, 20, 10])
    assert [batch.tolist() for batch in token_batches(lengths, budget=4_096)] == [list(range(9))]
    batches = token_batches(lengths, budget=4_096, close_early=True)
    assert [lengths[batch].tolist() for batch in batches] == [[256, 200, 190], [130, 90], [70, 40, 20, 10]]
    assert sum(len(batch) * lengths[batch].max() for batch in batches) / lengths.sum() < 1.35


def test_closing_early_keeps_every_window_within_the_budget():
    lengths = np.random.default_rng(0).integers(0, 300, size=500)
    batches = token_batches(lengths, budget=1_024, close_early=True)
    assert sorted(np.concatenate(batches)) == list(range(500))
    assert max(len(batch) * lengths[batch].max() for batch in batches) <= 1_024


def test_a_window_over_the_budget_is_a_batch_of_its_own():
    assert [batch.tolist() for batch in token_batches([3, 50, 4], budget=10)] == [[1], [2, 0]]


def test_equal_lengths_keep_their_order():
    assert [batch.tolist() for batch in token_batches([5, 5, 5], budget=10)] == [[0, 1], [2]]


def test_no_windows():
    assert token_batches([], budget=10) == []
