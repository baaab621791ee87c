"""Stage 1 on Spark: what is encoded, how often, and what the table holds afterwards."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import functions as F
from tiny_bert import WORDS, encoder_settings, save_tiny_bert
from tqdm import tqdm

from hcf_spark.errors import DataError
from hcf_spark.spark import encode
from hcf_spark.spark.chunks import BUCKETS, Chunk, Plan
from hcf_spark.spark.embed import FILLING, _estimate_seconds, _n_tasks, _tell_progress, embed_companies
from hcf_spark.spark.schemas import TEXT_EMBEDDINGS
from hcf_spark.spark.tables import Tables
from hcf_spark.text.effort import Effort
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


def resolve(model, **changes):
    return resolve_encoder(encoder_settings(model, **changes))


@pytest.fixture
def stage(spark, make_config, encoded_texts):
    """Runs of the stage in one place."""
    return Stage(spark, make_config, encoded_texts)


class Stage:
    def __init__(self, spark, make_config, encoded_texts):
        self.spark, self.make_config, self.encoded_texts = spark, make_config, encoded_texts
        self.tables = Tables(spark, make_config())

    def run(self, spec, rows, columns=("description", "wikipedia"), *overrides):
        """Counts, and the texts that went through the model."""
        config = self.make_config(f"text.columns={list(columns)}", *overrides)
        companies = self.spark.createDataFrame(rows, COMPANIES)
        return embed_companies(self.tables, companies, spec, config), self.encoded_texts()

    def version(self):
        return self.tables.version("text_embeddings") if self.tables.exists("text_embeddings") else None

    def rows(self):
        return read_rows(self.tables)


def read_rows(tables):
    return {
        (row.company_id, row.source, row.encoder_id): (row.text_hash, tuple(row.embedding), row.n_tokens, row.n_windows)
        for row in tables.read("text_embeddings", "embed_companies").collect()
    }


@pytest.fixture
def encoded_texts(tmp_path, monkeypatch):
    """Reads the texts that went through the model since it was last called, from all worker processes."""
    log = tmp_path / "encoded.txt"
    make_encode_fn = encode.make_encode_fn

    def make_counting_fn(spec):
        encode_batches = make_encode_fn(spec)

        def count(batches):
            def seen():
                for batch in batches:
                    with log.open("a") as file:
                        file.writelines(f"{text}\n" for text in batch["text"].to_pylist())
                    yield batch

            yield from encode_batches(seen())

        return count

    def read():
        texts = sorted(log.read_text().splitlines()) if log.exists() else []
        log.unlink(missing_ok=True)
        return texts

    monkeypatch.setattr(encode, "make_encode_fn", make_counting_fn)
    return read


def test_identical_text_is_encoded_once_then_nothing_then_only_what_changed(stage, spec):
    first = [("a", "cloud", "bank"), ("b", "cloud", None), ("c", "shop", "cloud"), ("d", None, " ")]
    counts, encoded = stage.run(spec, first)
    assert encoded == ["bank", "cloud", "shop"]
    assert (counts.n_texts, counts.n_distinct, counts.n_encoded, counts.n_reused) == (5, 3, 3, 2)
    assert (counts.n_deleted, counts.n_failed, counts.n_tokens, counts.n_commits) == (0, 0, 3, 1)
    before = stage.rows()
    assert sorted(key[:2] for key in before) == [
        ("a", "description"),
        ("a", "wikipedia"),
        ("b", "description"),
        ("c", "description"),
        ("c", "wikipedia"),
    ]
    assert before["a", "description", spec.encoder_id] == before["c", "wikipedia", spec.encoder_id]

    version = stage.version()
    counts, encoded = stage.run(spec, first)
    assert encoded == []
    assert (counts.n_texts, counts.n_distinct, counts.n_encoded, counts.n_reused) == (5, 3, 0, 5)
    assert (counts.n_deleted, counts.n_tokens, counts.n_commits) == (0, 0, 0)
    assert stage.version() == version

    changed = [("a", "farm data", "bank"), ("b", "shop", None), ("c", "shop", "cloud"), ("e", "cloud", None)]
    counts, encoded = stage.run(spec, changed)
    assert encoded == ["farm data"]
    assert (counts.n_encoded, counts.n_reused, counts.n_deleted, counts.n_tokens) == (1, 5, 0, 2)
    after = stage.rows()
    assert after["b", "description", spec.encoder_id] == before["c", "description", spec.encoder_id]
    assert after["e", "description", spec.encoder_id] == before["a", "description", spec.encoder_id]
    assert after["a", "description", spec.encoder_id] != before["a", "description", spec.encoder_id]
    assert after["c", "wikipedia", spec.encoder_id] == before["c", "wikipedia", spec.encoder_id]
    assert len(after) == 6


def test_vanished_text_is_removed_if_so_set_and_the_rest_stays(stage, model, spec):
    first = [("a", "cloud", "bank"), ("b", "shop", "care"), ("c", "farm", None)]
    other = resolve(model, overlap_tokens=5)
    stage.run(spec, first)
    stage.run(other, first, ["description"])
    before, version = stage.rows(), stage.version()
    assert {key[2] for key in before} == {spec.encoder_id, other.encoder_id}
    assert len(before) == 8

    later = [("a", "cloud", None), ("b", None, "care")]
    counts, encoded = stage.run(spec, later, ["description"], "text.remove_vanished=false")
    assert (encoded, counts.n_deleted, stage.version()) == ([], 0, version)
    counts, encoded = stage.run(spec, later, ["description"])
    assert encoded == []
    assert (counts.n_texts, counts.n_encoded, counts.n_deleted) == (1, 0, 2)
    gone = {("b", "description", spec.encoder_id), ("c", "description", spec.encoder_id)}
    assert stage.rows() == {key: value for key, value in before.items() if key not in gone}

    counts, encoded = stage.run(spec, [("a", "data", None), ("b", None, "care")])
    assert encoded == ["data"]
    assert (counts.n_texts, counts.n_encoded, counts.n_reused, counts.n_deleted) == (2, 1, 1, 1)
    assert sorted(key[:2] for key in stage.rows() if key[2] == spec.encoder_id) == [
        ("a", "description"),
        ("b", "wikipedia"),
    ]


def test_a_new_encoder_fills_beside_the_old_one_chunk_by_chunk_and_goes_on_after_a_crash(stage, model, spec):
    old, new = resolve(model, overlap_tokens=5), spec
    texts = [(f"c{number}", f"{word} cloud", None) for number, word in enumerate(WORDS[:8])]
    stage.run(old, texts, ["description"])
    before = stage.rows()

    small_chunks = "encoder.minutes_per_commit=0.00002"
    stop_after(stage, n_commits=2)
    with pytest.raises(CrashError):
        stage.run(new, texts, ["description"], small_chunks)
    first = stage.encoded_texts()
    there = stage.rows()
    assert {key: there[key] for key in before} == before
    filling = {key[0] for key in there if key not in before}
    assert {key[2] for key in there if key not in before} == {new.encoder_id + FILLING}
    assert 0 < len(filling) < len(texts)

    stop_after(stage, n_commits=None)
    _, second = stage.run(new, texts, ["description"])
    assert len(second) == len(texts) - len(filling), "nothing that was committed is encoded again"
    assert len(first) + len(second) <= len(texts) + 2, "at most one chunk is lost"
    after = stage.rows()
    assert {key: after[key] for key in before} == before
    assert {key for key in after if key not in before} == {(row[0], "description", new.encoder_id) for row in texts}


class CrashError(Exception):
    pass


def stop_after(stage, n_commits):
    """The next runs fail when they are about to merge a chunk after so many."""
    done = []

    class Breaking(Tables):
        def merge(self, *arguments):
            if len(done) == n_commits:
                raise CrashError
            done.append(None)
            super().merge(*arguments)

    stage.tables = (Tables if n_commits is None else Breaking)(stage.spark, stage.make_config())


def test_a_run_that_another_has_overtaken_refuses_and_leaves_the_others_vectors_and_files(stage, spec, tmp_path):
    class Overtaken(Tables):
        def merge(self, name, frame, schema, keys):
            super().merge(name, frame, schema, keys)
            super().merge(name, frame.withColumn("encoder_id", F.lit(spec.encoder_id)), schema, keys)

    row = ("a", "description", "hash", spec.encoder_id + FILLING, [0.0], 1, 1)
    filling = stage.spark.createDataFrame([row], TEXT_EMBEDDINGS)
    stage.tables.merge("text_embeddings", filling, TEXT_EMBEDDINGS, ["company_id"])
    of_another_run = tmp_path / "out" / "encoding" / "chunk"
    of_another_run.mkdir(parents=True)
    stage.tables = Overtaken(stage.spark, stage.make_config())
    with pytest.raises(DataError, match=r"got vectors of .* from another run of embed_companies at the same time"):
        stage.run(spec, [("b", "cloud", None)], ["description"], "text.remove_vanished=false")
    assert set(stage.rows()) == {("b", "description", spec.encoder_id)}
    assert list(of_another_run.parent.iterdir()) == [of_another_run]


def test_texts_that_the_tokenizer_fails_on_are_in_quarantine_until_they_are_mended(stage, spec, monkeypatch):
    break_the_tokenizer(monkeypatch)
    rows = [("a", "cloud", None), ("b", "boom", None), ("c", "boom", "bank"), ("d", "care", None)]
    counts, _ = stage.run(spec, rows, ["description", "wikipedia"], "input.max_quarantined_share=0.5")
    assert (counts.n_texts, counts.n_encoded, counts.n_failed, counts.n_reused) == (5, 3, 2, 0)
    assert sorted(key[:2] for key in stage.rows()) == [("a", "description"), ("c", "wikipedia"), ("d", "description")]
    rule = "description: ValueError: no tokens for boom"
    assert quarantined(stage) == [
        ("b", rule, {"company_id": "b", "source": "description", "text": "boom"}),
        ("c", rule, {"company_id": "c", "source": "description", "text": "boom"}),
    ]
    version = stage.version()
    with pytest.raises(DataError, match=r"^companies.text: 2 of 5 rows are bad, more than input.max_quarantined_share"):
        stage.run(spec, rows)
    assert stage.version() == version
    stage.run(spec, [("a", "cloud", None), ("b", "steel", None), ("c", None, "bank"), ("d", "care", None)])
    assert quarantined(stage) == []


def test_a_text_that_has_vanished_leaves_quarantine_though_nothing_is_to_encode(stage, spec, monkeypatch):
    break_the_tokenizer(monkeypatch)
    rows = [("a", "cloud", None), ("b", "boom", None)]
    stage.run(spec, rows, ["description"], "input.max_quarantined_share=0.5")
    assert [key for key, *_ in quarantined(stage)] == ["b"]
    counts, encoded = stage.run(spec, rows[:1], ["description"])
    assert (encoded, counts.n_failed, quarantined(stage)) == ([], 0, [])


def break_the_tokenizer(monkeypatch):
    """In the worker processes; the patch travels with the function that they run."""
    make_encode_fn = encode.make_encode_fn

    def make_breaking_fn(spec):
        encode_batches = make_encode_fn(spec)

        def encode_with_broken_tokenizer(batches):
            from hcf_spark.text import reader

            tokenise = reader.tokenise

            def fail(tokenizer, texts):
                if any("boom" in text for text in texts):
                    raise ValueError("no tokens for boom")
                return tokenise(tokenizer, texts)

            reader.tokenise = fail
            try:
                yield from encode_batches(batches)
            finally:
                reader.tokenise = tokenise

        return encode_with_broken_tokenizer

    monkeypatch.setattr(encode, "make_encode_fn", make_breaking_fn)


def quarantined(stage):
    rows = stage.tables.read("quarantine", "").where(F.col("source_table") == "companies.text").collect()
    return sorted((row.key, row.rule, json.loads(row.row)) for row in rows)


def test_odd_texts_are_encoded_and_identical_ones_once(stage, spec):
    odd = ["\x00", "a\x00b", "\u202eabc \u05e9\u05dc\u05d5\u05dd", "?!?!", "\u200b", "🚀" * 300, "x" * 200_000]
    rows = [(f"odd{number}", text, None) for number, text in enumerate([*odd, "cloud " * 60_000])]
    rows += [("null", None, None), ("empty", "", None), ("blank", " \t\n\u00a0", None)]
    rows += [(f"same{number}", "bank data", None) for number in range(100)]
    counts, _ = stage.run(spec, rows, ["description"])
    assert (counts.n_texts, counts.n_distinct, counts.n_encoded, counts.n_failed) == (108, 9, 9, 0)
    table = {key[0]: value for key, value in stage.rows().items()}
    assert set(table) == {row[0] for row in rows} - {"null", "empty", "blank"}
    np.testing.assert_allclose([np.linalg.norm(value[1]) for value in table.values()], 1, rtol=1e-5)
    assert table["odd7"][2:] == (60_000, -(-(60_000 - 4) // 26))


def test_no_company_has_a_text(stage, spec):
    with pytest.raises(DataError) as error:
        stage.run(spec, [("a", " ", None)])
    assert str(error.value) == (
        "table companies: no company has a text in description, wikipedia; fill it, or set text.columns to others"
    )
    assert stage.version() is None


def test_few_texts_make_few_tasks_and_many_make_some_for_each_core():
    def n_tasks(n_texts, n_characters):
        return _n_tasks(Chunk(0, 4096, n_texts, n_characters), n_cores=2)

    assert n_tasks(0, 0) == 1
    assert n_tasks(10, 3_000) == 1
    assert n_tasks(3, 900_000) == 3
    assert n_tasks(100_000, 10**9) == 3 * 2


def test_what_a_sample_took_to_start_is_estimated_once_and_what_its_tasks_took_for_all_texts():
    def estimate(sample_seconds, at_once=2, n_tasks=6):
        efforts = [Effort(total_seconds=1.0, load_seconds=3.0), Effort(total_seconds=3.0, load_seconds=3.0)]
        return _estimate_seconds(sample_seconds, efforts, times=50, at_once=at_once, n_tasks=n_tasks)

    assert estimate(7) == 5 + 50 * 2
    assert estimate(7 + 30) == estimate(7) + 30
    assert estimate(7, n_tasks=1) == 5 + 50 * 4
    assert estimate(7, at_once=1) == 3 + 50 * 4
    assert estimate(0) == 50 * 2


def test_bar_and_log_tell_texts_tokens_tokens_per_second_and_the_time_left(caplog):
    caplog.set_level("INFO", logger="hcf_spark")
    counts = np.zeros(BUCKETS, dtype=np.int64)
    counts[[0, 4095]] = 1_000, 3_000
    shown = io.StringIO()
    with tqdm(total=4_000, unit=" texts", file=shown) as bar:
        bar.update(1_000)
        _tell_progress(bar, Plan(counts, 100 * counts, 100), stop=1, n_tokens=30_000, seconds=20.0)
    assert caplog.messages == ["1,000 of 4,000 texts encoded, 30,000 tokens, 1,500 tokens/s, about 60 s left"]
    assert "1000/4000" in shown.getvalue()
    assert "tokens=30,000, tokens/s=1,500" in shown.getvalue()


# The job


def run_job(config_root, model, *settings, flags=()):
    sets = [f"output={config_root}", f"encoder.model={model}", "encoder.overlap_tokens=4", *settings]
    return job.main([*(argument for setting in sets for argument in ("--set", setting)), *flags])


def test_the_job_says_what_it_would_do_and_run_twice_leaves_the_same_table(
    spark, make_config, model, encoded_texts, capsys
):
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

    of_a_running_job = Path(config.output) / "encoding" / "chunk"
    of_a_running_job.mkdir(parents=True)
    assert run_job(config.output, model, flags=["--dry-run"]) == 0
    assert of_a_running_job.exists()
    assert not (Path(config.output) / "dry_run").exists()
    assert re.fullmatch(
        r"2 texts to encode, about 5 tokens, in about \d+ s; 0 vectors to delete\n", capsys.readouterr().out
    )
    assert not tables.exists("text_embeddings")
    assert encoded_texts() == ["cloud", "we sells data"]

    assert run_job(config.output, model) == 0
    assert encoded_texts() == ["cloud", "we sells data"]
    first, version = read_rows(tables), tables.version("text_embeddings")
    assert sorted(key[0] for key in first) == ["a", "b"]
    assert tables.read("text_embeddings", "").columns == TEXT_EMBEDDINGS.names

    assert run_job(config.output, model) == 0
    assert encoded_texts() == []
    assert read_rows(tables) == first
    assert tables.version("text_embeddings") == version


def test_the_job_takes_the_companies_asked_for(spark, make_config, model):
    config = make_config()
    tables = Tables(spark, config)
    companies = spark.range(4).select(
        F.col("id").cast("string").alias("company_id"), F.lit("n").alias("name"), F.lit("cloud").alias("description")
    )
    tables.overwrite("companies", companies)
    assert run_job(config.output, model, "input.companies_where=company_id < '2'") == 0
    assert sorted(key[0] for key in read_rows(tables)) == ["0", "1"]


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
