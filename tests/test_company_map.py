import numpy as np
import pytest
from planted import planted

from hcf_spark.company_map import make_company_map
from hcf_spark.models.companies import Companies
from hcf_spark.models.popularity import Popularity
from hcf_spark.models.text_ridge import TextRidge

NAMES = [f"p{product}" for product in range(24)]
TEXT_ITSELF = TextRidge(np.zeros(8, np.float32), np.zeros((8, 24), np.float32), np.zeros(24, np.float32))


def draw(model, vectors, known, seed=0):
    return make_company_map(model, Companies(vectors, known, np.arange(len(vectors))), NAMES, 8, 1.0, seed)


@pytest.mark.parametrize("sizes", [(40, 30, 20), (16, 10, 8)], ids=["t-SNE", "main components"])
def test_groups_are_found_and_lie_apart(sizes):
    group, vectors, known = planted(sizes, noise=0.1)
    found = draw(TEXT_ITSELF, vectors, known)
    assert found.labels.tolist() == group.tolist()
    assert [community.size for community in found.communities] == list(sizes)
    for number, community in enumerate(found.communities):
        assert len(community.products) == 4
        assert {int(name[1:]) % 3 for name in community.products} == {number}
    assert found.positions.shape == (sum(sizes), 2)
    distances = np.linalg.norm(found.positions[:, None] - found.positions, axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (group[distances.argmin(axis=1)] == group).all()


def test_what_all_use_sets_no_community_apart():
    _, vectors, known = planted((16, 10, 8))
    assert "p0" not in [
        name for community in draw(TEXT_ITSELF, vectors, known).communities for name in community.products
    ]


def test_companies_are_drawn_by_seed_and_those_without_a_vector_left_out():
    _, vectors, known = planted((1000, 600, 500))
    vectors[np.arange(2100) % 47 > 0] = 0
    drawn = [draw(TEXT_ITSELF, vectors, known, seed) for seed in (0, 1, 1)]
    assert all(30 < len(found.labels) < 45 for found in drawn)
    assert drawn[1].positions.tolist() == drawn[2].positions.tolist()
    assert drawn[0].positions.tolist() != drawn[1].positions.tolist()


def test_one_direction_is_drawn_on_a_line():
    _, _, known = planted((3,))
    one_dimension = TextRidge(np.full(1, 2, np.float32), np.zeros((1, 24), np.float32), np.zeros(24, np.float32))
    found = draw(one_dimension, np.array([[1], [3], [4]], np.float32), known)
    assert found.positions.shape == (3, 2)
    assert len(set(found.positions[:, 0].tolist())) == 2
    assert found.positions[:, 1] == pytest.approx(0, abs=1e-6)


def test_vectors_that_tell_no_company_from_another_give_no_map():
    _, vectors, known = planted((4, 3))
    alone = np.vstack([vectors[:1], np.zeros((6, 8), np.float32)])
    assert draw(TEXT_ITSELF, alone, known) is None
    assert draw(Popularity(np.full(24, 0.5, np.float32)), vectors, known) is None
