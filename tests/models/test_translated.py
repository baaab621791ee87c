import numpy as np
import pytest
from worlds import fit_first, random_world

from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.models.companies import Companies
from hcf_spark.models.package import About, ModelPackage
from hcf_spark.models.translated import Translated

ABOUT = About(
    text_columns=("description",), encoder={}, encoder_id="tiny@1", text_dimension=5, snapshot_id="abc", top_k=3
)  # fmt: skip


@pytest.fixture(scope="module")
def train():
    return random_world(0)[0]


@pytest.fixture(scope="module")
def package(train):
    """Knows the companies c0 .. c59 and the products p0 .. p14."""
    products = [f"p{product}" for product in range(15)]
    companies = [f"c{company}" for company in range(60)]
    return ModelPackage(fit_first(CLOSED_FORM["ease_text_ials"], train), products, products, companies, ABOUT)


def test_the_same_companies_and_products_in_another_order(train, package):
    random = np.random.default_rng(0)
    products, rows = random.permutation(15), random.permutation(60)
    today = Translated.of(package, [f"c{row}" for row in rows], [f"p{product}" for product in products])
    asked = Companies(train.text[rows], train.known[rows][:, products], np.arange(60))
    np.testing.assert_allclose(today.score(asked), package.model.score(train)[rows][:, products], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(today.embed(asked), package.model.embed(train)[rows], rtol=1e-5, atol=1e-6)


def test_products_that_are_new_get_the_lowest_score_and_those_that_are_gone_none(train, package):
    today = Translated.of(package, package.company_ids, ["new", "p3", "p0", "newer"])
    known = train.known.copy()
    known = known[:, [14, 3, 0, 13]]  # what the first and last column say is of products the model does not know
    scores = today.score(Companies(train.text, known, train.index))
    kept = np.zeros(train.known.shape, np.float32)
    kept[:, [3, 0]] = train.known[:, [3, 0]].toarray()
    own = package.model.score(Companies(train.text, type(known)(kept), train.index))
    np.testing.assert_allclose(scores[:, [1, 2]], own[:, [3, 0]], rtol=1e-5, atol=1e-6)
    assert (scores[:, [0, 3]] == own.min(axis=1, keepdims=True)).all()


def test_companies_that_are_new_or_unseen_have_no_index(package, train):
    today = Translated.of(package, ["c7", "who"], package.product_ids)
    asked = Companies(train.text[:3], train.known[:3], np.array([0, 1, -1]))
    assert today._translate(asked).index.tolist() == [7, -1, -1]
