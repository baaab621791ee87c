import numpy as np
import pytest
import scipy.sparse as sp

from hcf_spark.models.package import About, ModelPackage
from hcf_spark.models.popularity import Popularity

ABOUT = About(
    text_columns=("description", "wikipedia"), encoder={"model": "tiny", "max_tokens": None}, encoder_id="tiny@1",
    text_dimension=2, snapshot_id="abc", top_k=3,
)  # fmt: skip


@pytest.fixture
def package():
    shares = np.array([0.3, 0.2, 0.1], np.float32)
    return ModelPackage(
        Popularity(shares), ["crm", "erp", "Büro"], ["CRM", "ERP", "Büro ☕"], ["acme", "0", "ünïcode"], ABOUT
    )


def known_of(package, products):
    count = len(products)
    return package.companies([None] * count, np.zeros((count, 2), np.float32), None, products).known.toarray().tolist()


def test_company_ids_become_the_index_of_training(package):
    ids = ["ünïcode", "nobody", None, "acme", float("nan"), "", "0"]
    companies = package.companies(ids, np.zeros((7, 2), np.float32), None, [None] * 7)
    assert companies.index.tolist() == [2, -1, -1, 0, -1, -1, 1]
    assert companies.index.dtype == np.int64


def test_product_ids_become_the_matrix(package):
    products = [["erp"], ["Büro", "crm"], []]
    assert known_of(package, products) == [[0, 1, 0], [1, 0, 1], [0, 0, 0]]


def test_products_named_twice_count_once_and_unknown_ones_not_at_all(package):
    assert known_of(package, [["erp", "no such", "erp", None], ["no such"]]) == [[0, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize("nothing", [None, [], float("nan"), np.array([], object), ()])
def test_no_products_in_whatever_form(package, nothing):
    assert known_of(package, [nothing, ["crm"]]) == [[0, 0, 0], [1, 0, 0]]


@pytest.mark.parametrize("make", [np.array, tuple, set, lambda ids: np.array(ids, object)])
def test_products_in_any_collection(package, make):
    assert known_of(package, [make(["crm", "erp"])]) == [[1, 1, 0]]


def test_text_and_words_are_passed_on_and_nobody_is_fine(package):
    text, words = np.array([[1.0, 2.0]], np.float32), sp.csr_matrix([[0.0, 3.0, 1.0]])
    companies = package.companies(["acme"], text, words, [None])
    assert companies.text is text
    assert companies.words is words
    nobody = package.companies([], np.zeros((0, 2), np.float32), None, [])
    assert (len(nobody), nobody.known.shape) == (0, (0, 3))


def test_saved_and_loaded_it_is_the_same(package, tmp_path):
    package.save(tmp_path / "new" / "folder")
    loaded = ModelPackage.load(tmp_path / "new" / "folder")
    for part in ("about", "product_ids", "product_names", "company_ids"):
        assert getattr(loaded, part) == getattr(package, part)
    assert loaded.model.shares.tolist() == package.model.shares.tolist()
    ids, text, products = ["ünïcode", None], np.zeros((2, 2), np.float32), [["Büro"], None]
    first, second = (one.companies(ids, text, None, products) for one in (package, loaded))
    assert first.index.tolist() == second.index.tolist()
    assert (first.known != second.known).nnz == 0
