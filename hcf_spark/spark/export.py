"""The Parquet snapshot that training and evaluation read, made from matrix, split, text vectors and words."""

import hashlib
import json
import logging
import shutil
from pathlib import Path

import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from hcf_spark import __version__
from hcf_spark.config import Config
from hcf_spark.errors import DataError
from hcf_spark.spark import split
from hcf_spark.spark.company_texts import read_company_texts
from hcf_spark.spark.draws import uniform
from hcf_spark.spark.interactions import MATRIX_TABLES
from hcf_spark.spark.tables import Tables
from hcf_spark.spark.text_vectors import build_text_lengths, build_text_vectors
from hcf_spark.spark.word_counts import build_word_counts
from hcf_spark.text.sources import combined_dimension, combined_sources
from hcf_spark.train.manifest import FILE, PADDING, DataFile, Manifest

logger = logging.getLogger(__name__)

_ROWS_PER_FILE = 20_000
_READ = (*MATRIX_TABLES, "text_embeddings")
_WORDS = ("word_ids", "word_counts")


def export_snapshot(tables: Tables, config: Config, encoder_id: str) -> Path:
    """Write the snapshot, or find the one that the same tables and settings gave before; runs jobs.

    Returns:
        Its folder, with a manifest.

    Raises:
        ConfigError: a condition on input rows is no SQL on the table's columns.
        DataError: tables are missing or do not belong together, a text column is missing, no company of the matrix has
            text by this encoder, or the newest interactions are to be hidden and it is not known when all of them were
            observed.
    """
    build = tables.require_same_stamp(MATRIX_TABLES, "build_matrix")
    embeddings = tables.read("text_embeddings", "embed_companies").where(F.col("encoder_id") == encoder_id)
    first = embeddings.select(F.size("embedding")).head()
    if first is None:
        raise DataError(
            f"table text_embeddings has no vector by encoder {encoder_id}: run embed_companies with these settings"
        )
    versions = {name: tables.version(name) for name in _READ}
    identity = {
        "code": __version__,
        "matrix": build,
        "text": [encoder_id, versions["text_embeddings"], tables.input_version("companies")],
        "settings": config.model_dump(
            include={"text": {"columns", "combine", "mask_product_names"}, "split": True, "seed": True}
        ),
        "max_companies": config.evaluation.max_companies,
        "processes": config.train.processes,
    }
    snapshot_id = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    folder = Path(config.output).absolute() / "snapshots" / snapshot_id
    if (folder / FILE).exists():
        logger.info("snapshot %s is there already", snapshot_id)
        return folder
    shutil.rmtree(folder, ignore_errors=True)

    companies = tables.read("company_vocab", "build_matrix")
    interactions = tables.read("company_product", "build_matrix")
    if config.split.hide == "newest" and interactions.where(F.col("observed_at").isNull()).head() is not None:
        raise DataError(
            "table company_product has interactions without observed_at, and split.hide is newest: run build_matrix "
            "again with these settings"
        )
    cells = split.with_part(
        interactions,
        companies.select("company_idx", "company_id", "held_out", "alike"),
        tables.read("product_vocab", "build_matrix").select("product_idx", "product_id"),
        config.split,
        config.seed,
    )
    columns, combine = config.text.columns, config.text.combine
    dimension = combined_dimension(first[0], columns, combine)
    text = with_text(companies, build_text_vectors(embeddings, encoder_id, columns, combine, first[0]), dimension)
    lengths = build_text_lengths(embeddings, encoder_id, columns, combine)
    text = text.join(lengths, "company_id", "left").withColumn("n_tokens", F.coalesce("n_tokens", F.lit(0)))
    words = build_word_counts(read_company_texts(tables, config), combined_sources(columns, combine))
    text = with_words(text, _keep(words, folder / "words"))
    rows = build_company_rows(cells).join(text.select("company_idx", "text", "n_tokens", *_WORDS), "company_idx")
    _write_train(rows, folder, config.train.processes)
    _write_test(rows, folder, config)
    shutil.rmtree(folder / "words")
    train = _list_files(folder, "train")
    Manifest(
        snapshot_id=snapshot_id,
        n_companies=sum(file.rows for file in train),
        n_products=tables.read("product_vocab", "build_matrix").count(),
        text_dimension=dimension,
        encoder_id=encoder_id,
        seed=config.seed,
        train=train,
        test=_list_files(folder, "test"),
        table_versions=versions,
    ).write(folder)
    return folder


def with_text(companies: DataFrame, vectors: DataFrame, dimension: int) -> DataFrame:
    """Add ``text`` to companies: the vector of (company_id, embedding), zeros where there is none. Lazy."""
    nothing = F.array_repeat(F.lit(0.0).cast("float"), dimension)
    joined = companies.join(vectors.select("company_id", F.col("embedding").alias("text")), "company_id", "left")
    return joined.withColumn("text", F.coalesce("text", nothing))


def _keep(words: DataFrame, folder: Path) -> DataFrame:
    """The words as read from ``folder``, so that they are counted once; runs a job."""
    words.write.parquet(str(folder))
    return words.sparkSession.read.parquet(str(folder))


def with_words(companies: DataFrame, words: DataFrame) -> DataFrame:
    """Add word_ids and word_counts to companies: those of (company_id, word_ids, word_counts), else none. Lazy."""
    joined = companies.join(words, "company_id", "left")
    return joined.withColumns({name: F.coalesce(name, F.array()) for name in _WORDS})


def build_company_rows(cells: DataFrame) -> DataFrame:
    """One row per company with its products by part.

    Args:
        cells: company_idx, product_idx, part.

    Returns:
        company_idx, and a sorted list of product_idx for each part, empty where there is none. Lazy.
    """
    parts = (split.TRAIN, split.VALID_WARM, split.VALID_COLD, split.TEST_WARM, split.TEST_COLD)
    return cells.groupBy("company_idx").agg(*[_products_of(part).alias(part) for part in parts])


def _products_of(part: str) -> Column:
    return F.sort_array(F.collect_list(F.when(F.col(split.PART) == part, F.col("product_idx").cast("int"))))


def _write_train(rows: DataFrame, folder: Path, processes: int) -> None:
    seen = rows.where(F.size(split.TEST_COLD) == 0).select(
        "company_idx",
        (F.size(split.VALID_COLD) > 0).alias("validation_cold"),
        "text",
        F.col(split.TRAIN).alias("known"),
        F.concat(split.VALID_WARM, split.VALID_COLD).alias("held"),
        *_WORDS,
    )
    count, known, held = seen.agg(F.count(F.lit(1)), F.max(F.size("known")), F.max(F.size("held"))).head()
    shards = processes * max(1, -(-count // (processes * _ROWS_PER_FILE)))
    (
        seen.withColumn("known", _padded("known", known))
        .withColumn("held", _padded("held", held))
        .withColumn("shard", F.pmod("company_idx", F.lit(shards)))
        .repartition(shards, "shard")
        .sortWithinPartitions("shard", "company_idx")
        .write.mode("overwrite")
        .partitionBy("shard")
        .parquet(str(folder / "train"))
    )


def _padded(column: str, width: int) -> Column:
    """A list at a fixed length (at least 1), since ragged ones do not become tensors."""
    padding = F.array_repeat(F.lit(PADDING), max(width, 1))
    return F.slice(F.concat(column, padding), 1, max(width, 1))


def _write_test(rows: DataFrame, folder: Path, config: Config) -> None:
    warm = rows.where(F.size(split.TEST_WARM) > 0).select(
        "company_idx", F.lit("warm").alias("regime"), "text", "n_tokens", *_WORDS,
        F.sort_array(F.concat(split.TRAIN, split.VALID_WARM, split.VALID_COLD)).alias("known"),
        F.col(split.TEST_WARM).alias("hidden"),
    )  # fmt: skip
    cold = rows.where(F.size(split.TEST_COLD) > 0).select(
        "company_idx", F.lit("cold").alias("regime"), "text", "n_tokens", *_WORDS,
        F.slice(split.TRAIN, 1, 0).alias("known"), F.col(split.TEST_COLD).alias("hidden"),
    )  # fmt: skip
    drawn = uniform(config.seed, "judged", F.col("company_idx"))
    limit = config.evaluation.max_companies
    judged = [regime.orderBy(drawn, "company_idx").limit(limit) for regime in (warm, cold)]
    judged[0].unionByName(judged[1]).orderBy("regime", "company_idx").write.mode("overwrite").parquet(
        str(folder / "test")
    )


def _list_files(folder: Path, part: str) -> tuple[DataFile, ...]:
    paths = sorted((folder / part).rglob("*.parquet"))
    files = [DataFile(str(path.relative_to(folder)), pq.ParquetFile(path).metadata.num_rows) for path in paths]
    if not files:
        raise DataError(
            f"Spark wrote no file that is seen here to {folder / part}: set output to a path all nodes share"
        )
    return tuple(file for file in files if file.rows)
