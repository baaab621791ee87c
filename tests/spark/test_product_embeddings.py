"""Product vectors as a table."""

import numpy as np
import pytest
from tiny_package import make_hcf, make_package
from worlds import fit_first, random_world

from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.models.product_vectors import product_vectors
from hcf_spark.spark.product_embeddings import write_product_embeddings
from hcf_spark.spark.schemas import COMPANY_EMBEDDINGS, PRODUCT_EMBEDDINGS
from hcf_spark.spark.tables import Tables

pytestmark = pytest.mark.spark


def test_they_are_written_once_for_each_version_and_not_at_all_where_a_model_has_none(spark, make_config, tmp_path):
    config = make_config()
    tables, model = Tables(spark, config), fit_first(CLOSED_FORM["ease"], random_world(0)[0])
    tables.make_empty("company_embeddings", COMPANY_EMBEDDINGS, "model_version")
    tables.make_empty("product_embeddings", PRODUCT_EMBEDDINGS, "model_version")
    make_package(model, config, n_products=15).save(tmp_path / "seven")
    make_package(make_hcf(), config).save(tmp_path / "eight")
    write_product_embeddings(tables, tmp_path / "seven", "7")
    version = tables.version("product_embeddings")
    write_product_embeddings(tables, tmp_path / "seven", "7")
    assert tables.version("product_embeddings") == version
    write_product_embeddings(tables, tmp_path / "eight", "8")
    found = tables.read("product_embeddings", "").toPandas().set_index("product_id")
    assert set(found["model_version"]) == {"7"}
    vectors = np.stack(found["embedding"].loc[[f"p{number}" for number in range(15)]])
    np.testing.assert_allclose(vectors, product_vectors(model), rtol=1e-6)
