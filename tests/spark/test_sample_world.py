"""The sample world: its contract, its repeatability, and the truth that it is made to have."""

import re

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import types as T

from hcf_spark.config import load_config
from hcf_spark.errors import ConfigError
from hcf_spark.spark import sample_text as text
from hcf_spark.spark import sample_world
from hcf_spark.spark.sample_world import build_sample_world

pytestmark = pytest.mark.spark


def _settings(**values):
    return load_config(overrides=[f"sample.{key}={value}" for key, value in values.items()]).sample


@pytest.fixture(scope="module")
def settings():
    return _settings(companies=1200, products=1000, long_text_share=0.05, no_text_share=0.1)


@pytest.fixture(scope="module")
def world(spark, settings):
    return build_sample_world(spark, settings, seed=3)


@pytest.fixture(scope="module")
def companies(world):
    return world.companies.toPandas()


@pytest.fixture(scope="module")
def products(world):
    return world.products.toPandas()


@pytest.fixture(scope="module")
def usage(world):
    return world.usage.toPandas()


@pytest.fixture(scope="module")
def truth(world):
    return world.truth.toPandas()


def test_schemas(world):
    assert [(f.name, f.dataType) for f in world.companies.schema] == [
        ("company_id", T.StringType()),
        ("name", T.StringType()),
        ("description", T.StringType()),
        ("industry", T.StringType()),
        ("country", T.StringType()),
        ("employees", T.IntegerType()),
    ]
    assert [(f.name, f.dataType) for f in world.usage.schema] == [
        ("company_id", T.StringType()),
        ("product_id", T.StringType()),
        ("weight", T.DoubleType()),
        ("observed_at", T.TimestampType()),
    ]
    assert world.products.columns == ["product_id", "name", "category", "vendor"]
    assert world.truth.columns == ["company_id", "industry", "community"]


def test_every_company_and_product_is_there_once_under_a_name_of_its_own(companies, products, truth):
    assert set(companies["company_id"]) == set(truth["company_id"]) == {f"c{n:07d}" for n in range(1200)}
    assert set(products["product_id"]) == {f"p{n:05d}" for n in range(1000)}
    assert companies["name"].is_unique
    assert len(companies) == len(truth) == 1200
    assert products["name"].is_unique
    assert products["category"].nunique() == 12
    assert (companies["employees"] >= 1).all()


def test_usage_is_a_set_of_known_pairs_with_positive_weights_in_three_fixed_years(usage, companies):
    assert not usage.duplicated(["company_id", "product_id"]).any()
    assert set(usage["company_id"]) == set(companies["company_id"])
    assert usage["product_id"].str.fullmatch(r"p00\d{3}").all()
    assert (usage["weight"] > 0).all()
    assert usage["observed_at"].dt.year.value_counts().index.sort_values().tolist() == [2022, 2023, 2024]


def test_products_per_company_have_the_mean_of_the_settings_and_a_long_tail(usage):
    counts = usage.groupby("company_id").size()

    assert counts.mean() == pytest.approx(12, rel=0.1)
    assert counts.median() < counts.mean()
    assert counts.max() > 4 * counts.mean()


def test_a_tenth_of_the_products_has_most_of_the_usage(usage):
    users = usage.groupby("product_id").size().sort_values(ascending=False)

    assert users.head(100).sum() > 0.6 * len(usage)
    assert 0.25 < users.iloc[0] / 1200 < 0.55
    assert users.reindex([f"p{n:05d}" for n in range(1000)]).fillna(0).median() < 0.02 * 1200


def test_popular_products_and_industries_are_not_ordered_by_id(usage, truth):
    users = usage.groupby("product_id").size()
    product = users.index.str[1:].astype(int)
    company = truth["company_id"].str[1:].astype(int)

    assert abs(np.corrcoef(product, users)[0, 1]) < 0.15
    assert abs(np.corrcoef(company, truth["industry"].astype("category").cat.codes)[0, 1]) < 0.15


def test_rows_do_not_depend_on_partitions(spark, settings, companies, products, usage, truth, monkeypatch):
    monkeypatch.setattr(sample_world, "_DEFAULT_PARTITIONS_UP_TO", 0)
    monkeypatch.setattr(sample_world, "_ONE_PARTITION_EACH", 250)
    other = build_sample_world(spark, settings, seed=3)

    assert other.usage.rdd.getNumPartitions() == 5
    pd.testing.assert_frame_equal(other.companies.toPandas(), companies)
    pd.testing.assert_frame_equal(other.products.toPandas(), products)
    pd.testing.assert_frame_equal(other.usage.toPandas(), usage)
    pd.testing.assert_frame_equal(other.truth.toPandas(), truth)


def test_batches_of_any_size_give_the_same_rows(spark, settings, companies):
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "17")
    try:
        again = build_sample_world(spark, settings, seed=3).companies.toPandas()
    finally:
        spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")

    pd.testing.assert_frame_equal(again, companies)


def test_times_do_not_depend_on_the_time_zone(spark, settings, usage):
    zone = spark.conf.get("spark.sql.session.timeZone")
    spark.conf.set("spark.sql.session.timeZone", "America/New_York")
    try:
        world = build_sample_world(spark, settings, seed=3)
        seconds = world.usage.selectExpr("unix_timestamp(observed_at) AS second").toPandas()["second"]
    finally:
        spark.conf.set("spark.sql.session.timeZone", zone)

    assert (seconds == usage["observed_at"].astype("datetime64[s]").astype("int64")).all()


def test_another_seed_gives_another_world(spark, settings, companies, usage, truth):
    other = build_sample_world(spark, settings, seed=4)
    pairs = set(map(tuple, usage[["company_id", "product_id"]].to_numpy()))
    other_pairs = set(map(tuple, other.usage.select("company_id", "product_id").toPandas().to_numpy()))

    assert (other.truth.toPandas()["community"] != truth["community"]).mean() > 0.7
    assert (other.companies.toPandas()["name"] != companies["name"]).all()
    assert len(pairs & other_pairs) < 0.2 * len(pairs)


def test_communities_cut_across_industries(truth):
    table = pd.crosstab(truth["industry"], truth["community"]).to_numpy() / len(truth)
    independent = np.outer(table.sum(axis=1), table.sum(axis=0))
    information = np.sum(table * np.log(np.where(table > 0, table, 1) / independent))

    assert table.shape == (8, 10)
    assert (table > 0).mean() > 0.9
    assert 0 < information < 0.15


def test_companies_of_one_community_share_more_products_than_others(usage, truth):
    matrix = pd.crosstab(usage["company_id"], usage["product_id"]).clip(upper=1)
    matrix = matrix.loc[truth["company_id"]].to_numpy(dtype=float)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    similarity = matrix @ matrix.T
    different = ~np.eye(len(matrix), dtype=bool)

    def same(column):
        values = truth[column].to_numpy()
        return (values[:, None] == values) & different

    community, industry = same("community"), same("industry")
    neither = different & ~community & ~industry
    assert similarity[community].mean() > 2 * similarity[neither].mean()
    assert similarity[industry & ~community].mean() > 1.05 * similarity[neither].mean()


def test_shares_of_missing_and_long_texts(companies):
    words = companies["description"].dropna().str.split().str.len()

    assert companies["description"].isna().mean() == pytest.approx(0.1, abs=0.03)
    assert (words > 1000).sum() / 1200 == pytest.approx(0.05, abs=0.025)
    assert words[words > 1000].between(3_000, 6_000).all()
    assert words[words <= 1000].between(35, 230).all()
    assert words[words <= 1000].quantile([0.1, 0.9]).between(60, 200).all()


def test_texts_read_like_text(companies):
    descriptions = companies["description"].dropna()
    sentences = descriptions[descriptions.str.len() < 3000].str.split(r"(?<=\.) (?=[A-Z])", regex=True)

    assert sentences.str.len().between(3, 8).all()
    assert sentences.map(lambda parts: len(set(parts)) == len(parts)).all()
    assert sentences.explode().str.fullmatch(r"[A-Z].*\.").all()
    assert not descriptions.str.contains(r"[{}]|  | [aA] [aeio]").any()


def test_a_long_text_has_the_headings_of_a_report(companies):
    report = companies["description"].dropna().loc[lambda texts: texts.str.len() > 10_000].iloc[0]

    assert re.findall(r"^Item \w+\.", report, re.MULTILINE) == ["Item 1.", "Item 1A.", "Item 2.", "Item 3.", "Item 7."]


def _industry_accuracy(spark, informativeness):
    """Of a nearest-centroid classifier over word counts, on the half of the companies that it did not see."""
    settings = _settings(companies=1000, text_informativeness=informativeness, long_text_share=0, no_text_share=0)
    companies = build_sample_world(spark, settings, seed=5).companies.select("industry", "description").toPandas()
    words = companies["description"].str.lower().str.findall(r"[a-z]+").explode()
    counts = pd.crosstab(words.index, words).clip(upper=1)
    counts = counts.loc[:, counts.sum() > 3].to_numpy(dtype=float)
    counts *= np.log(len(counts) / counts.sum(axis=0))
    industries, labels = np.unique(companies["industry"], return_inverse=True)
    centroids = np.stack([counts[:500][labels[:500] == label].mean(axis=0) for label in range(len(industries))])
    distances = ((counts[500:, None, :] - centroids) ** 2).sum(axis=2)
    return (distances.argmin(axis=1) == labels[500:]).mean(), np.bincount(labels[500:]).max() / 500


def test_text_tells_the_industry_only_as_far_as_it_is_informative(spark):
    accuracy, largest = _industry_accuracy(spark, 0)
    assert accuracy < largest + 0.03
    accuracy, largest = _industry_accuracy(spark, 1)
    assert accuracy > 0.75


@pytest.mark.parametrize("compose", [text.compose_description, text.compose_report])
def test_uninformative_text_is_the_same_whatever_the_truth(compose):
    one = text.CompanyFacts("Brenvalin Group", "Spain", 0, 1, [2], ["Tolvano Suite"])
    other = text.CompanyFacts("Brenvalin Group", "Spain", 5, 7, [9, 11], ["Malruno Hub", "Fandrodo One"])

    def compose_with(facts, informativeness):
        return compose(facts, informativeness, text.Dice(np.random.default_rng(1)))

    assert compose_with(one, 0.0) == compose_with(other, 0.0)
    assert compose_with(one, 1.0) != compose_with(other, 1.0)


def test_informative_text_names_what_the_company_is():
    facts = text.CompanyFacts("Brenvalin Group", "Spain", 0, 1, [2], ["Tolvano Suite"])
    report = text.compose_report(facts, 1.0, text.Dice(np.random.default_rng(1)))

    for theme in (text.industry_theme(0), text.community_theme(1), text.category_theme(2)):
        assert all(phrase in report for phrases in theme.phrases.values() for phrase in phrases)
    assert "Tolvano Suite" in report


@pytest.mark.parametrize("make_name", [text.company_name, text.product_name])
def test_names_stay_unique_far_beyond_the_size_of_the_word_lists(make_name):
    numbers = [*range(20_000), *range(2_000_000, 2_020_000), *range(100_000_000, 100_020_000)]

    assert len({make_name(number, 7) for number in numbers}) == len(numbers)


@pytest.mark.parametrize("theme", [text.industry_theme, text.community_theme, text.category_theme])
def test_themes_stay_distinct_beyond_the_word_lists(theme):
    themes = [theme(index) for index in range(60)]

    assert len({theme.label for theme in themes}) == 60
    assert len({phrase for theme in themes for phrases in theme.phrases.values() for phrase in phrases}) > 60 * 3 - 5


@pytest.mark.parametrize(
    "values",
    [
        {"companies": 1, "products": 1, "products_per_company": 1},
        {
            "companies": 5,
            "products": 3,
            "products_per_company": 3,
            "communities": 50,
            "industries": 40,
            "categories": 30,
        },
        {
            "companies": 30,
            "products": 40,
            "products_per_company": 39,
            "communities": 1,
            "industries": 1,
            "categories": 1,
        },
    ],
)
def test_extreme_settings_still_make_a_world(spark, values):
    settings = _settings(**values)
    world = build_sample_world(spark, settings, seed=0)
    usage = world.usage.toPandas()

    assert usage["company_id"].nunique() == world.companies.count() == settings.companies
    assert len(usage) / settings.companies == pytest.approx(settings.products_per_company, rel=0.1)
    assert not usage.duplicated(["company_id", "product_id"]).any()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"products": 5, "products_per_company": 6},
            "sample.products_per_company must be from 1 to sample.products (5), found 6.0",
        ),
        (
            {"products_per_company": 0.5},
            "sample.products_per_company must be from 1 to sample.products (300), found 0.5",
        ),
        (
            {"long_text_share": 0.6, "no_text_share": 0.5},
            "sample.long_text_share and sample.no_text_share must be at most 1 together, found 0.6 and 0.5",
        ),
        (
            {"communities": 10_000, "products": 50_000},
            "sample: (communities + industries + 1) * products + communities * industries must be at most 20,000,000, "
            "found 500,530,000; make one of them smaller",
        ),
    ],
)
def test_contradicting_settings_are_refused(spark, values, message):
    with pytest.raises(ConfigError) as caught:
        build_sample_world(spark, _settings(**values), seed=0)

    assert str(caught.value) == message
