"""Communities from tables to tables: three planted ones, some companies outside the graph, some without a vector."""

from pathlib import Path

import numpy as np
import pytest
from planted import planted

from hcf_spark.config import load_config
from hcf_spark.errors import DataError
from hcf_spark.spark.communities import build_communities, compare_with_chance
from hcf_spark.spark.community_profiles import write_profiles
from hcf_spark.spark.interactions import read_checked
from hcf_spark.spark.tables import Tables
from hcf_spark.spark.terms import build_top_terms, build_words

pytestmark = pytest.mark.spark

SIZES = (26, 18, 10)
WORDS = ("nurse", "loan", "crop")


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("communities")
    return load_config(
        overrides=[
            f"output={folder}",
            "communities.neighbours=10",
            "communities.resolution=0.6",
            "communities.max_companies=40",
            "communities.top_k=3",
        ]
    )


@pytest.fixture(scope="module")
def world():
    return planted(SIZES, noise=0.15)


@pytest.fixture(scope="module")
def tables(spark, config, world):
    """Group 1 is one industry, the others share two; all companies use product p00; one company has no vector."""
    tables, (group, vectors, known) = Tables(spark, config), world
    ids = [f"c{row:02d}" for row in range(len(group))]
    industry = ["bank" if own == 1 else ("shop", "farm")[row % 2] for row, own in enumerate(group)]
    companies = [
        (key, key, f"We {WORDS[own]}, and we sell.", of) for key, own, of in zip(ids, group, industry, strict=True)
    ]
    rows, columns = known.nonzero()
    usage = [(ids[row], f"p{column:02d}") for row, column in zip(rows, columns, strict=True)]
    embeddings = [(key, "3", vector.tolist()) for key, vector in zip(ids, vectors, strict=True)]
    for name, content, schema in (
        ("companies", [*companies, ("blank", "blank", None, None)],
         "company_id string, name string, description string, industry string"),
        ("products", [(f"p{column:02d}", f"P{column}") for column in range(24)], "product_id string, name string"),
        ("usage", usage, "company_id string, product_id string"),
        ("company_embeddings",
         [*embeddings, ("blank", "3", [0.0] * 8), ("c00", "2", [1.0] * 8), ("c01", "2", [1.0] * 8)],
         "company_id string, model_version string, embedding array<float>"),
    ):  # fmt: skip
        tables.overwrite(name, spark.createDataFrame(content, schema))
    return tables


@pytest.fixture(scope="module")
def found(tables, config):
    return build_communities(tables, config, "3", folder_of(config))


def folder_of(config):
    return Path(config.output) / "communities"


@pytest.fixture(scope="module")
def profiles(found, tables, config):
    return write_profiles(tables, config, read_checked(tables, config), "3")


def test_everyone_with_a_vector_is_in_its_planted_community(found, tables, world):
    detected, ids = found
    assert len(ids) == len(detected.rows) in (39, 40)
    members = tables.read("company_communities", "").toPandas().sort_values("company_id")
    assert members["company_id"].tolist() == [f"c{row:02d}" for row in range(sum(SIZES))]
    assert members["community"].tolist() == world[0].tolist()
    assert members["size"].tolist() == np.repeat(SIZES, SIZES).tolist()
    assert set(members["model_version"]) == {"3"}


def test_twice_gives_the_same_table(found, tables, config):
    before = tables.read("company_communities", "").toPandas().sort_values("company_id", ignore_index=True)
    build_communities(tables, config, "3", folder_of(config))
    after = tables.read("company_communities", "").toPandas().sort_values("company_id", ignore_index=True)
    assert after.equals(before)


def test_each_community_is_told_by_its_own_products_and_words(profiles, tables):
    rows, _ = profiles
    assert [(row["community"], row["size"]) for row in rows] == list(enumerate(SIZES))
    for row, word in zip(rows, WORDS, strict=True):
        assert [one["word"] for one in row["words"]] == [word]
        assert row["words"][0] == {"word": word, "share": 1.0, "lift": pytest.approx(sum(SIZES) / row["size"])}
        assert len(row["products"]) == 3
        assert all(int(one["product_id"][1:]) % 3 == row["community"] for one in row["products"])
        assert all(one["name"] == f"P{int(one['product_id'][1:])}" for one in row["products"])
    written = [row.asDict(recursive=True) for row in tables.read("communities", "").orderBy("community").collect()]
    assert written == rows


def test_communities_that_cut_across_industries_are_named(profiles):
    rows, agreement = profiles
    assert list(agreement) == ["industry"]
    assert rows[1]["groups"] == [{"column": "industry", "value": "bank", "share": 1.0}]
    assert agreement["industry"].cut_across == [0, 2]
    assert 0 < agreement["industry"].adjusted_rand < 1


def test_planted_communities_are_beyond_chance(found, tables, config):
    detected, ids = found
    usage = read_checked(tables, config)["usage"].good
    chance = compare_with_chance(usage, ids, detected.partition.labels, config)
    assert chance.modularity > max(chance.rewired)


def test_vectors_that_are_missing_or_all_alike_are_said_so(tables, config):
    with pytest.raises(DataError) as caught:
        build_communities(tables, config, "7", folder_of(config))
    assert str(caught.value) == ("table company_embeddings has no vector of model version 7: run score_companies first")
    with pytest.raises(DataError) as caught:
        build_communities(tables, config, "2", folder_of(config))
    assert str(caught.value) == (
        "the company vectors of model version 2 are all alike, so that there are no communities to find: "
        "score the companies with a model that tells them apart"
    )


def test_words_are_of_all_texts_in_lower_case_each_once(spark):
    companies = spark.createDataFrame(
        [("a", "Nürse, a nürse!", "IT-Cloud"), ("b", None, None)], "company_id string, x string, y string"
    )
    words = build_words(companies, ["x", "y"]).collect()
    assert sorted((row["company_id"], row["term"]) for row in words) == [("a", "cloud"), ("a", "nürse")]


def test_terms_are_ranked_by_share_and_lift_together(spark):
    """In community 0: x is everywhere, y in all of it and half of the other, z in half of it and nowhere else."""
    members = spark.createDataFrame(
        [(f"c{n}", n // 4, 4) for n in range(8)], "company_id string, community int, size long"
    )
    terms = [(f"c{n}", "x") for n in range(8)] + [(f"c{n}", "y") for n in range(6)] + [("c0", "z"), ("c1", "z")]
    top = build_top_terms(spark.createDataFrame(terms, "company_id string, term string"), members, 8, top_k=5)
    rows = {(row["community"], row["rank"]): (row["term"], row["share"], row["lift"]) for row in top.collect()}
    assert rows == {(0, 1): ("z", 0.5, 2.0), (0, 2): ("y", 1.0, pytest.approx(4 / 3))}
