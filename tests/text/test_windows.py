import pytest

from hcf_spark.text.windows import cut_windows


@pytest.mark.parametrize(
    ("n_tokens", "expected"),
    [
        (0, [[]]),
        (1, [[0]]),
        (4, [[0, 1, 2, 3]]),
        (5, [[0, 1, 2, 3], [2, 3, 4]]),
        (6, [[0, 1, 2, 3], [2, 3, 4, 5]]),
        (7, [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6]]),
    ],
)
def test_windows_of_four_with_two_in_common(n_tokens, expected):
    assert cut_windows(list(range(n_tokens)), size=4, overlap=2) == expected


@pytest.mark.parametrize(("size", "overlap"), [(3, 0), (5, 1), (8, 7)])
@pytest.mark.parametrize("n_tokens", range(1, 40, 3))
def test_no_token_is_lost_and_every_window_brings_a_new_one(n_tokens, size, overlap):
    seen = -1
    for window in cut_windows(range(n_tokens), size, overlap):
        assert len(window) <= size
        assert window[0] == (max(seen - overlap + 1, 0))
        assert window[-1] > seen
        seen = window[-1]
    assert seen == n_tokens - 1


@pytest.mark.parametrize("overlap", [-1, 4, 5])
def test_windows_that_would_never_end_are_refused(overlap):
    with pytest.raises(ValueError, match=f"^overlap must be at least 0 and less than size 4, found {overlap}$"):
        cut_windows([1, 2, 3], size=4, overlap=overlap)
