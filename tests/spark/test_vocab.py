"""String ids to dense integers."""

import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F

from hcf_spark.spark.vocab import build_company_vocab, build_product_vocab, with_held_out

pytestmark = pytest.mark.spark


def many_companies(spark, partitions):
    ids = F.concat(F.lit("c"), F.col("id").cast("string"))
    return spark.range(0, 700, 1, partitions).select(ids.alias("company_id"), ids.alias("alike"))


def vocab_of(companies, seed=0, cold_share=0.2, kept=None):
    kept = companies if kept is None else kept
    vocab = build_company_vocab(with_held_out(companies, cold_share, seed), kept)
    return vocab.toPandas().sort_values("company_idx", ignore_index=True)


def test_company_indices_are_dense_and_training_companies_come_first(spark):
    vocab = vocab_of(many_companies(spark, 1))
    assert vocab.columns.tolist() == ["company_id", "company_idx", "held_out", "alike"]
    assert vocab["company_idx"].tolist() == list(range(700))
    assert sorted(vocab["company_id"]) == sorted(f"c{number}" for number in range(700))
    n_training = (~vocab["held_out"]).sum()
    assert 0.75 < n_training / 700 < 0.85
    assert not vocab["held_out"][:n_training].any()

    assert vocab_of(many_companies(spark, 5)).equals(vocab), "the partitions play a part"
    other = vocab_of(many_companies(spark, 1), seed=1)
    held_out, other_held_out = (set(v["company_id"][v["held_out"]]) for v in (vocab, other))
    assert held_out != other_held_out
    assert 0.75 < (~other["held_out"]).mean() < 0.85


def test_companies_that_are_trained_on_come_before_those_the_filter_dropped(spark):
    companies = many_companies(spark, 2)
    kept = companies.where(F.col("company_id") >= "c4")
    vocab = vocab_of(companies, kept=kept)
    group = [
        2 if out else int(company < "c4") for company, out in zip(vocab["company_id"], vocab["held_out"], strict=True)
    ]
    assert group == sorted(group)
    assert set(group) == {0, 1, 2}
    assert vocab["company_idx"].tolist() == list(range(700))


def test_who_is_held_out_does_not_hang_on_the_other_companies(spark):
    companies = many_companies(spark, 2)
    some = companies.where(F.col("company_id") < "c4")
    whole = vocab_of(companies).set_index("company_id")["held_out"]
    part = vocab_of(some).set_index("company_id")["held_out"]
    assert part.equals(whole[part.index])
    assert part.nunique() == 2


def test_only_kept_products_are_in_the_vocabulary(spark):
    products = spark.createDataFrame(
        [("p1", "One", "x", 5), ("p2", "Two", None, 5), ("p3", "Three", "y", 5), ("", None, None, 5)],
        "product_id string, name string, category string, more int",
    )
    kept = spark.createDataFrame([("p1",), ("p3",), ("",), ("gone",)], "product_id string")
    vocab = build_product_vocab(products, kept)
    found = vocab.orderBy("product_idx").toPandas()
    assert found["product_idx"].tolist() == [0, 1, 2]
    expected = spark.createDataFrame(
        [("p1", "One", "x"), ("p3", "Three", "y"), ("", None, None)], "product_id string, name string, category string"
    )
    assert_df_equality(vocab.drop("product_idx"), expected, ignore_row_order=True)
    assert vocab.columns == ["product_id", "product_idx", "name", "category"]
    assert dict(vocab.dtypes)["product_idx"] == "bigint"
