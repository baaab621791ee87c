"""Scoring on Spark: who gets which rows, and that they are those of the registered model."""

from dataclasses import replace

import mlflow
import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as F
from tiny_bert import save_tiny_bert
from tiny_package import make_hcf, make_package

from hcf_spark.config import load_config
from hcf_spark.errors import DataError
from hcf_spark.models.package import ModelPackage
from hcf_spark.models.popularity import Popularity
from hcf_spark.spark import score
from hcf_spark.spark.embed import embed_companies
from hcf_spark.spark.score import build_scoring_rows, make_embed_fn, make_score_fn, score_companies
from hcf_spark.spark.tables import Tables
from hcf_spark.text.spec import resolve_encoder
from hcf_spark.tracking.pyfunc import HybridRecommender

pytestmark = pytest.mark.spark

TEXTS = {
    "c0": "we sell cloud data", "c1": "steel and farm", "c2": "we make a game", "seen by none": "bank care",
    "no text": None, "no products": "shop", "all products": "cloud", "all but one": "data we sell",
}  # fmt: skip
USED = {
    "c0": ["p0", "p1"], "c1": ["p2"], "c2": ["not in the model"], "seen by none": ["p4", "not in the model"],
    "no text": ["p3"], "all products": ["p0", "p1", "p2", "p3", "p4"], "all but one": ["p4", "p1", "p2", "p0"],
}  # fmt: skip
RANKING = ["company_id", "product_id", "rank"]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("score")
    encoder = save_tiny_bert(folder / "tiny")
    overrides = [f"output={folder / 'out'}", f"encoder.model={encoder}", "encoder.overlap_tokens=2", "score.top_k=3"]
    return load_config(overrides=overrides)


@pytest.fixture(scope="module")
def tables(spark, config):
    """Three companies of training and five others, bad rows among them, texts encoded."""
    tables = Tables(spark, config)
    companies = [(key, key, text) for key, text in [*TEXTS.items(), ("c0", TEXTS["c0"])]]
    products = [(key, key) for key in ("p0", "p1", "p2", "p3", "p4", "not in the model")]
    pairs = [(company, product, 1.0) for company, used in USED.items() for product in used]
    bad = [("c1", "p0", -1.0), ("c1", "unknown", 1.0), ("who", "p0", 1.0), ("c0", "p0", 1.0)]
    for name, rows, schema in (
        ("companies", [*companies, (None, "nobody", "shop")], "company_id string, name string, description string"),
        ("products", products, "product_id string, name string"),
        ("usage", pairs + bad, "company_id string, product_id string, weight double"),
    ):
        tables.overwrite(name, spark.createDataFrame(rows, schema))
    sound = tables.read("companies", "").where("company_id is not null").dropDuplicates(["company_id"])
    embed_companies(tables, sound, resolve_encoder(config.encoder), config)
    return tables


@pytest.fixture(scope="module")
def package(config):
    return make_package(make_hcf(), config)


@pytest.fixture(scope="module")
def run(tables, config, tmp_path_factory):
    """Score all companies with a package; returns both tables, sorted, as pandas."""

    def run(package, version):
        folder = tmp_path_factory.mktemp("package")
        package.save(folder)
        score_companies(tables, config, folder, package.about, version)
        scores = tables.read("company_scores", "").withColumn("scored_at", F.col("scored_at").cast("string"))
        vectors = tables.read("company_embeddings", "").toPandas().sort_values("company_id", ignore_index=True)
        return scores.toPandas().sort_values(["company_id", "rank"], ignore_index=True), vectors

    return run


@pytest.fixture(scope="module")
def scored(run, package):
    return run(package, version="7")


def by_company(scores, column="product_id"):
    return scores.groupby("company_id")[column].agg(list).to_dict()


def test_every_company_gets_its_rows_and_known_products_are_left_out(scored):
    scores, vectors = scored
    products = by_company(scores)
    assert {company: len(products.get(company, [])) for company in TEXTS} == {
        "c0": 3, "c1": 3, "c2": 3, "seen by none": 3, "no text": 3, "no products": 3, "all products": 0,
        "all but one": 1,
    }  # fmt: skip
    for company, used in USED.items():
        assert not set(products.get(company, [])) & set(used)
    assert products["all but one"] == ["p3"]
    assert set(products) <= set(TEXTS)
    assert vectors["company_id"].tolist() == sorted(TEXTS)
    assert {len(vector) for vector in vectors["embedding"]} == {16}


def test_ranks_count_from_one_by_falling_score_and_rows_are_stamped(scored):
    scores, vectors = scored
    for ranks in by_company(scores, "rank").values():
        assert ranks == list(range(1, len(ranks) + 1))
    for values in by_company(scores, "score").values():
        assert values == sorted(values, reverse=True)
    assert set(scores["model_version"]) == set(vectors["model_version"]) == {"7"}
    assert scores["scored_at"].nunique() == 1
    assert scores["scored_at"].notna().all()


def test_scores_are_those_of_the_registered_model(scored, package, config, tmp_path):
    """The same companies through the model that the registry holds, text and all."""
    package.save(tmp_path)
    model = HybridRecommender()
    artifacts = {"package": str(tmp_path), "encoder": config.encoder.model}
    model.load_context(mlflow.pyfunc.PythonModelContext(artifacts, model_config=None))
    products = [USED.get(company) for company in TEXTS]
    answer = model.predict(
        None, pd.DataFrame({"company_id": list(TEXTS), "description": list(TEXTS.values()), "products": products})
    )
    ranked, values = by_company(scored[0]), by_company(scored[0], "score")
    for company, expected, scores in zip(TEXTS, answer["product_ids"], answer["scores"], strict=True):
        assert ranked.get(company, []) == expected
        np.testing.assert_allclose(values.get(company, []), scores, atol=1e-5)


def test_a_company_of_training_is_known_by_what_was_learnt_of_it_others_by_their_text(scored, package):
    vectors = scored[1].set_index("company_id")["embedding"]
    learnt = package.model.arrays()["companies.weight"]
    for text_only in (vectors["c1"] - learnt[1], vectors["no products"]):
        np.testing.assert_allclose(np.linalg.norm(text_only), 1.0, rtol=1e-5)
    np.testing.assert_allclose(vectors["no text"], np.zeros(16))


def test_twice_gives_the_same_tables(scored, run, package, tables):
    version = tables.version("company_scores")
    (first_scores, first_vectors), (second_scores, second_vectors) = scored, run(package, version="7")
    assert tables.version("company_scores") == version + 1
    assert (second_scores["scored_at"] > first_scores["scored_at"].max()).all()
    pd.testing.assert_frame_equal(first_scores.drop(columns="scored_at"), second_scores.drop(columns="scored_at"))
    assert first_vectors["company_id"].tolist() == second_vectors["company_id"].tolist()
    assert np.array_equal(np.stack(first_vectors["embedding"]), np.stack(second_vectors["embedding"]))


def test_equal_scores_are_ranked_in_product_order(scored, run, package):
    """In the order of the vocabulary, not of the alphabet; and a run replaces what was there."""
    ties = ModelPackage(
        Popularity(np.array([0.1, 0.5, 0.5, 0.5, 0.5], np.float32)),
        ["p4", "p3", "p2", "p1", "p0"], list("ABCDE"), package.company_ids, package.about,
    )  # fmt: skip
    scores, vectors = run(ties, version="8")
    products = by_company(scores)
    assert products["no products"] == ["p3", "p2", "p1"]
    assert products["c1"] == ["p3", "p1", "p0"]
    assert products["all but one"] == ["p3"]
    assert set(scores["model_version"]) == set(vectors["model_version"]) == {"8"}


def test_blocks_of_any_size_give_the_same_rows(tables, config, package, tmp_path, monkeypatch):
    package.save(tmp_path)
    batch = build_scoring_rows(tables, config, package.about).toPandas()
    rank, embed = make_score_fn(str(tmp_path), 3), make_embed_fn(str(tmp_path))
    whole_scores, whole_vectors = (pd.concat(make(iter([batch]))) for make in (rank, embed))
    monkeypatch.setattr(score, "_ROWS", 3)
    scores, vectors = (pd.concat(make(iter([batch[:0], batch[:5], batch[5:]]))) for make in (rank, embed))
    assert scores[RANKING].to_numpy().tolist() == whole_scores[RANKING].to_numpy().tolist()
    np.testing.assert_allclose(scores["score"], whole_scores["score"], atol=1e-6)
    np.testing.assert_allclose(np.stack(vectors["embedding"]), np.stack(whole_vectors["embedding"]), atol=1e-6)


def test_rows_to_score_are_every_sound_company_once(tables, config, package):
    rows = build_scoring_rows(tables, config, package.about).collect()
    assert sorted(row.company_id for row in rows) == sorted(TEXTS)
    rows = {row.company_id: row for row in rows}
    for company, row in rows.items():
        assert row.products == (sorted(USED[company]) if company in USED else None)
    assert rows["no text"].text == [0.0] * 16
    assert np.linalg.norm(rows["c0"].text) == pytest.approx(1.0, rel=1e-5)


def test_vectors_by_another_encoder_are_not_those_that_the_model_needs(tables, config, package):
    with pytest.raises(DataError) as caught:
        build_scoring_rows(tables, config, replace(package.about, encoder_id="other@1"))
    assert str(caught.value) == (
        "table text_embeddings has no vector by the model's encoder other@1: run embed_companies with its settings"
    )
