"""Facts that package and report take from the tables."""

from datetime import UTC, datetime

import numpy as np
import pytest

from hcf_spark.config import load_config
from hcf_spark.spark import look, schemas
from hcf_spark.spark.tables import Tables

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def tables(spark, tmp_path_factory):
    """Four companies, the last one held out, and three products."""
    tables = Tables(spark, load_config(overrides=[f"output={tmp_path_factory.mktemp('look')}"]))
    vector = [0.0]
    rows = {
        "company_vocab": (
            [("b", 0, False, "b"), ("a", 1, False, "a"), ("10", 2, False, "10"), ("d", 3, True, "d")],
            schemas.COMPANY_VOCAB,
        ),
        "product_vocab": (
            [("p", 2, "Last", None), ("q", 0, None, None), ("r", 1, "Middle", "x")],
            schemas.PRODUCT_VOCAB,
        ),
        "company_product": ([(0, 0, 1.0, None), (0, 1, 1.0, None), (3, 1, 1.0, None)], schemas.COMPANY_PRODUCT),
        "text_embeddings": (
            [
                ("a", "description", "h", "tiny", vector, 5, 1),
                ("a", "wikipedia", "h", "tiny", vector, 70, 2),
                ("d", "description", "h", "tiny", vector, 6, 1),
                ("b", "description", "h", "another", vector, 99, 9),
            ],
            schemas.TEXT_EMBEDDINGS,
        ),
    }
    now = datetime(2026, 1, 1, tzinfo=UTC)
    broken = [("usage", "duplicate pair"), ("usage", "duplicate pair"), ("usage", "unknown")]
    broken += [("companies.csv", "too many fields"), ("companies.text", "description: no text")]
    rows["quarantine"] = [(name, None, rule, "{}", "run", now) for name, rule in broken], schemas.QUARANTINE
    for name, (content, schema) in rows.items():
        tables.overwrite(name, spark.createDataFrame(content, schema), schema)
    companies = [("a", "A", None, "wiki of a"), ("b", None, "b's text", "wiki of b"), ("d", "D", None, None)]
    types = "company_id string, name string, description string, `wiki.pedia` string"
    tables.overwrite("companies", spark.createDataFrame(companies, types))
    return tables


def test_dataset(tables):
    assert look.look_up_dataset(tables) == {"companies": 2, "products": 3, "interactions": 3, "density": 0.5}


@pytest.mark.parametrize(("source", "has_files"), [("csv", True), ("tables", False)])
def test_all_that_was_set_aside_is_counted_by_source_and_rule(tables, source, has_files):
    config = load_config(overrides=["output=out", f"input.source={source}"])
    assert look.look_up_quarantine(tables, config) == {
        **({"companies.csv": {"too many fields": 1}} if has_files else {}),
        "companies.text": {"description: no text": 1},
        "usage": {"duplicate pair": 2, "unknown": 1},
    }


def test_products_are_in_the_order_of_their_index(tables):
    assert look.look_up_products(tables) == (["q", "r", "p"], ["q", "Middle", "Last"])


def test_training_companies_are_in_the_order_of_their_index(tables):
    assert look.look_up_training_companies(tables, 3) == ["b", "a", "10"]
    assert look.look_up_training_companies(tables, 2) == ["b", "a"]


def test_text(tables):
    assert look.look_up_text(tables, "tiny") == {
        "companies with text": 2,
        "companies without text": 2,
        "texts": 3,
        "tokens": 81,
        "tokens of the longest text": 70,
        "windows": 4,
        "encoder": "tiny",
    }


def test_companies_come_in_the_order_asked_for_with_their_first_text(tables):
    found = look.look_up_companies(tables, np.array([3, 0, 1]), ["description", "wiki.pedia"])
    assert [(company["company_id"], company["name"], company["text"]) for company in found] == [
        ("d", "D", None), ("b", None, "b's text"), ("a", "A", "wiki of a"),
    ]  # fmt: skip
