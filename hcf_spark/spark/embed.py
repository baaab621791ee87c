"""Stage 1: company texts to vectors. Identical text is encoded once, and only text that is new or has changed."""

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import pandas as pd
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from hcf_spark.errors import DataError
from hcf_spark.spark.schemas import TEXT_EMBEDDINGS
from hcf_spark.spark.tables import Tables

if TYPE_CHECKING:
    from hcf_spark.text.spec import EncoderSpec

logger = logging.getLogger(__name__)

_TABLE = "text_embeddings"
_KEYS = ("company_id", "source", "encoder_id")
ENCODED = T.StructType([TEXT_EMBEDDINGS[name] for name in ("text_hash", "embedding", "n_tokens", "n_windows")])

_BLANKS = "".join(chr(code) for code in range(0x10000) if chr(code).isspace())
_TASKS_PER_CORE = 3
_CHARACTERS_PER_TASK = 200_000
_CHARACTERS_AT_ONCE = 2_000_000

_NOTHING_DONE = Row(n_texts=0, n_tokens=0)

EncodeFn = Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]


@dataclass(frozen=True)
class EmbedCounts:
    """What a run of stage 1 did.

    Attributes:
        n_texts: (company, source) pairs that have a text.
        n_distinct: different texts among them.
        n_encoded: texts that went through the model.
        n_reused: texts whose vector was there already, or is that of an identical text; ``n_texts - n_encoded``.
        n_deleted: stored vectors whose company has no text in that source any more.
        n_tokens: tokens of the texts that went through the model.
        seconds: of the whole stage.
    """

    n_texts: int
    n_distinct: int
    n_encoded: int
    n_reused: int
    n_deleted: int
    n_tokens: int
    seconds: float


def embed_companies(tables: Tables, companies: DataFrame, columns: Sequence[str], spec: "EncoderSpec") -> EmbedCounts:
    """Bring the table ``text_embeddings`` up to date with the companies' texts, in one commit; runs jobs.

    Rows of other encoders, and of sources that are not among ``columns``, stay as they are. Where there is nothing to
    do, no model is loaded and the table gets no new version. A run that is killed leaves the table as it was.

    Args:
        tables: where ``text_embeddings`` is.
        companies: company_id (not null, unique) and the text columns.
        columns: names of the text columns; each is a source of its own.
        spec: the encoder.

    Raises:
        DataError: a text column is missing or no string; or no company has a text.
    """
    start = time.perf_counter()
    texts = select_texts(companies, columns)
    stored = _read_stored(tables, companies.sparkSession, spec.encoder_id)
    work = _compare(texts, stored.where(F.col("source").isin(*columns))).head()
    if not work.n_texts:
        raise DataError(
            f"table companies: no company has a text in {', '.join(columns)}; fill it, or set text.columns to others"
        )
    done = _update(tables, texts, stored, columns, spec, work) if work.n_pending or work.n_stale else _NOTHING_DONE
    counts = EmbedCounts(
        n_texts=work.n_texts,
        n_distinct=work.n_distinct,
        n_encoded=done.n_texts,
        n_reused=work.n_texts - done.n_texts,
        n_deleted=work.n_stale,
        n_tokens=done.n_tokens,
        seconds=time.perf_counter() - start,
    )
    logger.info(
        "text vectors of %s: %s texts, %s encoded (%s tokens), %s reused, %s deleted, in %.1f s",
        spec.encoder_id, f"{counts.n_texts:,}", f"{counts.n_encoded:,}", f"{counts.n_tokens:,}", f"{counts.n_reused:,}",
        f"{counts.n_deleted:,}", counts.seconds,
    )  # fmt: skip
    return counts


def select_texts(companies: DataFrame, columns: Sequence[str]) -> DataFrame:
    """Texts that are neither null nor blank, in long form; lazy.

    Args:
        companies: company_id and the text columns.
        columns: names of the text columns.

    Returns:
        company_id, source (the column's name), text, text_hash (SHA-256, hexadecimal).

    Raises:
        DataError: a text column is missing or not of type string.
    """
    types = {field.name: field.dataType for field in companies.schema}
    for column in columns:
        if column not in types:
            raise DataError(
                f"table companies lacks the text column {column}; found {', '.join(types)}: "
                "set text.columns to those that hold text"
            )
        if not isinstance(types[column], T.StringType | T.VarcharType | T.CharType):
            raise DataError(
                f"table companies: the text column {column} is of type {types[column].simpleString()}, not string; "
                "cast it or take it out of text.columns"
            )
    values = [F.col(_quoted(column)) for column in dict.fromkeys(columns)]
    return (
        companies.unpivot("company_id", values, "source", "text")
        .where(F.trim("text", F.lit(_BLANKS)) != "")
        .select("company_id", "source", "text", F.sha2("text", 256).alias("text_hash"))
    )


def filter_pending(texts: DataFrame, embedded: DataFrame, encoder_id: str) -> DataFrame:
    """Texts that ``embedded`` has no vector for: new, changed, or known to other encoders only; lazy.

    Args:
        texts: company_id, source, text, text_hash.
        embedded: company_id, source, text_hash, encoder_id, and any others.
        encoder_id: the encoder in question.

    Returns:
        The columns of ``texts``.
    """
    known = embedded.where(F.col("encoder_id") == encoder_id)
    return texts.join(known, ["company_id", "source", "text_hash"], "left_anti").select(*texts.columns)


def select_new_texts(pending: DataFrame, embedded: DataFrame) -> DataFrame:
    """Different texts that no company's vector stands for yet; lazy.

    Args:
        pending: text, text_hash, and any others.
        embedded: text_hash, and any others; vectors of one encoder only.

    Returns:
        text_hash (unique), text.
    """
    return pending.dropDuplicates(["text_hash"]).join(embedded, "text_hash", "left_anti").select("text_hash", "text")


def encode_texts(distinct_texts: DataFrame, spec: "EncoderSpec") -> DataFrame:
    """The texts' vectors; lazy. Each task that has a row loads the model once.

    Args:
        distinct_texts: text_hash (unique), text (not blank).
        spec: the encoder.

    Returns:
        text_hash, embedding (unit length), n_tokens, n_windows.
    """
    return distinct_texts.select("text_hash", "text").mapInPandas(make_encode_fn(spec), ENCODED)


def make_encode_fn(spec: "EncoderSpec") -> EncodeFn:
    """The worker's side of ``encode_texts``: Arrow batches of (text_hash, text) in, of ``ENCODED`` out."""

    def encode(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # else each task's tokenizer takes all cores
        encoder = None
        for batch in batches:
            if encoder is None:
                from hcf_spark.text.encoder import Encoder

                encoder = Encoder(spec)
            for _, part in batch.groupby(batch["text"].str.len().cumsum() // _CHARACTERS_AT_ONCE):
                encoded = encoder.encode(part["text"].tolist())
                yield pd.DataFrame(
                    {
                        "text_hash": part["text_hash"],
                        "embedding": list(encoded.vectors),
                        "n_tokens": encoded.n_tokens,
                        "n_windows": encoded.n_windows,
                    }
                )

    return encode


def with_embeddings(texts: DataFrame, encoded: DataFrame, encoder_id: str) -> DataFrame:
    """Each text with the vector of its hash; lazy. A text whose hash is not in ``encoded`` is left out.

    Args:
        texts: company_id, source, text_hash, and any others.
        encoded: text_hash (unique), embedding, n_tokens, n_windows.
        encoder_id: what made the vectors.

    Returns:
        The columns of ``text_embeddings``.
    """
    return texts.join(encoded, "text_hash").withColumn("encoder_id", F.lit(encoder_id)).select(*TEXT_EMBEDDINGS.names)


def build_text_vectors(text_embeddings: DataFrame, encoder_id: str, sources: Sequence[str]) -> DataFrame:
    """One vector for each company: the mean of its sources' unit vectors, scaled to unit length; lazy.

    A company without one of the sources has the mean of the others, one without any is not in the result.

    Args:
        text_embeddings: the table of that name.
        encoder_id: vectors of other encoders are left out.
        sources: as are those of other sources. With one source its vectors are passed on as they are.

    Returns:
        company_id (unique), embedding.
    """
    chosen = text_embeddings.where((F.col("encoder_id") == encoder_id) & F.col("source").isin(*sources))
    if len(sources) == 1:
        return chosen.select("company_id", "embedding")
    vectors = F.array_sort(F.collect_list(F.struct("source", "embedding")))["embedding"]
    total = F.aggregate(
        F.slice("vectors", 2, F.size("vectors")),
        F.col("vectors")[0].cast("array<double>"),
        lambda total, vector: F.zip_with(total, vector, lambda a, b: a + b),
    )
    length = F.sqrt(F.aggregate("total", F.lit(0.0), lambda sum_of_squares, value: sum_of_squares + value * value))
    return (
        chosen.groupBy("company_id")
        .agg(vectors.alias("vectors"))
        .withColumn("total", total)
        .withColumn("length", F.greatest(length, F.lit(1e-12)))
        .select(
            "company_id",
            F.transform("total", lambda value: value / F.col("length")).cast("array<float>").alias("embedding"),
        )
    )


def _read_stored(tables: Tables, spark: SparkSession, encoder_id: str) -> DataFrame:
    """Rows of ``text_embeddings`` that this encoder made; none if there is no such table yet."""
    if not tables.exists(_TABLE):
        return spark.createDataFrame([], TEXT_EMBEDDINGS)
    return tables.read(_TABLE, "embed_companies").where(F.col("encoder_id") == encoder_id)


def _compare(texts: DataFrame, stored: DataFrame) -> DataFrame:
    """One row: n_texts, n_distinct, n_pending (new or changed) and n_stale (stored, but no text any more); lazy."""
    wanted, there = F.col("text_hash"), F.col("stored_hash")
    return (
        texts.select("company_id", "source", "text_hash")
        .join(
            stored.select("company_id", "source", F.col("text_hash").alias("stored_hash")),
            ["company_id", "source"],
            "full_outer",
        )
        .select(
            F.count(wanted).alias("n_texts"),
            F.count_distinct(wanted).alias("n_distinct"),
            F.count_if(wanted.isNotNull() & ~wanted.eqNullSafe(there)).alias("n_pending"),
            F.count_if(wanted.isNull()).alias("n_stale"),
        )
    )


def _update(
    tables: Tables, texts: DataFrame, stored: DataFrame, columns: Sequence[str], spec: "EncoderSpec", work: Row
) -> Row:
    """Encode what is new and merge it; returns n_texts and n_tokens that went through the model.

    The vectors are checkpointed, since a merge reads its rows more than once and may be tried again. A merge that
    deletes has to be given all texts, since it deletes what they do not name; another one only the pending ones.
    """
    pending = filter_pending(texts, stored, spec.encoder_id)
    new = select_new_texts(pending, stored)
    amount = new.agg(F.count("text").alias("n_texts"), F.sum(F.length("text")).alias("n_characters")).head()
    logger.info(
        "%s texts, %s of them different: %s new or changed, %s to encode, %s to delete",
        f"{work.n_texts:,}", f"{work.n_distinct:,}", f"{work.n_pending:,}", f"{amount.n_texts:,}", f"{work.n_stale:,}",
    )  # fmt: skip
    start = time.perf_counter()
    spread = new.repartition(_n_partitions(new.sparkSession, amount), "text_hash").sortWithinPartitions("text_hash")
    encoded = encode_texts(spread, spec).localCheckpoint()
    done = encoded.agg(
        F.count("text_hash").alias("n_texts"), F.coalesce(F.sum("n_tokens"), F.lit(0)).alias("n_tokens")
    ).head()
    logger.info(
        "%s texts with %s tokens encoded in %.1f s; writing",
        f"{done.n_texts:,}", f"{done.n_tokens:,}", time.perf_counter() - start,
    )  # fmt: skip
    written = texts if work.n_stale else pending
    known = stored.join(written, "text_hash", "left_semi").dropDuplicates(["text_hash"]).select(*ENCODED.names)
    rows = with_embeddings(written, encoded.unionByName(known), spec.encoder_id)
    stale = _stale_condition(spec.encoder_id, columns) if work.n_stale else None
    tables.merge(_TABLE, rows, TEXT_EMBEDDINGS, _KEYS, stale)
    return done


def _n_partitions(spark: SparkSession, amount: Row) -> int:
    """A few tasks for each core, where there is work for them: each loads the model."""
    cores = spark.range(10_000).select(F.spark_partition_id()).distinct().count()
    worthwhile = ceil((amount.n_characters or 0) / _CHARACTERS_PER_TASK)
    return max(1, min(_TASKS_PER_CORE * cores, worthwhile, amount.n_texts))


def _stale_condition(encoder_id: str, columns: Sequence[str]) -> str:
    sources = ", ".join(_literal(column) for column in columns)
    return f"target.encoder_id = {_literal(encoder_id)} AND target.source IN ({sources})"


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _quoted(column: str) -> str:
    return "`" + column.replace("`", "``") + "`"
