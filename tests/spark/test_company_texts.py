"""Companies as they are encoded, with product names or without."""

import pytest
from chispa import assert_df_equality

from hcf_spark.spark.company_texts import read_company_texts
from hcf_spark.spark.tables import Tables
from hcf_spark.spark.texts import select_texts

pytestmark = pytest.mark.spark

SCHEMA = "company_id string, name string, `about us` string, size int"
ROWS = [("a", "Slack shop", "We use Slack.", 1), ("b", "B", None, 2), ("c", "C", "We use paper.", 3)]


@pytest.fixture(scope="module")
def written(spark, tmp_path_factory):
    """Tables, and settings by whether names are masked."""
    from hcf_spark.config import load_config

    settings = [f"output={tmp_path_factory.mktemp('texts')}", "text.columns=[about us, size, none]"]
    tables = Tables(spark, load_config(overrides=settings))
    tables.overwrite("companies", spark.createDataFrame(ROWS, SCHEMA))
    products = [("p", "slack"), ("q", None), ("r", "paper")]
    tables.overwrite("products", spark.createDataFrame(products, "product_id string, name string"))
    where = "input.products_where=product_id != 'r'"
    configs = {
        masked: load_config(overrides=[*settings, where, f"text.mask_product_names={masked}"])
        for masked in (True, False)
    }
    return tables, configs


def test_masked_texts_lack_the_names_of_the_chosen_products_and_all_else_stays(spark, written):
    tables, configs = written
    expected = [("a", "Slack shop", "We use product.", 1), *ROWS[1:]]
    for masked, rows in ((True, expected), (False, ROWS)):
        assert_df_equality(
            read_company_texts(tables, configs[masked]), spark.createDataFrame(rows, SCHEMA),
            ignore_row_order=True, ignore_nullable=True,
        )  # fmt: skip


def test_only_a_text_that_was_changed_has_another_hash(written):
    tables, configs = written
    hashes = {
        masked: {
            row.company_id: row.text_hash
            for row in select_texts(read_company_texts(tables, config), ["about us"]).collect()
        }
        for masked, config in configs.items()
    }
    assert {company for company in "ac" if hashes[True][company] != hashes[False][company]} == {"a"}
