import numpy as np
import pytest
import scipy.sparse as sp
from tiny_package import make_hcf

from hcf_spark.models import directory
from hcf_spark.models.companies import Companies, Holdout
from hcf_spark.models.directory import Directory


@pytest.fixture(scope="module")
def companies():
    """Seven training companies, the second half without text; numbers 10 to 16."""
    random = np.random.default_rng(1)
    text = random.standard_normal((7, 16)).astype(np.float32)
    text[4:] = 0
    known = sp.csr_matrix((random.random((7, 5)) < 0.4).astype(np.float32))
    return Companies(text, known, np.arange(10, 17))


@pytest.fixture(scope="module")
def model():
    return make_hcf(n_companies=17)


def as_lists(found):
    return [(index.tolist(), scores.tolist()) for index, scores in found]


@pytest.mark.parametrize("rows", [2, 2048])
def test_look_alikes_are_the_highest_cosines_of_others(model, companies, monkeypatch, rows):
    monkeypatch.setattr(directory, "_ROWS", rows)
    vectors = model.embed(companies)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    found = Directory.of(model, companies, 2).look_alikes(vectors[:3], np.array([10, 11, -1]), 3)
    for row, (index, scores) in enumerate(found):
        others = [other for other in range(7) if other != row or row == 2]
        expected = sorted(others, key=lambda other: -cosines[row, other])[:3]
        assert index.tolist() == [10 + other for other in expected]
        np.testing.assert_allclose(scores, cosines[row, expected], atol=1e-6)


@pytest.mark.parametrize("rows", [1, 3, 2048])
def test_adopters_are_those_with_the_highest_scores_that_do_not_use_the_product(model, companies, monkeypatch, rows):
    monkeypatch.setattr(directory, "_ROWS", rows)
    scores, known = model.score(companies), companies.known.toarray()
    found = Directory.of(model, companies, 3).adopters_of(np.array([4, 0]), 2)
    for product, (index, values) in zip((4, 0), found, strict=True):
        free = [row for row in range(7) if not known[row, product]]
        expected = sorted(free, key=lambda row: -scores[row, product])[:2]
        assert index.tolist() == [10 + row for row in expected]
        np.testing.assert_allclose(values, scores[expected, product], atol=1e-6)


def test_fewer_are_named_where_there_are_fewer(model, companies):
    known = np.ones((7, 5), np.float32)
    known[2, 0] = 0
    used = Companies(companies.text, sp.csr_matrix(known), companies.index)
    found = Directory.of(model, used, 50)
    assert [index.tolist() for index, _ in found.adopters_of(np.array([0, 1]), 50)] == [[12], []]
    ((index, _),) = found.look_alikes(model.embed(used.take([3])), np.array([13]), 50)
    assert sorted(index.tolist()) == [10, 11, 12, 14, 15, 16]


def test_it_travels_as_arrays(model, companies):
    first = Directory.of(model, companies, 3)
    second = Directory.from_arrays(first.arrays())
    products = np.arange(5)
    assert as_lists(first.adopters_of(products, 3)) == as_lists(second.adopters_of(products, 3))
    assert len(second) == 7


def test_withheld_products_are_revealed_to_the_companies_they_belong_to(companies):
    judged = Companies(np.zeros((3, 16), np.float32), sp.csr_matrix((3, 5), dtype=np.float32), np.array([12, 99, 10]))
    missing = 1 - companies.known.toarray()
    hidden = np.zeros((3, 5), np.float32)
    hidden[[0, 2], [missing[2].argmax(), missing[0].argmax()]] = 1
    hidden[1] = 1
    revealed = Holdout(judged, sp.csr_matrix(hidden)).revealed_to(companies)
    expected = companies.known.toarray()
    expected[2] += hidden[0]
    expected[0] += hidden[2]
    assert revealed.known.toarray().tolist() == expected.tolist()
    assert (revealed.text is companies.text, revealed.index is companies.index) == (True, True)
