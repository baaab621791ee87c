"""The split: parts that do not overlap, with the shares that were asked for."""

import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F

from hcf_spark.config import load_config
from hcf_spark.spark.split import with_part

pytestmark = pytest.mark.spark

N_RICH, N_COMPANIES = 200, 240  # companies with 10 products, and after them companies with 2 or 3
N_COLD = 40  # of the rich ones, held out

SETTINGS = load_config().split


def with_changes(**changes):
    return SETTINGS.model_copy(update=changes)


def n_products(company):
    return 10 if company < N_RICH else 2 + company % 2


def split(spark, settings=SETTINGS, seed=0, partitions=2, shift=0):
    """The parts of a world by number of company and product; their indices are ``shift`` more."""
    cells = spark.range(0, 10 * N_COMPANIES, 1, partitions).selectExpr("id div 10 AS company", "id % 10 AS product")
    width = F.when(F.col("company") < N_RICH, 10).otherwise(2 + F.col("company") % 2)
    interactions = cells.where(F.col("product") < width).select(
        (F.col("company") + shift).alias("company_idx"), (F.col("product") + shift).alias("product_idx")
    )
    companies = spark.range(N_COMPANIES).select(
        (F.col("id") + shift).alias("company_idx"),
        F.format_string("c%d", "id").alias("company_id"),
        F.col("id").between(N_RICH - N_COLD, N_RICH - 1).alias("held_out"),
        F.format_string("c%d", "id").alias("alike"),
    )
    products = spark.range(10).select(
        (F.col("id") + shift).alias("product_idx"), F.format_string("p%d", "id").alias("product_id")
    )
    parted = with_part(interactions, companies, products, settings, seed)
    assert parted.columns == ["company_idx", "product_idx", "part"]
    rows = parted.toPandas().sort_values(["company_idx", "product_idx"], ignore_index=True)
    rows[["company_idx", "product_idx"]] -= shift
    return rows


def by_company(cells):
    counts = cells.groupby("company_idx")["part"].value_counts().unstack(fill_value=0)
    return counts.reindex(columns=["train", "valid_warm", "valid_cold", "test_warm", "test_cold"], fill_value=0)


@pytest.fixture(scope="module")
def cells(spark):
    return split(spark)


def test_each_interaction_is_in_exactly_one_part(cells):
    assert len(cells) == sum(map(n_products, range(N_COMPANIES)))
    assert not cells.duplicated(["company_idx", "product_idx"]).any()
    assert set(cells["part"]) == {"train", "valid_warm", "valid_cold", "test_warm", "test_cold"}


def test_held_out_companies_are_for_the_cold_test_and_nothing_else(cells):
    cold = cells["company_idx"].between(N_RICH - N_COLD, N_RICH - 1)
    assert set(cells["part"][cold]) == {"test_cold"}
    assert "test_cold" not in set(cells["part"][~cold])


def test_shares_of_a_company_with_ten_products(cells):
    counts = by_company(cells).loc[: N_RICH - N_COLD - 1]
    assert (counts["test_warm"] == 2).all(), "0.2 of ten"
    cold = counts["valid_cold"] > 0
    assert 0.1 < cold.mean() < 0.3
    assert (counts["valid_cold"][cold] == 8).all(), "all that is left"
    assert (counts["valid_warm"][~cold] == 2).all(), "0.2 of eight, rounded"
    assert (counts["train"][~cold] == 6).all()
    assert (counts[["train", "valid_warm"]][cold] == 0).all(axis=None)


def test_a_company_with_few_products_hides_one_or_none(cells):
    counts = by_company(cells).loc[N_RICH:]
    width = counts.index.map(n_products)
    assert (counts["test_warm"] == (width == 3)).all(), "three are just enough, two are not"
    assert (counts["valid_warm"] == 0).all(), "two are left of three"
    assert ((counts["train"] > 0) ^ (counts["valid_cold"] > 0)).all()


def test_every_product_is_hidden_now_and_then(cells):
    hidden = cells["product_idx"][cells["part"] == "test_warm"]
    assert hidden[cells["company_idx"] < N_RICH].nunique() == 10
    assert 0.5 < hidden.eq(0).mean() * 10 < 1.6


def test_partitions_play_no_part_and_the_seed_does(spark, cells):
    assert split(spark, partitions=7).equals(cells)
    other = split(spark, seed=1)
    for part in ("test_warm", "valid_warm", "valid_cold"):
        assert (other["part"] == part).ne(cells["part"] == part).any()
    assert (other["part"] == "test_cold").equals(cells["part"] == "test_cold"), "this is not drawn here"


def test_companies_and_products_stay_where_they_are_when_their_indices_move(spark, cells):
    assert split(spark, shift=3).equals(cells)


def test_something_always_stays_and_something_is_always_hidden(spark):
    greedy = by_company(split(spark, with_changes(warm_share=0.99, min_products_to_hide=2)))
    warm = greedy["test_cold"] == 0
    left = greedy[["train", "valid_cold", "valid_warm"]].sum(axis=1)
    assert (left[warm] == 1).all()
    modest = by_company(split(spark, with_changes(warm_share=0.01, min_products_to_hide=2)))
    assert (modest["test_warm"][warm] == 1).all()


def test_the_newest_are_hidden_from_training_and_the_next_newest_for_validation(spark):
    rows = [(0, product, f"2024-01-{day:02}") for product, day in enumerate([3, 5, 1, 2, 4])]
    cells = spark.createDataFrame(rows, "company_idx long, product_idx long, observed_at string")
    companies = spark.createDataFrame(
        [(0, "c0", False, "c0")], "company_idx long, company_id string, held_out boolean, alike string"
    )
    products = spark.range(5).selectExpr("id AS product_idx", "concat('p', id) AS product_id")
    settings = with_changes(hide="newest", cold_share=1e-9)
    expected = [(0, 0, "train"), (0, 1, "test_warm"), (0, 2, "train"), (0, 3, "train"), (0, 4, "valid_warm")]
    for seed in range(2):
        parted = with_part(cells, companies, products, settings, seed)
        assert_df_equality(
            parted, spark.createDataFrame(expected, "company_idx long, product_idx long, part string"),
            ignore_row_order=True, ignore_nullable=True,
        )  # fmt: skip


def test_companies_that_are_alike_are_on_one_side_of_the_cold_validation(spark):
    cells = spark.range(60).selectExpr("id AS company_idx", "id % 3 AS product_idx")
    companies = spark.range(60).selectExpr(
        "id AS company_idx", "concat('c', id) AS company_id", "false AS held_out", "concat('c', id div 3 * 3) AS alike"
    )
    products = spark.range(3).selectExpr("id AS product_idx", "concat('p', id) AS product_id")
    parts = with_part(cells, companies, products, with_changes(cold_share=0.5), 0).toPandas()
    cold = (parts["part"] == "valid_cold").groupby(parts["company_idx"] // 3).mean()
    assert set(cold) == {0.0, 1.0}


def test_companies_that_are_alike_hide_the_same_products(spark):
    cells = spark.range(400).selectExpr("id div 10 AS company_idx", "id % 10 AS product_idx")
    companies = spark.range(40).selectExpr(
        "id AS company_idx", "concat('c', id) AS company_id", "false AS held_out", "concat('c', id div 2 * 2) AS alike"
    )
    products = spark.range(10).selectExpr("id AS product_idx", "concat('p', id) AS product_id")
    parts = with_part(cells, companies, products, SETTINGS, 0).toPandas().set_index(["company_idx", "product_idx"])
    wide = parts["part"].unstack()
    assert (wide.iloc[::2].to_numpy() == wide.iloc[1::2].to_numpy()).all()
    assert {"test_warm", "valid_warm"} < set(parts["part"])
