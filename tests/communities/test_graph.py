import numpy as np

from hcf_spark.communities import graph
from hcf_spark.communities.graph import nearest, neighbour_graph


def unit(count, dimension=6, seed=0):
    vectors = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_nearest_are_those_of_the_whole_matrix_whatever_the_blocks(monkeypatch):
    among, asked = unit(50), unit(20, seed=1)
    expected = np.argsort(-asked @ among.T, axis=1)[:, :4]
    for cells in (graph._CELLS, 150):
        monkeypatch.setattr(graph, "_CELLS", cells)
        rows, cosines = nearest(asked, among, 4)
        assert (rows == expected).all()
        np.testing.assert_allclose(cosines, np.take_along_axis(asked @ among.T, rows, axis=1), rtol=1e-5)


def test_nobody_has_no_nearest():
    rows, cosines = nearest(unit(0), unit(5), 2)
    assert rows.shape == cosines.shape == (0, 2)


def test_a_tie_of_one_side_is_a_tie_and_nobody_is_tied_to_itself():
    line = np.array([[1, 0], [0.99, 0.14], [0.8, 0.6]], np.float32)
    ties = neighbour_graph(line, 1).toarray()
    np.testing.assert_allclose(ties, [[0, 0.99, 0], [0.99, 0, 0.876], [0, 0.876, 0]], atol=1e-3)


def test_opposites_are_not_tied_and_few_companies_have_few_neighbours():
    opposites = np.array([[1, 0], [-1, 0], [0.9, 0.1]], np.float32)
    assert neighbour_graph(opposites, 20).astype(bool).toarray().tolist() == [
        [False, False, True], [False, False, False], [True, False, False],
    ]  # fmt: skip
