import numpy as np
import pytest
import torch

from hcf_spark.text.pooling import pool_tokens
from hcf_spark.text.vectors import pool_windows, to_unit_length


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("mean", [[2.0, 4.0], [3.0, 3.0]]),
        ("cls", [[1.0, 2.0], [1.0, 1.0]]),
        ("lasttoken", [[3.0, 6.0], [6.0, 6.0]]),
    ],
)
def test_tokens_are_pooled_between_start_and_end(how, expected):
    hidden = torch.tensor([[1.0, 2.0], [3.0, 6.0], [100.0, 100.0], [1.0, 1.0], [2.0, 2.0], [6.0, 6.0]])
    pooled = pool_tokens(hidden, starts=np.array([0, 3]), ends=np.array([2, 6]), how=how)
    assert pooled.tolist() == expected


def test_windows_weigh_as_many_tokens_as_they_have():
    vectors = np.array([[1, 0], [0, 1], [5, 7], [4, 0]], dtype=np.float32)
    pooled = pool_windows(vectors, n_tokens=np.array([30, 10, 9, 2]), n_windows=np.array([2, 1, 1]))
    assert pooled.dtype == np.float32
    assert pooled.tolist() == [[0.75, 0.25], [5, 7], [4, 0]]


def test_no_texts():
    none = np.array([], dtype=np.int32)
    assert pool_windows(np.empty((0, 3), np.float32), none, none).shape == (0, 3)


def test_unit_length():
    units = to_unit_length(np.array([[3, 4], [0, -2], [1e-3, 0]], dtype=np.float32))
    assert units.dtype == np.float32
    np.testing.assert_allclose(units, [[0.6, 0.8], [0, -1], [1, 0]], rtol=1e-6)
