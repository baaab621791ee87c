"""The Parquet snapshot: what training sees, what is kept for the test, and when it is made anew."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from hcf_spark.config import load_config
from hcf_spark.errors import DataError
from hcf_spark.spark import schemas, split
from hcf_spark.spark.export import export_snapshot
from hcf_spark.spark.tables import Tables
from hcf_spark.text.words import count_words
from hcf_spark.train.loader import SnapshotLoader
from hcf_spark.train.manifest import FILE, Manifest

pytestmark = pytest.mark.spark

N_TRAINED, N_SEEN, N_COMPANIES, N_PRODUCTS = 24, 25, 32, 12  # one that is not held out uses nothing
USAGE = {
    company: {(company + product) % N_PRODUCTS for product in range(2 + company % 5)}
    for company in range(N_COMPANIES) if company != N_TRAINED
}  # fmt: skip


def has_text(company):
    return company % 7 != 0


def words_in(company):
    return {"we": 2.0, "sell": 1.0, "buy": 1.0, f"item{company}": 1.0} if has_text(company) else {}


def write_matrix(spark, tables, stamp="run 1"):
    """Tables as load_tables, build_matrix and embed_companies leave them."""
    texts = [(f"c{company}", f"C {company}", f"We sell. We buy item{company}" if has_text(company) else " ")
             for company in range(N_COMPANIES)]  # fmt: skip
    tables.overwrite("companies", spark.createDataFrame(texts, "company_id string, name string, description string"))
    companies = [(f"c{company}", company, company >= N_SEEN, f"c{company}") for company in range(N_COMPANIES)]
    products = [(f"p{product}", product, None, None) for product in range(N_PRODUCTS)]
    cells = [(company, product, 1.0, None) for company, used in USAGE.items() for product in used]
    for name, schema, rows in (
        ("company_vocab", schemas.COMPANY_VOCAB, companies),
        ("product_vocab", schemas.PRODUCT_VOCAB, products),
        ("company_product", schemas.COMPANY_PRODUCT, cells),
    ):
        tables.overwrite(name, spark.createDataFrame(rows, schema), schema, stamp)
    vectors = [(f"c{company}", "description", "h", "tiny", [float(company), 1.0, 0.5], 3, 1)
               for company in range(N_COMPANIES) if has_text(company)]  # fmt: skip
    others = [
        ("c0", "wikipedia", "h", "tiny", [9.0, 9.0, 9.0], 3, 1),
        ("c0", "description", "h", "another", [8.0, 8.0, 8.0], 3, 1),
    ]
    rows = spark.createDataFrame(vectors + others, schemas.TEXT_EMBEDDINGS)
    tables.overwrite("text_embeddings", rows, schemas.TEXT_EMBEDDINGS)


@pytest.fixture(scope="module")
def snapshot(spark, tmp_path_factory):
    """(tables, settings for two processes, folder of the snapshot)."""
    config = load_config(overrides=[f"output={tmp_path_factory.mktemp('snapshot')}", "train.processes=2"])
    tables = Tables(spark, config)
    write_matrix(spark, tables)
    return tables, config, export_snapshot(tables, config, "tiny")


def read(folder, files):
    frames = [pq.ParquetFile(folder / file.path).read().to_pandas() for file in files]
    return pd.concat(frames, ignore_index=True)


def products_in(row):
    return {int(product) for product in row if product >= 0}


@pytest.fixture(scope="module")
def parts(snapshot):
    """Products by company and part, straight from the split."""
    tables, config, _ = snapshot
    companies = tables.read("company_vocab", "x").select("company_idx", "company_id", "held_out", "alike")
    products = tables.read("product_vocab", "x").select("product_idx", "product_id")
    interactions = tables.read("company_product", "x")
    cells = split.with_part(interactions, companies, products, config.split, config.seed).toPandas()
    return cells.groupby(["company_idx", "part"])["product_idx"].agg(set).to_dict()


def test_manifest(snapshot):
    tables, _, folder = snapshot
    manifest = Manifest.read(folder)
    assert folder == Path(tables.location("usage")).parents[1] / "snapshots" / manifest.snapshot_id
    assert (manifest.n_products, manifest.text_dimension) == (N_PRODUCTS, 3)
    assert manifest.n_companies == sum(file.rows for file in manifest.train) == N_TRAINED
    assert (manifest.encoder_id, manifest.seed) == ("tiny", 0)
    assert manifest.table_versions == {
        "company_vocab": 0, "product_vocab": 0, "company_product": 0, "text_embeddings": 0,
    }  # fmt: skip


def test_two_processes_get_equally_many_companies(snapshot):
    _, _, folder = snapshot
    manifest = Manifest.read(folder)
    of_rank = [read(folder, manifest.files_of_rank(rank, 2))["company_idx"] for rank in range(2)]
    assert [len(companies) for companies in of_rank] == [12, 12]
    assert sorted(pd.concat(of_rank)) == list(range(N_TRAINED))
    assert manifest.steps_per_epoch(2, 5) == 3


def test_training_rows(snapshot, parts):
    """Lists of one length, filled up with -1; text or zeros; and nothing of the test."""
    _, _, folder = snapshot
    rows = read(folder, Manifest.read(folder).train)
    assert rows.columns.tolist() == [
        "company_idx", "validation_cold", "text", "known", "held", "word_ids", "word_counts",
    ]  # fmt: skip
    for name in ("known", "held"):
        assert rows[name].map(len).nunique() == 1
        assert all(list(row) == sorted(row[row >= 0]) + [-1] * (row < 0).sum() for row in rows[name])
    for row in rows.itertuples():
        company = row.company_idx
        assert row.text.tolist() == ([float(company), 1.0, 0.5] if has_text(company) else [0.0] * 3)
        cold = parts.get((company, "valid_cold"), set())
        assert row.validation_cold == bool(cold)
        assert products_in(row.known) == parts.get((company, "train"), set())
        assert products_in(row.held) == cold | parts.get((company, "valid_warm"), set())
        hidden = parts.get((company, "test_warm"), set())
        assert products_in(row.known) | products_in(row.held) == USAGE[company] - hidden
    assert rows["validation_cold"].any()
    assert rows["held"].map(products_in).map(bool).any()


def test_test_rows(snapshot, parts):
    """In the warm regime all but the hidden products are known, in the cold one none."""
    _, _, folder = snapshot
    rows = read(folder, Manifest.read(folder).test).set_index(["regime", "company_idx"])
    warm = {company for company, part in parts if part == "test_warm"}
    assert set(rows.loc["warm"].index) == warm
    assert set(rows.loc["cold"].index) == set(range(N_SEEN, N_COMPANIES))
    assert rows.index.is_unique
    for (regime, company), row in rows.iterrows():
        hidden = parts[company, f"test_{regime}"]
        assert row.hidden.tolist() == sorted(hidden)
        assert row.known.tolist() == (sorted(USAGE[company] - hidden) if regime == "warm" else [])
        assert row.text.tolist() == ([float(company), 1.0, 0.5] if has_text(company) else [0.0] * 3)
        assert row.n_tokens == (3 if has_text(company) else 0)


def hashed(words):
    return {int(count_words([word]).indices[0]): count for word, count in words.items()}


def test_words_are_counted_and_do_not_disturb_the_trainer(snapshot):
    _, _, folder = snapshot
    manifest = Manifest.read(folder)
    for row in pd.concat([read(folder, manifest.train), read(folder, manifest.test)]).itertuples():
        assert dict(zip(row.word_ids, row.word_counts, strict=True)) == hashed(words_in(row.company_idx))
    loaded = next(SnapshotLoader(folder, manifest, 0, 1, seed=0).all_rows(N_TRAINED))
    assert loaded.index.tolist() == read(folder, manifest.train[:1])["company_idx"].tolist()


def test_a_snapshot_is_made_once_and_a_half_written_one_anew(snapshot):
    tables, config, folder = snapshot
    manifest, written = Manifest.read(folder), (folder / FILE).stat().st_mtime_ns
    assert export_snapshot(tables, config, "tiny") == folder
    assert (folder / FILE).stat().st_mtime_ns == written

    (folder / FILE).unlink()
    (folder / "train" / "shard=7").mkdir()
    (folder / manifest.train[0].path).rename(folder / "train" / "shard=7" / "rest.parquet")
    assert export_snapshot(tables, config, "tiny") == folder
    again = Manifest.read(folder)
    assert [file.rows for file in again.train] == [file.rows for file in manifest.train]
    assert not (folder / "train" / "shard=7").exists()


def test_other_settings_make_another_snapshot_and_bound_the_test(snapshot):
    tables, config, folder = snapshot
    other = load_config(overrides=[f"output={config.output}", "seed=1", "evaluation.max_companies=3"])
    another = export_snapshot(tables, other, "tiny")
    assert another != folder
    assert (folder / FILE).exists()
    rows = read(another, Manifest.read(another).test)
    assert rows["regime"].value_counts().to_dict() == {"warm": 3, "cold": 3}
    assert rows["company_idx"].is_unique


def test_the_newest_cannot_be_hidden_where_no_time_is_known(snapshot):
    tables, config, _ = snapshot
    with pytest.raises(DataError) as caught:
        export_snapshot(tables, load_config(overrides=[f"output={config.output}", "split.hide=newest"]), "tiny")
    assert str(caught.value) == (
        "table company_product has interactions without observed_at, and split.hide is newest: run build_matrix "
        "again with these settings"
    )


def test_an_encoder_without_vectors_is_told(snapshot):
    tables, config, _ = snapshot
    with pytest.raises(DataError) as caught:
        export_snapshot(tables, config, "bert")
    assert str(caught.value) == (
        "table text_embeddings has no vector by encoder bert: run embed_companies with these settings"
    )


def test_a_snapshot_of_companies_as_they_were_is_not_taken_for_one_of_today(snapshot):
    tables, config, _ = snapshot
    tables.overwrite("companies", tables.read("companies", "x").drop("description"))
    with pytest.raises(DataError, match=r"^table companies lacks the text column description; found "):
        export_snapshot(tables, config, "tiny")


def test_tables_of_different_runs_are_refused(spark, snapshot):
    tables, config, _ = snapshot
    tables.overwrite("product_vocab", tables.read("product_vocab", "x"), schemas.PRODUCT_VOCAB, "run 2")
    with pytest.raises(DataError, match=r"come from different runs of build_matrix: run build_matrix again$"):
        export_snapshot(tables, config, "tiny")
