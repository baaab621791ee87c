"""Texts in long form, and which of them have no vector yet."""

import pytest
from chispa import assert_df_equality

from hcf_spark.errors import DataError
from hcf_spark.spark.schemas import TEXT_EMBEDDINGS
from hcf_spark.spark.texts import (
    compare_texts,
    filter_pending,
    select_new_texts,
    select_stale,
    select_texts,
    with_embeddings,
)

pytestmark = pytest.mark.spark

COMPANIES = "company_id string, description string, wikipedia string"


def stored(spark, *keys):
    """Rows of text_embeddings for (company_id, source, text_hash, encoder_id)."""
    return spark.createDataFrame([(*key, [1.0, 0.0], 3, 1) for key in keys], TEXT_EMBEDDINGS)


def test_texts_are_long_and_not_blank(spark):
    companies = spark.createDataFrame(
        [("a", "one", "eins"), ("b", None, ""), ("c", " \t\n\u00a0\u3000", "drei")], COMPANIES
    )
    texts = select_texts(companies, ["description", "wikipedia"]).select("company_id", "source", "text")
    expected = [("a", "description", "one"), ("a", "wikipedia", "eins"), ("c", "wikipedia", "drei")]
    assert sorted(tuple(row) for row in texts.collect()) == expected


def test_text_hash_is_sha256_of_the_text(spark):
    companies = spark.createDataFrame([("a", "abc", None)], COMPANIES)
    assert select_texts(companies, ["description"]).head().text_hash == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_a_text_column_may_have_any_name(spark):
    companies = spark.createDataFrame([("a", "one")], "company_id string, `sec.10-k ``x` string")
    row = select_texts(companies, ["sec.10-k `x"]).head()
    assert (row.source, row.text) == ("sec.10-k `x", "one")


def test_a_missing_text_column(spark):
    companies = spark.createDataFrame([("a", "one", None)], COMPANIES)
    with pytest.raises(DataError) as error:
        select_texts(companies, ["description", "sec_10k"])
    assert str(error.value) == (
        "table companies lacks the text column sec_10k; found company_id, description, wikipedia: "
        "set text.columns to those that hold text"
    )


def test_a_text_column_that_holds_no_text(spark):
    companies = spark.createDataFrame([("a", 7)], "company_id string, size int")
    with pytest.raises(DataError) as error:
        select_texts(companies, ["size"])
    assert str(error.value) == (
        "table companies: the text column size is of type int, not string; cast it or take it out of text.columns"
    )


def test_pending_is_new_changed_or_of_another_encoder(spark):
    texts = spark.createDataFrame(
        [("a", "d", "t1", "h1"), ("b", "d", "t2", "h2"), ("c", "d", "t3", "h3"), ("d", "d", "t4", "h4")],
        "company_id string, source string, text string, text_hash string",
    )
    embedded = stored(
        spark,
        ("a", "d", "h1", "mine"),
        ("b", "d", "old", "mine"),
        ("c", "d", "h3", "other"),
        ("d", "w", "h4", "mine"),
    )
    pending = filter_pending(texts, embedded, "mine")
    assert_df_equality(pending, texts.where("company_id <> 'a'"), ignore_row_order=True)


def test_new_texts_are_different_and_known_to_no_company(spark):
    pending = spark.createDataFrame(
        [("a", "t1", "h1"), ("b", "t1", "h1"), ("c", "t2", "h2")], "company_id string, text string, text_hash string"
    )
    new = select_new_texts(pending, stored(spark, ("z", "d", "h2", "mine")))
    assert [tuple(row) for row in new.collect()] == [("h1", "t1")]


def test_each_company_gets_the_vector_of_its_text(spark):
    texts = spark.createDataFrame(
        [("a", "d", "t", "h"), ("b", "w", "t", "h"), ("c", "d", "u", "unknown")],
        "company_id string, source string, text string, text_hash string",
    )
    encoded = stored(spark, ("-", "-", "h", "-")).select("text_hash", "embedding", "n_tokens", "n_windows")
    expected = stored(spark, ("a", "d", "h", "mine"), ("b", "w", "h", "mine"))
    assert_df_equality(with_embeddings(texts, encoded, "mine"), expected, ignore_row_order=True, ignore_nullable=True)


def test_bytes_that_are_no_utf_8_are_replaced(spark):
    companies = spark.sql("SELECT 'a' AS company_id, CAST(X'61EDA0BD62FF' AS STRING) AS description")
    assert select_texts(companies, ["description"]).head().text == "a\ufffd\ufffd\ufffdb\ufffd"


def test_stale_are_vectors_without_a_text_in_their_source(spark):
    texts = spark.createDataFrame([("a", "d"), ("b", "w")], "company_id string, source string")
    embedded = stored(
        spark, ("a", "d", "h", "mine"), ("b", "d", "h", "mine"), ("c", "d", "h", "mine"), ("c", "w", "h", "mine")
    )
    stale = select_stale(texts, embedded, ["d"])
    assert sorted(map(tuple, stale.collect())) == [("b", "d", "mine"), ("c", "d", "mine")]


def test_comparison_counts_what_is_there_to_do(spark):
    texts = spark.createDataFrame(
        [("a", "d", "h1"), ("b", "d", "h1"), ("c", "d", "h3"), ("e", "d", "h5")],
        "company_id string, source string, text_hash string",
    )
    embedded = stored(spark, ("a", "d", "h1", "mine"), ("c", "d", "old", "mine"), ("x", "d", "h", "mine"))
    assert compare_texts(texts, embedded).head().asDict() == {
        "n_texts": 4, "n_distinct": 3, "n_pending": 3, "n_stale": 1,
    }  # fmt: skip
