"""Checks of the input tables: every row passes or is in quarantine, with the rule that it broke."""

import json
from datetime import date, datetime
from decimal import Decimal

import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F

from hcf_spark.errors import ConfigError, DataError
from hcf_spark.spark.checks import (
    Checked,
    check_companies,
    check_products,
    check_usage,
    filter_where,
    require_columns,
    write_quarantine,
)
from hcf_spark.spark.tables import Tables

pytestmark = pytest.mark.spark

USAGE = "company_id string, product_id string, weight string"


def both_sides(checked):
    """The good rows and (key, rule, row) of the bad ones, in order; all rows are among them."""
    good, bad = ([tuple(row) for row in frame.collect()] for frame in (checked.good, checked.bad))
    assert checked.rows.count() == len(good) + len(bad)
    return sorted(good, key=str), sorted(bad, key=str)


def keys_and_rules(bad):
    return [(key, rule) for key, rule, _ in bad]


@pytest.fixture(scope="module")
def ids(spark):
    """Known companies c1 .. c3 and products p1 .. p3."""
    return tuple(
        spark.createDataFrame([(f"{kind}{number}",) for number in (1, 2, 3)], f"{key} string")
        for kind, key in (("c", "company_id"), ("p", "product_id"))
    )


def test_companies(spark):
    rows = [
        (1, "One", "text", None, 1.5),
        (2, None, None, 7, None),
        (None, "Three", "text", None, None),
        (4, "Four", "a", None, None),
        (4, "Four", "b", None, None),
        (5, "Five", "a", None, None),
        (5, "Five", "a", None, None),
        (5, "Five", "a", None, None),
    ]
    types = "company_id int, name string, `Company size` string, `a.b` int, `c d` double"
    checked = check_companies(spark.createDataFrame(rows, types))
    good, bad = both_sides(checked)
    assert keys_and_rules(bad) == [
        ("4", "duplicate company_id with different content"),
        ("5", "duplicate company_id"),
        ("5", "duplicate company_id"),
        (None, "company_id is null or empty"),
    ]
    row = {"company_id": None, "name": "Three", "Company size": "text", "a.b": None, "c d": None}
    assert json.loads(bad[-1][2]) == row
    four = good.pop(2)
    assert good == [("1", "One", "text", None, 1.5), ("2", None, None, 7, None), ("5", "Five", "a", None, None)]
    expected = [
        ("company_id", "string"),
        ("name", "string"),
        ("Company size", "string"),
        ("a.b", "int"),
        ("c d", "double"),
    ]
    assert checked.good.dtypes == expected

    again = check_companies(spark.createDataFrame(rows[::-1], types).repartition(3))
    assert again.good.where("company_id = '4'").collect() == [four], "which one stays hangs on its content only"


def test_blank_ids(spark):
    frame = spark.createDataFrame([("", "x"), ("  ", "y"), (" a ", "z")], "product_id string, name string")
    checked = check_products(frame)
    good, bad = both_sides(checked)
    assert keys_and_rules(bad) == [("  ", "product_id is null or empty"), ("", "product_id is null or empty")]
    assert good == [(" a ", "z", None)]


def test_products_get_a_category_where_there_is_none(spark):
    without = check_products(spark.createDataFrame([(1, "One")], "product_id long, name string"))
    expected = spark.createDataFrame([("1", "One", None)], "product_id string, name string, category string")
    assert_df_equality(without.good, expected)
    having = check_products(expected.withColumn("category", F.lit("x")))
    assert having.good.collect() == [("1", "One", "x")]


def test_usage(spark, ids):
    rows = [
        ("c1", "p1", "2"),
        ("c1", "p2", None),
        ("c2", "p1", " 1e-3 "),
        ("c9", "p1", "1"),
        ("c1", "p9", "1"),
        ("c9", "p9", "1"),
        (None, "p1", "1"),
        ("", "p1", "1"),
        ("c1", None, "1"),
        ("c1", " ", "1"),
        *(("c3", "p1", weight) for weight in ("0", "-1", "-0.0", "NaN", "inf", "-Infinity", "1e999", "much", "")),
    ]
    checked = check_usage(spark.createDataFrame(rows, USAGE), *ids)
    good, bad = both_sides(checked)
    assert good == [("c1", "p1", 2.0, None), ("c1", "p2", 1.0, None), ("c2", "p1", 0.001, None)]
    assert checked.good.schema.simpleString() == (
        "struct<company_id:string,product_id:string,weight:double,observed_at:timestamp>"
    )
    assert keys_and_rules(bad) == [
        (" / p1", "company_id is null or empty"),
        ("c1 /  ", "product_id is null or empty"),
        ("c1 / p9", "product_id is not in products"),
        ("c1", "product_id is null or empty"),
        *[("c3 / p1", "weight is not a finite number above 0")] * 9,
        ("c9 / p1", "company_id is not in companies"),
        ("c9 / p9", "company_id is not in companies"),
        ("p1", "company_id is null or empty"),
    ]


def test_duplicate_pairs(spark, ids):
    rows = [
        ("c1", "p1", "1", "x"),
        ("c1", "p1", "1", "x"),
        ("c1", "p2", "1", "x"),
        ("c1", "p2", "2", "x"),
        ("c2", "p2", "1", "x"),
        ("c2", "p2", "1", "y"),
        ("c3", "p3", "0", "x"),
        ("c3", "p3", "1", "x"),
        ("c9", "p1", "1", "x"),
        ("c9", "p1", "1", "x"),
    ]
    checked = check_usage(spark.createDataFrame(rows, f"{USAGE}, `more.of it` string"), *ids)
    good, bad = both_sides(checked)
    assert [pair[:2] for pair in good] == [("c1", "p1"), ("c1", "p2"), ("c2", "p2"), ("c3", "p3")]
    assert keys_and_rules(bad) == [
        ("c1 / p1", "duplicate pair"),
        ("c1 / p2", "duplicate pair with different content"),
        ("c2 / p2", "duplicate pair with different content"),
        ("c3 / p3", "weight is not a finite number above 0"),
        ("c9 / p1", "company_id is not in companies"),
        ("c9 / p1", "company_id is not in companies"),
    ]


def test_usage_without_weight_and_with_ids_that_are_numbers(spark):
    companies = spark.createDataFrame([("1",), ("2",)], "company_id string")
    products = spark.createDataFrame([("10",)], "product_id string")
    rows, types = [(1, 10, date(2024, 1, 1)), (2, 11, None)], "company_id int, product_id long, `at``t` date"
    usage = spark.createDataFrame(rows, types)
    checked = check_usage(usage, companies, products)
    good, ((key, rule, row),) = both_sides(checked)
    assert good == [("1", "10", 1.0, None)]
    assert (key, rule) == ("2 / 11", "product_id is not in products")
    assert json.loads(row) == {"company_id": 2, "product_id": 11, "at`t": None}


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("decimal(9,3)", Decimal("2.5"), [Decimal(0), Decimal(-1)]),
        ("double", 5e-324, [float("nan"), float("inf"), float("-inf"), 0.0]),
    ],
)
def test_weights_that_are_numbers(spark, ids, kind, good, bad):
    rows = [("c1", "p1", good), ("c2", "p1", None), *[("c3", "p1", weight) for weight in bad]]
    usage = spark.createDataFrame(rows, f"company_id string, product_id string, weight {kind}")
    passed, quarantined = both_sides(check_usage(usage, *ids))
    assert passed == [("c1", "p1", float(good), None), ("c2", "p1", 1.0, None)]
    assert keys_and_rules(quarantined) == [("c3 / p1", "weight is not a finite number above 0")] * len(bad)


def test_a_time_is_kept_and_missed_only_where_it_is_needed(spark):
    ids = (spark.createDataFrame([("c1",)], "company_id string"), spark.createDataFrame([("p1",)], "product_id string"))
    times = ["2024-05-06 07:08:09", None, "last spring"]
    for time in times:
        usage = spark.createDataFrame([("c1", "p1", time)], "company_id string, product_id string, observed_at string")
        (((*_, found),), _), (_, bad) = (both_sides(check_usage(usage, *ids, need)) for need in (False, True))
        assert found == (datetime(2024, 5, 6, 7, 8, 9) if time == times[0] else None)
        assert [rule for _, rule, _ in bad] == (
            [] if time == times[0] else ["observed_at is not a time (split.hide is newest)"]
        )
    without = spark.createDataFrame([("c1", "p1")], "company_id string, product_id string")
    with pytest.raises(DataError) as caught:
        check_usage(without, *ids, need_time=True)
    assert str(caught.value) == "table usage lacks the column observed_at; found company_id, product_id"


def test_a_missing_column_is_told(spark):
    frame = spark.createDataFrame([("a", "b")], "company_id string, other string")
    for check, missing in (
        (check_companies, "table companies lacks the column name"),
        (check_products, "table products lacks the column product_id, name"),
        (lambda usage: check_usage(usage, None, None), "table usage lacks the column product_id"),
        (lambda table: require_columns(table, "any", ["x", "other", "y"]), "table any lacks the column x, y"),
    ):
        with pytest.raises(DataError) as caught:
            check(frame)
        assert str(caught.value) == f"{missing}; found company_id, other"


def test_conditions(spark):
    frame = spark.createDataFrame([("a", "product"), ("b", "tag"), ("c", None)], "product_id string, kind string")
    assert filter_where(frame, "input.products_where", None) is frame
    chosen = filter_where(frame, "input.products_where", "kind = 'product' OR product_id IN ('c')")
    assert [row.product_id for row in chosen.collect()] == ["a", "c"]


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("kind == == 'x'", "[PARSE_SYNTAX_ERROR] Syntax error at or near '=='"),
        ("sort = 'x'", "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter with name"),
        ("kind", "[DATATYPE_MISMATCH.FILTER_NOT_BOOLEAN]"),
        ("count(*) > 1", "[INVALID_WHERE_CONDITION]"),
        ("", "[PARSE_EMPTY_STATEMENT]"),
    ],
)
def test_a_wrong_condition_is_a_wrong_setting_told_in_one_line(spark, condition, reason):
    frame = spark.createDataFrame([("a", "b")], "product_id string, kind string")
    with pytest.raises(ConfigError) as caught:
        filter_where(frame, "input.products_where", condition)
    message = str(caught.value)
    start = f"input.products_where: {condition!r} is no condition on columns product_id, kind: "
    assert message.startswith(start)
    assert message[len(start) :].startswith(reason)
    assert "\n" not in message


@pytest.fixture
def tables(spark, make_config):
    return Tables(spark, make_config())


def checked_frame(spark, n_good, *bad):
    """``n_good`` good rows and bad ones with (key, rule)."""
    types = "key string, rule string, row string"
    good = spark.range(n_good)
    bad = spark.createDataFrame([(key, rule, f"row of {key}") for key, rule in bad], types)
    rows = good.select("id").unionByName(bad.select(F.lit(-1).cast("long").alias("id")))
    return Checked(rows, good, bad)


def quarantined(tables, source):
    rows = tables.read("quarantine", "nobody").where(F.col("source_table") == source)
    return sorted((row.key, row.rule, row.row) for row in rows.collect())


def test_quarantine_is_replaced_per_source(spark, tables, caplog):
    counts = write_quarantine(tables, "usage", checked_frame(spark, 7, ("a", "r1"), ("b", "r2"), ("c", "r1")), 0.3)
    assert counts == {"r1": 2, "r2": 1}
    assert caplog.messages == ["usage: 3 of 10 rows are in quarantine (r1: 2; r2: 1)"]
    source = "bob's companies.csv"
    assert write_quarantine(tables, source, checked_frame(spark, 1, ("z", "r3")), 0.5) == {"r3": 1}
    assert quarantined(tables, "usage") == [("a", "r1", "row of a"), ("b", "r2", "row of b"), ("c", "r1", "row of c")]

    assert write_quarantine(tables, "usage", checked_frame(spark, 9, ("d", "r1")), 0.3) == {"r1": 1}
    assert quarantined(tables, "usage") == [("d", "r1", "row of d")]
    assert quarantined(tables, source) == [("z", "r3", "row of z")]
    assert write_quarantine(tables, source, checked_frame(spark, 1), 0.0) == {}
    assert quarantined(tables, source) == []
    (row,) = tables.read("quarantine", "nobody").collect()
    assert (len(row.run_id), row.at is None) == (32, False)


def test_too_many_bad_rows_stop_the_job_and_are_in_quarantine_all_the_same(spark, tables):
    bad = [(f"k{number}", "r1") for number in range(6)] + [("x" * 200, "r0")]
    with pytest.raises(DataError) as caught:
        write_quarantine(tables, "usage", checked_frame(spark, 3, *bad), 0.69)
    assert str(caught.value) == (
        "usage: 7 of 10 rows are bad, more than input.max_quarantined_share=0.69 allows (r0: 1; r1: 6); "
        f"for example {'x' * 100}..., k0, k1, k2, k3; see table quarantine at {tables.location('quarantine')}"
    )
    assert len(quarantined(tables, "usage")) == 7
    just_allowed = checked_frame(spark, 71, *[("a", "r")] * 29)
    assert write_quarantine(tables, "usage", just_allowed, 0.29) == {"r": 29}


def test_a_table_without_a_sound_row_stops_the_job(spark, tables):
    with pytest.raises(DataError) as caught:
        write_quarantine(tables, "usage", checked_frame(spark, 0), 1.0)
    assert str(caught.value) == "usage has no sound row of 0: check it, and the setting input.usage_where"
