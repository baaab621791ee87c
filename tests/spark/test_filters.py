"""The density filter."""

import logging

import pytest
from chispa import assert_df_equality

from hcf_spark.config import FilterSettings
from hcf_spark.errors import DataError
from hcf_spark.spark.filters import MatrixSize, filter_sparse, measure

pytestmark = pytest.mark.spark

PAIRS = "company_id string, product_id string"


def settings(density=0.0, companies=1, products=1):
    return FilterSettings(
        min_product_density=density, min_companies_per_product=companies, min_products_per_company=products
    )


def pairs(spark, text):
    """A frame of "c1: p1 p2, c2: p1"."""
    rows = [
        (company.strip(), product) for line in text.split(",") for company, products in [line.split(":")]
        for product in products.split()
    ]  # fmt: skip
    return spark.createDataFrame(rows, PAIRS)


def test_sparse_products_and_thin_companies_go_until_nothing_changes(spark):
    """c4 is thin; without it p3 is sparse; without p3 c3 is thin."""
    interactions = pairs(spark, "c1: p1 p2, c2: p1 p2, c3: p2 p3, c4: p3")
    kept, sizes = filter_sparse(interactions, settings(companies=2, products=2))
    assert_df_equality(kept, pairs(spark, "c1: p1 p2, c2: p1 p2"), ignore_row_order=True)
    products, companies = "products with at least 2 companies", "companies with at least 2 products"
    assert sizes == [
        MatrixSize("before the filter", 4, 3, 7),
        MatrixSize(f"round 1: {products}", 4, 3, 7),
        MatrixSize(f"round 1: {companies}", 3, 3, 6),
        MatrixSize(f"round 2: {products}", 3, 2, 5),
        MatrixSize(f"round 2: {companies}", 2, 2, 4),
        MatrixSize(f"round 3: {products}", 2, 2, 4),
        MatrixSize(f"round 3: {companies}", 2, 2, 4),
    ]
    assert sizes[0].to_dict() == {
        "step": "before the filter", "companies": 4, "products": 3, "interactions": 7, "density": 7 / 12,
    }  # fmt: skip


def test_density_is_the_share_of_the_companies_still_there(spark):
    """0.5 of four companies are two; c4 leaves with p3, and of three companies 0.5 are two again."""
    interactions = pairs(spark, "c1: p1 p2, c2: p1, c3: p2, c4: p3")
    kept, sizes = filter_sparse(interactions, settings(density=0.5))
    assert_df_equality(kept, pairs(spark, "c1: p1 p2, c2: p1, c3: p2"), ignore_row_order=True)
    assert [size.step for size in sizes if "products with" in size.step] == [
        "round 1: products with at least 2 companies",
        "round 2: products with at least 2 companies",
    ]


def test_a_product_exactly_at_the_density_stays(spark):
    """0.07 x 100 is a little over 7 in floating point."""
    rows = [
        (f"c{number}", product) for number in range(100) for product in ("p0", "p1") if product == "p0" or number < 7
    ]
    kept, sizes = filter_sparse(spark.createDataFrame(rows, PAIRS), settings(density=0.07))
    assert sizes[-1] == MatrixSize("round 1: companies with at least 1 products", 100, 2, 107)
    assert kept.count() == 107


def test_further_columns_stay(spark):
    interactions = spark.createDataFrame(
        [("c1", "p1", 2.0, False), ("c2", "p1", 3.0, True), ("c2", "p2", 4.0, True)],
        f"{PAIRS}, weight double, more boolean",
    )
    kept, _ = filter_sparse(interactions, settings(companies=2))
    expected = spark.createDataFrame(
        [("c1", "p1", 2.0, False), ("c2", "p1", 3.0, True)], f"{PAIRS}, weight double, more boolean"
    )
    assert_df_equality(kept, expected, ignore_row_order=True, ignore_column_order=True)


def test_a_filter_that_leaves_nothing_is_told(spark):
    with pytest.raises(DataError) as caught:
        filter_sparse(pairs(spark, "c1: p1 p2, c2: p3"), settings(companies=2))
    assert str(caught.value) == (
        "the density filter left nothing of 3 interactions: lower filter.min_product_density, "
        "filter.min_companies_per_product or filter.min_products_per_company"
    )


def test_sizes_are_logged(spark, caplog):
    caplog.set_level(logging.INFO, logger="hcf_spark")
    size = measure(pairs(spark, "c1: p1 p2, c2: p1"), "a step")
    assert size == MatrixSize("a step", 2, 2, 3)
    assert caplog.messages == ["a step: 2 companies x 2 products, 3 interactions, density 75.000%"]


def test_an_empty_matrix_has_density_0():
    assert MatrixSize("x", 0, 0, 0).density == 0.0
