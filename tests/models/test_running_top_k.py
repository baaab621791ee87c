import numpy as np
import pytest

from hcf_spark.models.ranking import top_k
from hcf_spark.models.running_top_k import RunningTopK


@pytest.mark.parametrize("cuts", [[], [1, 2], [0, 30, 95]])
@pytest.mark.parametrize("distinct", [3, 1_000_000])
def test_blocks_of_columns_give_what_the_whole_matrix_gives(cuts, distinct):
    matrix = np.random.default_rng(0).integers(0, distinct, (20, 100)).astype(np.float32)
    best = RunningTopK(20, 7)
    for block in np.split(matrix, cuts, axis=1):
        best.add(block)
    expected = top_k(matrix, 7)
    assert best.columns.tolist() == expected.tolist()
    assert best.values.tolist() == np.take_along_axis(matrix, expected, axis=1).tolist()


def test_what_is_beside_the_values_goes_with_them():
    random = np.random.default_rng(0)
    matrix, beside = random.permutation(2_000).reshape(2, 20, 50).astype(np.float32)
    best = RunningTopK(20, 7)
    for start in (0, 1, 30):
        columns = slice(start, {0: 1, 1: 30, 30: 50}[start])
        best.add(matrix[:, columns], beside[:, columns])
    assert best.beside.tolist() == np.take_along_axis(beside, top_k(matrix, 7), axis=1).tolist()


def test_cells_that_may_not_be_chosen_leave_rows_short():
    best = RunningTopK(2, 3)
    best.add(np.array([[-np.inf, 1], [-np.inf, -np.inf]], np.float32))
    best.add(np.array([[2], [-np.inf]], np.float32))
    assert best.values.tolist() == [[2, 1, -np.inf], [-np.inf] * 3]
    assert best.columns[0, :2].tolist() == [2, 1]
