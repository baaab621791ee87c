"""Delta tables by name: folders and catalog, one commit per write, stamps, conflicts."""

import time
from threading import Barrier, Thread

import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F
from pyspark.sql import types as T

from hcf_spark.errors import DataError
from hcf_spark.spark import tables as tables_module
from hcf_spark.spark.tables import Tables

pytestmark = pytest.mark.spark

KEY_VALUE = T.StructType([T.StructField("key", T.StringType(), False), T.StructField("value", T.LongType())])


@pytest.fixture
def tables(spark, make_config):
    return Tables(spark, make_config())


def frame(spark, *rows):
    return spark.createDataFrame(rows, "key string, value long")


def versions(tables, name):
    return tables._delta(name).history().count()


def content(tables, name):
    return sorted(tuple(row) for row in tables.read(name, "nobody").collect())


def test_a_folder_table(spark, tables, tmp_path):
    """Overwritten and replaced in part, each in one commit."""
    assert tables.location("companies") == str(tmp_path / "out" / "tables" / "companies")
    assert not tables.exists("companies")
    tables.overwrite("companies", frame(spark, ("a", 1), ("b", 2)), stamp="first run")
    assert tables.exists("companies")
    assert (tables.version("companies"), tables.stamp("companies")) == (0, "first run")

    wider = spark.createDataFrame([("c", "x", 1.5)], "key string, `Company size; in (EUR)` string, `a.b` double")
    tables.overwrite("companies", wider)
    assert_df_equality(tables.read("companies", "nobody"), wider)
    tables.overwrite("companies", frame(spark, ("c", 3)))
    assert content(tables, "companies") == [("c", 3)]
    assert tables.stamp("companies") == ""


def test_columns_are_put_into_the_order_and_types_of_the_schema(spark, tables):
    mixed = spark.createDataFrame([("7", 1.0, "a")], "value string, more double, key string")
    tables.overwrite("quarantine", mixed, KEY_VALUE)
    assert_df_equality(tables.read("quarantine", "nobody"), frame(spark, ("a", 7)))


@pytest.mark.parametrize("write", ["overwrite", "merge", "replace_where"])
def test_a_missing_column_stops_the_write(spark, tables, write):
    more = {"merge": (["key"],), "replace_where": ("key", "a")}.get(write, ())
    other = spark.createDataFrame([("a", "b")], "key string, x string")
    with pytest.raises(DataError) as caught:
        getattr(tables, write)("quarantine", other, KEY_VALUE, *more)
    assert str(caught.value) == "table quarantine: the frame to write lacks value; found key, x"
    assert not tables.exists("quarantine")


def test_a_missing_table_says_who_makes_it(tables, tmp_path):
    with pytest.raises(DataError) as caught:
        tables.read("usage", "you or load_tables")
    folder = tmp_path / "out" / "tables" / "usage"
    assert str(caught.value) == f"table usage not found at {folder}: it is made by you or load_tables"
    folder.mkdir(parents=True)
    assert not tables.exists("usage"), "an empty folder is no table"


def test_replacing_the_rows_of_one_value(spark, tables):
    names = ["a", "it's", "C:\\new\\'x'", '$1 `b` "c"']
    for name in names:
        tables.replace_where("quarantine", frame(spark, (name, 1), (name, 2)), KEY_VALUE, "key", name)
    tables.replace_where("quarantine", frame(spark, (names[2], 3)), KEY_VALUE, "key", names[2])
    expected = sorted([(name, value) for name in names if name != names[2] for value in (1, 2)] + [(names[2], 3)])
    assert content(tables, "quarantine") == expected
    assert versions(tables, "quarantine") == 6, "made, and one commit for each write"
    with pytest.raises(Exception, match="DELTA_REPLACE_WHERE_MISMATCH"):
        tables.replace_where("quarantine", frame(spark, ("b", 1)), KEY_VALUE, "key", "a")
    assert content(tables, "quarantine") == expected


def test_merge_updates_and_inserts_delete_and_rename_do_so_by_key(spark, tables):
    tables.merge("text_embeddings", frame(spark, ("a", 1), ("b", 20), ("c", 3)), KEY_VALUE, ["key"])
    assert content(tables, "text_embeddings") == [("a", 1), ("b", 20), ("c", 3)]
    before = versions(tables, "text_embeddings")
    tables.merge("text_embeddings", frame(spark, ("a", 10), ("e", 5)), KEY_VALUE, ["key"])
    assert content(tables, "text_embeddings") == [("a", 10), ("b", 20), ("c", 3), ("e", 5)]
    tables.delete("text_embeddings", frame(spark, ("b", 0), ("x", 0)), ["key"])
    assert content(tables, "text_embeddings") == [("a", 10), ("c", 3), ("e", 5)]
    tables.rename("text_embeddings", "key", "c", "d")
    assert content(tables, "text_embeddings") == [("a", 10), ("d", 3), ("e", 5)]
    assert versions(tables, "text_embeddings") == before + 3, "one commit for each write"


def test_a_merge_into_a_part_updates_inserts_and_deletes_there_and_leaves_other_parts_as_they_are(spark, tables):
    tables.make_empty("companies", KEY_VALUE, "key")
    assert tables.is_made_as("companies", KEY_VALUE)
    assert not tables.is_made_as("products", KEY_VALUE)
    assert not tables.is_made_as("companies", T.StructType(KEY_VALUE.fields[:1]))
    rows = T.StructType([*KEY_VALUE, T.StructField("number", T.LongType())])
    tables.make_empty("companies", rows, "key")
    before = [("it's", 1, 1), ("it's", 2, 2), ("it's", 3, 3), ("other", 2, 2)]
    tables.merge("companies", spark.createDataFrame(before, rows), rows, ["key", "number"])
    version = tables.version("companies")
    changes = [("it's", 20, 2), ("it's", None, 3), ("it's", 40, 4), ("it's", None, 5)]
    part = ("key", "it's")
    tables.merge_part("companies", spark.createDataFrame(changes, rows), rows, part, ["number"], content="value")
    assert tables.version("companies") == version + 1
    assert content(tables, "companies") == [("it's", 1, 1), ("it's", 20, 2), ("it's", 40, 4), ("other", 2, 2)]
    tables.delete_values("companies", "key", ["other", "nobody"])
    assert {row[0] for row in content(tables, "companies")} == {"it's"}


def test_catalog_tables_under_names_of_ones_own(spark, make_config, tmp_path):
    names = ["tables.names.companies=default.crm_accounts", f"tables.names.usage={tmp_path}/mine"]
    tables = Tables(spark, make_config("tables.catalog=spark_catalog.default", *names))
    assert tables.location("products") == "spark_catalog.default.products"
    assert tables.location("companies") == "default.crm_accounts"
    assert tables.location("usage") == f"{tmp_path}/mine"
    try:
        for name in ("products", "companies", "usage"):
            with pytest.raises(DataError) as caught:
                tables.read(name, "you")
            assert str(caught.value) == f"table {name} not found at {tables.location(name)}: it is made by you"
        tables.overwrite("companies", frame(spark, ("a", 1)), stamp="s")
        tables.merge("companies", frame(spark, ("a", 2), ("b", 3)), KEY_VALUE, ["key"])
        assert content(tables, "companies") == [("a", 2), ("b", 3)]
        assert spark.table("spark_catalog.default.crm_accounts").count() == 2
        tables.overwrite("products", spark.createDataFrame([("a", 1)], "key string, `list price` long"))
        assert content(tables, "products") == [("a", 1)]
        tables.replace_where("companies", frame(spark, ("a", 4)), KEY_VALUE, "key", "a")
        assert content(tables, "companies") == [("a", 4), ("b", 3)]
        assert (tables.version("products"), tables.version("companies")) == (0, 2)

        spark.sql("CREATE OR REPLACE VIEW default.some_view AS SELECT 'a' AS key, 1L AS value")
        of_a_view = Tables(spark, make_config("tables.names.products=default.some_view"))
        assert content(of_a_view, "products") == [("a", 1)]
        assert of_a_view.input_version("products") is None
        assert tables.input_version("companies") == 2
    finally:
        for name in ("products", "crm_accounts"):
            spark.sql(f"DROP TABLE IF EXISTS default.`{name}`")
        spark.sql("DROP VIEW IF EXISTS default.some_view")


def test_tables_of_different_runs_are_refused(spark, tables, tmp_path):
    names = ("company_vocab", "product_vocab")
    tables.overwrite("company_vocab", frame(spark, ("a", 1)), stamp="run 1")
    with pytest.raises(DataError) as caught:
        tables.require_same_stamp(names, "build_matrix")
    assert str(caught.value) == (
        f"table product_vocab not found at {tmp_path}/out/tables/product_vocab: it is made by build_matrix"
    )
    tables.overwrite("product_vocab", frame(spark, ("a", 1)), stamp="run 1")
    assert tables.require_same_stamp(names, "build_matrix") == "run 1"
    tables.overwrite("company_vocab", frame(spark, ("a", 1)), stamp="run 2")
    with pytest.raises(DataError) as caught:
        tables.require_same_stamp(names, "build_matrix")
    assert str(caught.value) == (
        "tables company_vocab, product_vocab come from different runs of build_matrix: run build_matrix again"
    )


def test_upkeep_does_not_lose_the_stamp_and_another_write_does(spark, tables):
    two_files = spark.range(0, 2, 1, 2).selectExpr("cast(id AS string) AS key", "id AS value")
    tables.overwrite("company_vocab", two_files, stamp="run 1")
    tables._delta("company_vocab").optimize().executeCompaction()
    spark.sql(f"ALTER TABLE delta.`{tables.location('company_vocab')}` SET TBLPROPERTIES ('note' = 'x')")
    assert tables.version("company_vocab") == 2
    assert tables.stamp("company_vocab") == "run 1"
    tables._delta("company_vocab").delete("key = '1'")
    assert tables.stamp("company_vocab") == ""


def test_a_merge_at_the_same_time_is_made_again(spark, tables):
    """Both read the same version, so one of them fails and has to read again."""
    tables.overwrite("quarantine", frame(spark, ("a", 1)), KEY_VALUE)
    together, errors = Barrier(2, timeout=60), []
    slowly = F.udf(lambda value: [value, time.sleep(2)][0], "long")

    def write(key):
        rows = frame(spark, (key, 2)).withColumn("value", slowly("value"))
        try:
            together.wait()
            tables.merge("quarantine", rows, KEY_VALUE, ["key"])
        except Exception as error:
            errors.append(error)

    threads = [Thread(target=write, args=(key,)) for key in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert content(tables, "quarantine") == [("a", 2), ("b", 2)]


def test_a_replacement_at_the_same_time_is_made_again(spark, tables, monkeypatch):
    save, failures = tables._save, [RuntimeError("[DELTA_PROTOCOL_CHANGED] by a concurrent update")]

    def conflicting(name, writer):
        if failures:
            raise failures.pop()
        save(name, writer)

    monkeypatch.setattr(tables, "_save", conflicting)
    tables.replace_where("quarantine", frame(spark, ("a", 2)), KEY_VALUE, "key", "a")
    assert (content(tables, "quarantine"), failures) == ([("a", 2)], [])


def test_a_conflict_is_tried_again_a_few_times_and_another_error_is_not(monkeypatch):
    calls = []

    def conflicting():
        calls.append(1)
        raise RuntimeError("An error occurred\n: io.delta.X: [DELTA_CONCURRENT_APPEND] files were added")

    with pytest.raises(RuntimeError, match="DELTA_CONCURRENT_APPEND"):
        tables_module._retry_conflicts("quarantine", conflicting)
    assert len(calls) == 5

    def failing():
        calls.append(1)
        raise RuntimeError("No space left on device")

    with pytest.raises(RuntimeError, match="No space left"):
        tables_module._retry_conflicts("quarantine", failing)
    assert len(calls) == 6


def test_a_table_that_is_made_in_the_meantime_keeps_its_rows(spark, tables, monkeypatch):
    tables.overwrite("quarantine", frame(spark, ("a", 1)), KEY_VALUE)
    seen = iter([False])
    exists = tables.exists
    monkeypatch.setattr(tables, "exists", lambda name: next(seen, None) is None and exists(name))
    tables.merge("quarantine", frame(spark, ("b", 2)), KEY_VALUE, ["key"])
    assert content(tables, "quarantine") == [("a", 1), ("b", 2)]
