"""Copies of companies: groups by the same text or the same products, without comparing pairs."""

import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F

from hcf_spark.spark.alike import with_alike
from hcf_spark.spark.vocab import with_held_out

pytestmark = pytest.mark.spark

LONG = "We sell paint and brushes to painters in all of the north"
COMPANIES = [
    ("a", LONG),
    ("b", f"  {LONG.upper()}\n"),  # the text of a
    ("c", None),  # the products of b
    ("d", "Paint"),
    ("e", "Paint"),  # too short a text to tell a copy
    ("f", f"{LONG} and the south"),
    ("g", None),  # two products, as h
    ("h", None),
]
USAGE = {"b": "xyz", "c": "zyx", "d": "xy", "e": "xyz!", "g": "xy", "h": "xy"}


def groups_of(spark, companies, usage, columns=("description",)):
    pairs = [(company, product) for company, products in usage.items() for product in products]
    return with_alike(
        spark.createDataFrame(companies, "company_id string, description string"),
        spark.createDataFrame(pairs, "company_id string, product_id string"),
        columns,
    )


def test_the_same_text_or_the_same_products_make_a_group_and_groups_chain(spark):
    expected = [("a", "a"), ("b", "a"), ("c", "a"), *((company, company) for company in "defgh")]
    assert_df_equality(
        groups_of(spark, COMPANIES, USAGE), spark.createDataFrame(expected, "company_id string, alike string"),
        ignore_row_order=True, ignore_nullable=True,
    )  # fmt: skip


def test_a_missing_text_column_is_no_text(spark):
    found = groups_of(spark, COMPANIES, USAGE, ["wikipedia"]).collect()
    assert {row.company_id for row in found if row.alike != row.company_id} == {"c"}


def test_what_many_companies_share_tells_no_copies(spark):
    companies = [(f"c{number:02}", LONG if number < 3 else None) for number in range(10)]
    found = groups_of(spark, companies, {"c08": "xyz", "c09": "xyz"}).collect()
    assert {row.company_id: row.alike for row in found if row.alike != row.company_id} == {"c09": "c08"}


def test_a_group_is_held_out_as_a_whole_and_a_company_alone_as_ever(spark):
    alone = spark.range(200).select(F.col("id").cast("string").alias("company_id"))
    alone = alone.withColumn("alike", F.col("company_id"))
    grouped = alone.withColumn("alike", (F.col("company_id").cast("int") / 10).cast("int").cast("string"))
    drawn, together = (with_held_out(frame, 0.4, seed=0).toPandas() for frame in (alone, grouped))
    assert 0.3 < drawn["held_out"].mean() < 0.5
    assert set(together.groupby("alike")["held_out"].mean()) == {0.0, 1.0}
    by_itself = drawn.set_index("company_id")["held_out"]
    assert (together["held_out"] == together["alike"].map(by_itself)).all()
