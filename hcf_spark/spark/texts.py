"""The companies' texts in long form, and which of them have no vector yet. All lazy."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from hcf_spark.errors import DataError
from hcf_spark.spark.schemas import TEXT_EMBEDDINGS

_BLANKS = "".join(chr(code) for code in range(0x10000) if chr(code).isspace())


def select_texts(companies: DataFrame, columns: Sequence[str]) -> DataFrame:
    """Texts that are neither null nor blank, in long form; lazy.

    Bytes that are no UTF-8, such as lone surrogates, become U+FFFD, since nothing behind Spark can read them.

    Args:
        companies: company_id and the text columns.
        columns: names of the text columns.

    Returns:
        company_id, source (the column's name), text, text_hash (SHA-256, hexadecimal).

    Raises:
        DataError: a text column is missing or not of type string.
    """
    values = _text_values(companies, columns)
    return (
        companies.select("company_id", *[value.alias(column) for column, value in values.items()])
        .unpivot("company_id", [_quoted(column) for column in values], "source", "text")
        .where(F.trim("text", F.lit(_BLANKS)) != "")
        .select("company_id", "source", "text", F.sha2("text", 256).alias("text_hash"))
    )


def join_texts(companies: DataFrame, columns: Sequence[str]) -> DataFrame:
    """All texts of each company in one, in the columns' order; lazy. A company without text is not in the result.

    Args:
        companies: company_id and the text columns.
        columns: names of the text columns.

    Returns:
        company_id, texts.

    Raises:
        DataError: a text column is missing or not of type string.
    """
    texts = F.concat_ws(" ", *_text_values(companies, columns).values())
    return companies.select("company_id", texts.alias("texts")).where(F.trim("texts", F.lit(_BLANKS)) != "")


def _text_values(companies: DataFrame, columns: Sequence[str]) -> dict[str, Column]:
    """The text columns by name, with bytes that are no UTF-8 replaced."""
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
    return {column: F.make_valid_utf8(_quoted(column)) for column in columns}


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


def select_stale(texts: DataFrame, embedded: DataFrame, columns: Sequence[str]) -> DataFrame:
    """Keys of vectors whose company has no text in that source any more; lazy.

    Args:
        texts: company_id, source, and any others.
        embedded: company_id, source, encoder_id, and any others.
        columns: sources; vectors of others are left alone.

    Returns:
        company_id, source, encoder_id.
    """
    ours = embedded.where(F.col("source").isin(*columns)).select("company_id", "source", "encoder_id")
    return ours.join(texts, ["company_id", "source"], "left_anti")


def compare_texts(texts: DataFrame, embedded: DataFrame) -> DataFrame:
    """One row: n_texts, n_distinct, n_pending (new or changed) and n_stale (embedded, but no text any more); lazy.

    Args:
        texts: company_id, source, text_hash, and any others.
        embedded: the same, of one encoder, and of the sources in question only.
    """
    wanted, there = F.col("text_hash"), F.col("stored_hash")
    return (
        texts.select("company_id", "source", "text_hash")
        .join(
            embedded.select("company_id", "source", F.col("text_hash").alias("stored_hash")),
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


def _quoted(column: str) -> str:
    return "`" + column.replace("`", "``") + "`"
