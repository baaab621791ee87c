"""What sets a community apart: the terms (products, words) that its companies have more often than others."""

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W

_NO_LETTER = r"[^\p{L}]+"
_SHORTEST_WORD = 3


def build_words(companies: DataFrame, text_columns: Sequence[str]) -> DataFrame:
    """The words of each company's texts.

    Args:
        companies: company_id, the text columns.
        text_columns: their names.

    Returns:
        company_id, term: lower-case words of three letters or more, each once per company. Lazy.
    """
    text = F.lower(F.concat_ws(" ", *[F.col(f"`{column}`").cast("string") for column in text_columns]))
    words = companies.select("company_id", F.explode(F.array_distinct(F.split(text, _NO_LETTER))).alias("term"))
    return words.where(F.length("term") >= _SHORTEST_WORD)


def build_top_terms(terms: DataFrame, communities: DataFrame, n_companies: int, top_k: int) -> DataFrame:
    """The terms that tell most of each community.

    A term's share is that of the companies that have it, its lift the share in the community by the share in all. Terms
    are ranked by share x log(lift), their part of the Kullback-Leibler divergence of the community from the whole: what
    is common everywhere has no lift, what is rare has no share. Only terms of lift above 1 are taken.

    Args:
        terms: company_id, term, no pair twice.
        communities: company_id, community, size.
        n_companies: number of companies in ``communities``.
        top_k: terms for each community, at most.

    Returns:
        community, term, share, lift, rank (from 1). Lazy.
    """
    counted = terms.join(communities, "company_id").groupBy("community", "size", "term").agg(F.count("*").alias("n"))
    everywhere = F.sum("n").over(W.partitionBy("term")) / n_companies
    shares = counted.withColumn("share", F.col("n") / F.col("size")).withColumn("lift", F.col("share") / everywhere)
    best = W.partitionBy("community").orderBy(F.desc(F.col("share") * F.log("lift")), "term")
    ranked = shares.where(F.col("lift") > 1).withColumn("rank", F.row_number().over(best))
    return ranked.where(F.col("rank") <= top_k).select("community", "term", "share", "lift", "rank")
