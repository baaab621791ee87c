"""Scoring on Spark: who gets which rows, and that they are those of the registered model."""

import shutil
from dataclasses import replace

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp
from pyspark.sql import functions as F
from pyspark.sql.types import StructType
from tiny_bert import save_tiny_bert
from tiny_package import make_hcf, make_package
from worlds import fit_first

from hcf_spark.config import load_config
from hcf_spark.errors import DataError
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.models.calibrated import Calibrated, RowCalibration
from hcf_spark.models.companies import Companies
from hcf_spark.models.hcf import Hcf
from hcf_spark.models.package import ModelPackage
from hcf_spark.models.popularity import Popularity
from hcf_spark.models.ranking import csr_rows
from hcf_spark.models.reasons import Reason
from hcf_spark.models.rotated import Rotated
from hcf_spark.models.wording import sentence
from hcf_spark.spark import schemas, score, score_blocks
from hcf_spark.spark.embed import embed_companies
from hcf_spark.spark.score import keep_versions, old_versions, score_companies
from hcf_spark.spark.score_blocks import make_score_fn
from hcf_spark.spark.score_reasons import build_reasons
from hcf_spark.spark.score_rows import build_scoring_rows
from hcf_spark.spark.staging import Staging
from hcf_spark.spark.tables import Tables
from hcf_spark.spark.texts import join_texts
from hcf_spark.text.sources import combined_sources
from hcf_spark.text.spec import resolve_encoder
from hcf_spark.text.words import count_words
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


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("score")
    encoder = save_tiny_bert(folder / "tiny")
    overrides = [f"output={folder / 'out'}", f"encoder.model={encoder}", "encoder.overlap_tokens=2"]
    return load_config(overrides=[*overrides, "score.top_k=3", "score.companies_per_product=4"])


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
    """Score all companies with a package; returns rankings and vectors of its version, sorted, as pandas."""

    def run(package, version):
        bring_up_to_date(tables, config, package, version, tmp_path_factory.mktemp("package"))
        return read(tables, "company_scores", version), read(tables, "company_embeddings", version)

    return run


def bring_up_to_date(tables, config, package, version, folder):
    package.save(folder / "package")
    staging = Staging(folder / "staging")
    return score_companies(tables, config, folder / "package", package.about, version, staging)


def read(tables, name, version):
    rows = tables.read(name, "").where(F.col("model_version") == version)
    order = [column for column in ("company_id", "rank") if column in rows.columns]
    return rows.toPandas().sort_values(order, ignore_index=True)


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


def test_scores_are_those_of_the_registered_model(scored, package, config, tmp_path):
    """The same companies through the model that the registry holds, text and all."""
    package.save(tmp_path)
    model = HybridRecommender()
    artifacts = {"package": str(tmp_path), "encoder": config.encoder.model}
    model.load_context(mlflow.pyfunc.PythonModelContext(artifacts, model_config=None))
    products = [USED.get(company) for company in TEXTS]
    answer = model.predict(
        None,
        pd.DataFrame({"company_id": list(TEXTS), "description": list(TEXTS.values()), "products": products}),
        {"task": "products", "top_k": 3, "exclude_known": True, "with_reasons": False},
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


def test_a_product_gets_its_best_companies_but_not_its_users(scored, tables, config, package):
    """Against a sort of all scores."""
    rows = build_scoring_rows(tables, config, package.about).toPandas().sort_values("company_id", ignore_index=True)
    companies = package.companies(rows["company_id"], np.stack(rows["text"]), None, rows["products"])
    scores = package.model.score(companies)
    scores[csr_rows(companies.known), companies.known.indices] = -np.inf
    found = read(tables, "product_scores", "7").sort_values(["product_id", "rank"])
    for column, product in enumerate(package.product_ids):
        best = [row for row in np.argsort(-scores[:, column], kind="stable")[:4] if scores[row, column] > -np.inf]
        own = found[found["product_id"] == product]
        assert own["company_id"].tolist() == rows["company_id"][best].tolist()
        assert own["rank"].tolist() == list(range(1, len(best) + 1))
        np.testing.assert_allclose(own["score"], scores[best, column], atol=1e-5)
    assert set(found["scored_at"]) == set(scored[0]["scored_at"])


def test_twice_writes_nothing_the_second_time(scored, tables, config, package, tmp_path):
    names = ("company_scores", "product_scores", "company_embeddings")
    versions = [tables.version(name) for name in names]
    assert bring_up_to_date(tables, config, package, "7", tmp_path) == 0
    assert [tables.version(name) for name in names] == versions


def test_equal_scores_are_ranked_in_product_order_and_then_by_company(scored, run, package, tables):
    """In the order of the vocabulary, not of the alphabet."""
    ties = ModelPackage(
        Popularity(np.array([0.1, 0.5, 0.5, 0.5, 0.5], np.float32)),
        ["p4", "p3", "p2", "p1", "p0"], list("ABCDE"), package.company_ids, package.about,
    )  # fmt: skip
    products = by_company(run(ties, version="8")[0])
    assert products["no products"] == ["p3", "p2", "p1"]
    assert products["c1"] == ["p3", "p1", "p0"]
    assert products["all but one"] == ["p3"]
    companies = read(tables, "product_scores", "8").sort_values("rank").groupby("product_id")["company_id"].agg(list)
    assert companies["p3"] == ["all but one", "c0", "c1", "c2"]
    assert companies["p4"] == ["c0", "c1", "c2", "no products"]


@pytest.fixture
def copied(spark, scored, config, tmp_path):
    """Tables and settings of a copy that a test may change."""
    shutil.copytree(config.output, tmp_path / "out")
    copy = config.model_copy(update={"output": str(tmp_path / "out")})
    return Tables(spark, copy), copy


def test_only_companies_that_changed_are_scored_again_and_those_gone_lose_their_rows(
    spark, scored, copied, package, tmp_path, monkeypatch
):
    """One has more products, so many that its list gets shorter; one is new, one is gone; the rest as if all anew."""
    tables, config = copied
    explained = {(row.company_id, row.product_id) for row in read(tables, "product_scores", "7").itertuples()}
    asked = []

    def build_and_note(pairs, *rest):
        asked.append({tuple(row) for row in pairs.select("company_id", "product_id").collect()})
        return build_reasons(pairs, *rest)

    monkeypatch.setattr(score, "build_reasons", build_and_note)
    companies = tables.read("companies", "").where("company_id <> 'seen by none' or company_id is null").collect()
    columns = "company_id string, name string, description string"
    tables.overwrite("companies", spark.createDataFrame([*companies, ("new", "new", None)], columns))
    more = spark.createDataFrame(
        [("c0", "p2", 1.0), ("c0", "p3", 1.0)], "company_id string, product_id string, weight double"
    )
    tables.merge("usage", more, more.schema, ["company_id", "product_id"])
    assert bring_up_to_date(tables, config, package, "7", tmp_path / "first") == 2
    after, before = read(tables, "company_scores", "7"), scored[0]
    again = after[after["scored_at"] > before["scored_at"].max()]
    assert by_company(again) == {"c0": ["p4"], "new": by_company(after)["new"]}
    unchanged = [frame[~frame["company_id"].isin(["c0", "new", "seen by none"])] for frame in (before, after)]
    pd.testing.assert_frame_equal(*(frame.reset_index(drop=True) for frame in unchanged))
    assert set(read(tables, "company_embeddings", "7")["company_id"]) == {*TEXTS, "new"} - {"seen by none"}
    assert {company for company, _ in asked[0] & explained} <= {"c0", "new"}, "other reasons are known"
    assert read(tables, "product_scores", "7")[["reasons", "why"]].notna().all(axis=None)

    names = ("company_scores", "product_scores", "company_embeddings")
    first = [read(tables, name, "7") for name in names]
    shorter = config.model_copy(update={"score": config.score.model_copy(update={"top_k": 2})})
    assert bring_up_to_date(tables, shorter, package, "7", tmp_path / "second") == len(TEXTS)
    second = [read(tables, name, "7") for name in names]
    assert first[0]["rank"].max() == 3
    first[0] = first[0][first[0]["rank"] <= 2]
    for old, new in zip(first, second, strict=True):
        assert len(old) == len(new) > 0
        for column in old.columns.drop(["scored_at", "input_hash", "reasons", "why"], errors="ignore"):
            if column in ("score", "embedding"):
                np.testing.assert_allclose(np.vstack(old[column]), np.vstack(new[column]), atol=1e-6)
            else:
                assert old[column].tolist() == new[column].tolist()


def test_a_run_that_ends_between_two_tables_is_made_up_for(copied, package, tmp_path, monkeypatch):
    """The short form of ``test_score_companies_killed_between_two_of_its_tables``."""
    tables, config = copied
    merge_part = Tables.merge_part

    def end(self, name, *rest, **named):
        if name == "company_embeddings":
            raise KeyboardInterrupt
        merge_part(self, name, *rest, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Tables, "merge_part", end)
        with pytest.raises(KeyboardInterrupt):
            bring_up_to_date(tables, config, package, "11", tmp_path / "first")
    assert len(read(tables, "company_scores", "11"))
    assert read(tables, "company_embeddings", "11").empty
    assert bring_up_to_date(tables, config, package, "11", tmp_path / "second") == len(TEXTS)
    for name in ("company_scores", "product_scores"):
        whole, made_up = (
            read(tables, name, version).drop(columns=["model_version", "scored_at"]) for version in ("7", "11")
        )
        pd.testing.assert_frame_equal(whole, made_up)


def test_reasons_add_up_to_the_score_in_both_directions(scored, tables):
    for rows in (scored[0], read(tables, "product_scores", "7")):
        sums = [sum(reason["share"] for reason in reasons) for reasons in rows["reasons"]]
        np.testing.assert_allclose(sums, rows["score"], atol=1e-5)
        assert {reason["kind"] for reasons in rows["reasons"] for reason in reasons} >= {"text", "popularity"}
        for why, reasons in zip(rows["why"], rows["reasons"], strict=True):
            assert why == sentence([Reason(**reason) for reason in reasons])
        assert rows["why"].str.contains("its description").any()


def test_tables_of_an_earlier_release_without_sentences_are_made_anew(copied, package, tmp_path):
    tables, config = copied
    old = StructType([field for field in schemas.PRODUCT_SCORES if field.name != "why"])
    tables.make_empty("product_scores", old, "model_version")
    assert bring_up_to_date(tables, config, package, "7", tmp_path) == len(TEXTS)
    for name in ("company_scores", "product_scores"):
        assert read(tables, name, "7")["why"].notna().all()


def test_a_calibrated_model_ranks_companies_by_log_odds_and_tells_the_probability(run, package, tables, config):
    """What known products add to the rank they take from the probability here, so that it does not always fall."""
    warm, cold = (
        RowCalibration(1.0, 0.3, intercept, np.array([-1.0, 0.0]), np.zeros(2), np.ones(2), reach=2.0)
        for intercept in (0, -1)
    )
    turned = Rotated(Calibrated(package.model, warm, cold), np.eye(16, dtype=np.float32))
    calibrated = package.with_model(turned, None)
    run(calibrated, version="9")
    found = read(tables, "product_scores", "9").sort_values(["product_id", "rank"])
    sums = [sum(reason["share"] for reason in reasons) for reasons in found["reasons"]]
    np.testing.assert_allclose(sums, found["score"], atol=1e-5)
    rows = build_scoring_rows(tables, config, package.about).toPandas().sort_values("company_id", ignore_index=True)
    companies = package.companies(rows["company_id"], np.stack(rows["text"]), None, rows["products"])
    order, scores = turned.score_for_products(companies), turned.score(companies)
    order[csr_rows(companies.known), companies.known.indices] = -np.inf
    falls = []
    for column, product in enumerate(package.product_ids):
        best = [row for row in np.argsort(-order[:, column], kind="stable")[:4] if order[row, column] > -np.inf]
        own = found[found["product_id"] == product]
        assert own["company_id"].tolist() == rows["company_id"][best].tolist()
        np.testing.assert_allclose(own["score"], scores[best, column], atol=1e-5)
        falls.append(own["score"].is_monotonic_decreasing)
    assert not all(falls)


def test_rows_of_old_model_versions_are_deleted(copied, package, tmp_path):
    """Here the only other one is newer; and without reasons and products' companies there are none."""
    tables, config = copied
    few = config.score.model_copy(update={"with_reasons": False, "companies_per_product": 0})
    bring_up_to_date(tables, config.model_copy(update={"score": few}), package, "10", tmp_path)
    assert read(tables, "company_scores", "10")[["reasons", "why"]].isna().all(axis=None)
    assert read(tables, "product_scores", "10").empty
    version = tables.version("company_scores")
    keep_versions(tables, "7", n_kept=20)
    assert tables.version("company_scores") == version
    keep_versions(tables, "7", n_kept=1)
    for name in ("company_scores", "company_embeddings"):
        assert {row.model_version for row in tables.read(name, "").collect()} == {"7"}


def test_the_newest_versions_are_kept_and_the_one_that_serves():
    assert old_versions(["7", "8", "9", "10"], "8", 1) == ["10", "9", "7"]
    assert old_versions(["7", "8", "9", "10"], "8", 2) == ["9", "7"]
    assert old_versions(["8", "9", "10"], "8", 5) == []


@pytest.fixture
def batch(tables, config, package):
    """Rows as the workers get them."""
    rows = build_scoring_rows(tables, config, package.about).toPandas().sort_values("company_id", ignore_index=True)
    return pa.RecordBatch.from_pandas(rows.assign(is_changed=True, input_hash=0), preserve_index=False)


def score_batches(package, companies_per_product, *batches):
    """Rankings by direction."""
    found = pa.Table.from_batches(make_score_fn(str(package), 3, companies_per_product)(iter(batches))).to_pandas()
    return [rows for _, rows in found.groupby("direction")]


def test_a_model_with_scores_of_its_own_for_products_is_asked_for_them(batch, package, monkeypatch, tmp_path):
    """Here those say the opposite, and the products of a company stay as they are."""
    package.save(tmp_path)
    usual = score_batches(tmp_path, 2, batch)
    monkeypatch.setattr(Hcf, "score_for_products", lambda self, companies: -self.score(companies), raising=False)
    own = score_batches(tmp_path, 8, batch)
    assert own[0]["ids"].map(list).tolist() == usual[0]["ids"].map(list).tolist()
    assert [list(ids[:-3:-1]) for ids in own[1]["ids"]] == usual[1]["ids"].map(list).tolist()


def test_a_model_that_reads_words_is_given_them(batch, config, tmp_path):
    """By its vocabulary, c0 uses p0, c1 p1 and so on; a text ranks first what the text with most of its words uses."""
    texts = [TEXTS["c0"], TEXTS["c1"], TEXTS["c2"]]
    known = sp.csr_matrix(np.eye(3, 5, dtype=np.float32))
    train = Companies(np.zeros((3, 16), np.float32), known, np.arange(3), count_words(texts))
    model = fit_first(CLOSED_FORM["text_knn_words"], train)
    make_package(model, config).save(tmp_path)
    best = score_batches(tmp_path, 0, batch)[0].set_index("id")
    assert best.loc["all but one", "ids"][0] == "p3"  # it uses the others already
    assert best.loc["seen by none", "scores"].tolist() == best.loc["no products", "scores"].tolist()
    assert best.loc["c1", "ids"][0] == "p0"
    for company in ("no products", "all but one", "c1"):
        row = batch.to_pandas().set_index("company_id").loc[company]
        index = np.array([int(company[1:]) if company in ("c0", "c1", "c2") else -1])
        asked = Companies(np.zeros((1, 16), np.float32), known[:1] * 0, index, count_words([row["texts"]]))
        scores = model.score(asked)[0]
        own = best.loc[company]
        np.testing.assert_allclose(own["scores"], [scores[int(product[1:])] for product in own["ids"]], atol=1e-6)


def test_blocks_of_any_size_give_the_same_rows(batch, package, tmp_path, monkeypatch):
    package.save(tmp_path)
    whole = score_batches(tmp_path, 2, batch)
    monkeypatch.setattr(score_blocks, "_ROWS", 3)
    parts = score_batches(tmp_path, 2, batch[:0], batch[:5], batch[5:])
    for first, second in zip(whole, parts, strict=True):
        for column in ("id", "ids"):
            assert first[column].map(list).tolist() == second[column].map(list).tolist()
        for column in ("scores", "embedding"):
            for numbers in zip(first[column].dropna(), second[column].dropna(), strict=True):
                np.testing.assert_allclose(*numbers, atol=1e-6)


def test_rows_to_score_are_every_sound_company_once(tables, config, package):
    rows = build_scoring_rows(tables, config, package.about).collect()
    assert sorted(row.company_id for row in rows) == sorted(TEXTS)
    rows = {row.company_id: row for row in rows}
    for company, row in rows.items():
        assert row.products == sorted(USED.get(company, []))
    assert {company: row.texts for company, row in rows.items()} == TEXTS
    assert rows["no text"].text == [0.0] * 16
    assert np.linalg.norm(rows["c0"].text) == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize(
    ("combine", "texts"), [("mean", ["cloud data", "bank", None]), ("name", ["cloud", None, None])]
)
def test_texts_are_those_that_the_model_combines(spark, combine, texts):
    rows = [("a", "data", "cloud"), ("b", "bank", " "), ("c", None, None)]
    companies = spark.createDataFrame(rows, "company_id string, description string, name string")
    sources = combined_sources(("name", "description"), combine)
    found = {row.company_id: row.texts for row in join_texts(companies, sources).collect()}
    assert {company: " ".join(text.split()) for company, text in found.items()} == {
        company: text for company, text in zip("abc", texts, strict=True) if text
    }


def test_vectors_by_another_encoder_are_not_those_that_the_model_needs(tables, config, package):
    with pytest.raises(DataError) as caught:
        build_scoring_rows(tables, config, replace(package.about, encoder_id="other@1"))
    assert str(caught.value) == (
        "table text_embeddings has no vector by the model's encoder other@1: run embed_companies with its settings"
    )
