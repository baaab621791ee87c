"""Stage 1 on Spark: what is encoded, how often, and what the table holds afterwards."""

import numpy as np
import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F
from tiny_bert import save_tiny_bert

from hcf_spark.config import EncoderSettings
from hcf_spark.errors import DataError
from hcf_spark.spark import embed
from hcf_spark.spark.embed import (
    build_text_vectors,
    embed_companies,
    encode_texts,
    filter_pending,
    select_new_texts,
    select_texts,
    with_embeddings,
)
from hcf_spark.spark.schemas import TEXT_EMBEDDINGS
from hcf_spark.spark.tables import Tables
from hcf_spark.text.spec import resolve_encoder
from jobs import embed_companies as job

pytestmark = pytest.mark.spark

COMPANIES = "company_id string, description string, wikipedia string"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_tiny_bert(tmp_path_factory.mktemp("models") / "it's tiny")


@pytest.fixture(scope="module")
def spec(model):
    return resolve(model)


@pytest.fixture
def tables(spark, make_config):
    return Tables(spark, make_config())


@pytest.fixture
def encoded_texts(tmp_path, monkeypatch):
    """Reads the texts that went through the model since it was last called, from all worker processes."""
    log = tmp_path / "encoded.txt"
    make_encode_fn = embed.make_encode_fn

    def make_counting_fn(spec):
        encode = make_encode_fn(spec)

        def count(batches):
            def seen():
                for batch in batches:
                    with log.open("a") as file:
                        file.writelines(f"{text}\n" for text in batch["text"])
                    yield batch

            yield from encode(seen())

        return count

    def read():
        texts = sorted(log.read_text().splitlines()) if log.exists() else []
        log.unlink(missing_ok=True)
        return texts

    monkeypatch.setattr(embed, "make_encode_fn", make_counting_fn)
    return read


def resolve(model, overlap_tokens=4):
    return resolve_encoder(
        EncoderSettings(
            model=str(model), max_tokens=None, overlap_tokens=overlap_tokens, batch_tokens=64, threads_per_task=1
        )
    )


def read_table(tables):
    return tables.read("text_embeddings", "embed_companies")


def rows(tables):
    return {
        (row.company_id, row.source, row.encoder_id): (row.text_hash, tuple(row.embedding), row.n_tokens, row.n_windows)
        for row in read_table(tables).collect()
    }


def stored(spark, *keys):
    """Rows of text_embeddings for (company_id, source, text_hash, encoder_id)."""
    return spark.createDataFrame([(*key, [1.0, 0.0], 3, 1) for key in keys], TEXT_EMBEDDINGS)


# Transforms


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
    encoded = stored(spark, ("-", "-", "h", "-")).select(embed.ENCODED.names)
    expected = stored(spark, ("a", "d", "h", "mine"), ("b", "w", "h", "mine"))
    assert_df_equality(with_embeddings(texts, encoded, "mine"), expected, ignore_row_order=True, ignore_nullable=True)


def test_encoded_texts_do_not_depend_on_partitions(spark, spec):
    texts = spark.createDataFrame([(f"h{i}", "cloud " * (i + 1)) for i in range(40)], "text_hash string, text string")
    vectors = {}
    for partitions in (1, 7):
        encoded = encode_texts(texts.repartition(partitions), spec)
        assert encoded.schema == embed.ENCODED
        found = {row.text_hash: row for row in encoded.collect()}
        vectors[partitions] = np.array([found[f"h{i}"].embedding for i in range(40)])
        assert [found[f"h{i}"].n_tokens for i in range(40)] == list(range(1, 41))
    np.testing.assert_allclose(vectors[1], vectors[7], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors[1], axis=1), 1, rtol=1e-6)


def test_one_source_is_passed_through(spark):
    table = stored(spark, ("a", "d", "h", "mine"), ("a", "w", "h", "mine"), ("b", "d", "h", "other"))
    vectors = build_text_vectors(table, "mine", ["d"])
    assert [tuple(row) for row in vectors.collect()] == [("a", [1.0, 0.0])]


def test_several_sources_are_averaged_and_scaled(spark):
    table = spark.createDataFrame(
        [
            ("a", "d", "h", "mine", [1.0, 0.0, 0.0], 3, 1),
            ("a", "w", "h", "mine", [0.0, 1.0, 0.0], 3, 1),
            ("a", "s", "h", "mine", [0.0, 1.0, 0.0], 3, 1),
            ("a", "x", "h", "mine", [0.0, 0.0, 1.0], 3, 1),
            ("b", "w", "h", "mine", [0.6, 0.0, 0.8], 3, 1),
            ("c", "w", "h", "other", [1.0, 0.0, 0.0], 3, 1),
        ],
        TEXT_EMBEDDINGS,
    )
    vectors = build_text_vectors(table, "mine", ["d", "w", "s"])
    assert dict(vectors.dtypes) == {"company_id": "string", "embedding": "array<float>"}
    found = {row.company_id: row.embedding for row in vectors.collect()}
    assert sorted(found) == ["a", "b"]
    np.testing.assert_allclose(found["a"], np.array([1, 2, 0]) / np.sqrt(5), rtol=1e-6)
    np.testing.assert_allclose(found["b"], [0.6, 0, 0.8], rtol=1e-6)


# The whole stage


def test_identical_text_is_encoded_once_then_nothing_then_only_what_changed(spark, tables, spec, encoded_texts):
    first = spark.createDataFrame(
        [("a", "cloud", "bank"), ("b", "cloud", None), ("c", "shop", "cloud"), ("d", None, " ")], COMPANIES
    )
    columns = ["description", "wikipedia"]

    counts = embed_companies(tables, first, columns, spec)
    assert encoded_texts() == ["bank", "cloud", "shop"]
    assert (counts.n_texts, counts.n_distinct, counts.n_encoded, counts.n_reused) == (5, 3, 3, 2)
    assert (counts.n_deleted, counts.n_tokens) == (0, 3)
    before = rows(tables)
    assert sorted(key[:2] for key in before) == [
        ("a", "description"),
        ("a", "wikipedia"),
        ("b", "description"),
        ("c", "description"),
        ("c", "wikipedia"),
    ]
    assert before["a", "description", spec.encoder_id] == before["c", "wikipedia", spec.encoder_id]

    version = tables.version("text_embeddings")
    counts = embed_companies(tables, first, columns, spec)
    assert encoded_texts() == []
    assert (counts.n_texts, counts.n_distinct, counts.n_encoded, counts.n_reused) == (5, 3, 0, 5)
    assert (counts.n_deleted, counts.n_tokens) == (0, 0)
    assert tables.version("text_embeddings") == version

    changed = spark.createDataFrame(
        [("a", "farm data", "bank"), ("b", "shop", None), ("c", "shop", "cloud"), ("e", "cloud", None)], COMPANIES
    )
    counts = embed_companies(tables, changed, columns, spec)
    assert encoded_texts() == ["farm data"]
    assert (counts.n_encoded, counts.n_reused, counts.n_deleted, counts.n_tokens) == (1, 5, 0, 2)
    after = rows(tables)
    assert after["b", "description", spec.encoder_id] == before["c", "description", spec.encoder_id]
    assert after["e", "description", spec.encoder_id] == before["a", "description", spec.encoder_id]
    assert after["a", "description", spec.encoder_id] != before["a", "description", spec.encoder_id]
    assert after["c", "wikipedia", spec.encoder_id] == before["c", "wikipedia", spec.encoder_id]
    assert len(after) == 6


def test_vanished_text_is_deleted_and_the_rest_stays(spark, tables, model, spec, encoded_texts):
    first = spark.createDataFrame([("a", "cloud", "bank"), ("b", "shop", "care"), ("c", "farm", None)], COMPANIES)
    embed_companies(tables, first, ["description", "wikipedia"], spec)
    other = resolve(model, overlap_tokens=5)
    embed_companies(tables, first, ["description"], other)
    before = rows(tables)
    encoded_texts()

    later = spark.createDataFrame([("a", "cloud", None), ("b", None, "care")], COMPANIES)
    counts = embed_companies(tables, later, ["description"], spec)
    assert encoded_texts() == []
    assert (counts.n_texts, counts.n_encoded, counts.n_deleted) == (1, 0, 2)
    gone = {("b", "description", spec.encoder_id), ("c", "description", spec.encoder_id)}
    assert rows(tables) == {key: value for key, value in before.items() if key not in gone}

    later = spark.createDataFrame([("a", "data", None), ("b", None, "care")], COMPANIES)
    counts = embed_companies(tables, later, ["description", "wikipedia"], spec)
    assert encoded_texts() == ["data"]
    assert (counts.n_texts, counts.n_encoded, counts.n_reused, counts.n_deleted) == (2, 1, 1, 1)
    assert sorted(key[:2] for key in rows(tables) if key[2] == spec.encoder_id) == [
        ("a", "description"),
        ("b", "wikipedia"),
    ]


def test_vectors_of_two_encoders_stay_apart(spark, tables, model, spec, encoded_texts):
    other = resolve(model, overlap_tokens=5)
    companies = spark.createDataFrame([("a", "cloud", None), ("b", "cloud", None)], COMPANIES)
    embed_companies(tables, companies, ["description"], spec)
    before = rows(tables)
    embed_companies(tables, companies, ["description"], other)
    assert encoded_texts() == ["cloud", "cloud"]
    after = rows(tables)
    assert {key: after[key] for key in before} == before
    assert {key[2] for key in after} == {spec.encoder_id, other.encoder_id}
    assert len(after) == 4


def test_no_company_has_a_text(spark, tables, spec):
    companies = spark.createDataFrame([("a", " ", None)], COMPANIES)
    with pytest.raises(DataError) as error:
        embed_companies(tables, companies, ["description", "wikipedia"], spec)
    assert str(error.value) == (
        "table companies: no company has a text in description, wikipedia; fill it, or set text.columns to others"
    )
    assert not tables.exists("text_embeddings")


def test_few_texts_make_few_tasks_and_many_make_some_for_each_core(spark):
    def partitions(n_texts, n_characters):
        return embed._n_partitions(spark, embed.Row(n_texts=n_texts, n_characters=n_characters))

    assert partitions(0, None) == 1
    assert partitions(10, 3_000) == 1
    assert partitions(3, 900_000) == 3
    assert partitions(100_000, 10**9) == 3 * 2


# The job


def run_job(config_root, model, *flags):
    sets = [f"output={config_root}", f"encoder.model={model}", "encoder.overlap_tokens=4", *flags]
    return job.main([argument for flag in sets for argument in ("--set", flag)])


def test_the_job_run_twice_leaves_the_same_table(spark, make_config, model, encoded_texts):
    config = make_config()
    tables = Tables(spark, config)
    companies = [
        ("a", "A", "cloud"),
        ("b", "B", "we sells data"),
        ("b", "B", "we sells data"),
        (None, "C", "x"),
        ("", "", "y"),
    ]
    tables.overwrite(
        "companies", spark.createDataFrame(companies, "company_id string, name string, description string")
    )

    assert run_job(config.output, model) == 0
    assert encoded_texts() == ["cloud", "we sells data"]
    first, version = rows(tables), tables.version("text_embeddings")
    assert sorted(key[0] for key in first) == ["a", "b"]
    assert read_table(tables).columns == TEXT_EMBEDDINGS.names

    assert run_job(config.output, model) == 0
    assert encoded_texts() == []
    assert rows(tables) == first
    assert tables.version("text_embeddings") == version


def test_the_job_takes_the_companies_asked_for(spark, make_config, model):
    config = make_config()
    tables = Tables(spark, config)
    companies = spark.range(4).select(
        F.col("id").cast("string").alias("company_id"), F.lit("n").alias("name"), F.lit("cloud").alias("description")
    )
    tables.overwrite("companies", companies)
    assert run_job(config.output, model, "input.companies_where=company_id < '2'") == 0
    assert sorted(key[0] for key in rows(tables)) == ["0", "1"]


def test_the_job_says_what_is_wrong_in_one_line(spark, make_config, capsys):
    assert run_job(make_config().output, "/no/such/model") == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: embed_companies: encoder.model '/no/such/model': no folder at /no/such/model; "
        "give the folder of a BERT-type encoder, a name on the Hugging Face hub, or all-MiniLM-L6-v2"
    )


def test_the_job_without_companies(spark, make_config, model, capsys):
    config = make_config()
    assert run_job(config.output, model) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"error: embed_companies: table companies not found at {Tables(spark, config).location('companies')}: "
        "it is made by you or load_tables"
    )
