"""One text vector for each company, made of the vectors of its sources, and how long these are."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from hcf_spark.text.sources import CONCATENATE, combined_sources


def build_text_vectors(
    text_embeddings: DataFrame, encoder_id: str, columns: Sequence[str], combine: str, dimension: int
) -> DataFrame:
    """One vector for each company; lazy. A company without a vector in any of the sources is not in the result.

    Args:
        text_embeddings: the table of that name.
        encoder_id: vectors of other encoders are left out.
        columns: the text columns.
        combine: ``mean`` of the sources that a company has; ``concatenate``: all side by side, zeros for one that it
            has not; both at unit length. Or the name of one source, whose vectors are passed on as they are.
        dimension: D of the encoder.

    Returns:
        company_id (unique), embedding.
    """
    sources = combined_sources(columns, combine)
    chosen = _choose(text_embeddings, encoder_id, sources)
    if len(sources) == 1:
        return chosen.select("company_id", "embedding")
    if combine == CONCATENATE:
        nothing = F.array_repeat(F.lit(0.0), dimension)
        parts = [F.max(F.when(F.col("source") == source, F.col("embedding"))) for source in sources]
        joined = F.concat(*[F.coalesce(part.cast("array<double>"), nothing) for part in parts])
        return _at_unit_length(chosen.groupBy("company_id").agg(joined.alias("total")))
    vectors = F.array_sort(F.collect_list(F.struct("source", "embedding")))["embedding"]
    total = F.aggregate(
        F.slice("vectors", 2, F.size("vectors")),
        F.col("vectors")[0].cast("array<double>"),
        lambda total, vector: F.zip_with(total, vector, lambda a, b: a + b),
    )
    return _at_unit_length(
        chosen.groupBy("company_id").agg(vectors.alias("vectors")).select("company_id", total.alias("total"))
    )


def build_text_lengths(text_embeddings: DataFrame, encoder_id: str, columns: Sequence[str], combine: str) -> DataFrame:
    """Tokens of the sources that a company's text vector is made of; lazy. The arguments are ``build_text_vectors``'.

    Returns:
        company_id (unique), n_tokens.
    """
    chosen = _choose(text_embeddings, encoder_id, combined_sources(columns, combine))
    return chosen.groupBy("company_id").agg(F.sum("n_tokens").alias("n_tokens"))


def _choose(text_embeddings: DataFrame, encoder_id: str, sources: Sequence[str]) -> DataFrame:
    return text_embeddings.where((F.col("encoder_id") == encoder_id) & F.col("source").isin(*sources))


def _at_unit_length(totals: DataFrame) -> DataFrame:
    length: Column = F.sqrt(F.aggregate("total", F.lit(0.0), lambda squares, value: squares + value * value))
    scaled = F.transform("total", lambda value: value / F.col("length")).cast("array<float>")
    return totals.withColumn("length", F.greatest(length, F.lit(1e-12))).select("company_id", scaled.alias("embedding"))
