"""The words of the companies' texts, counted by hash."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from hcf_spark.spark.texts import join_texts

_WORDS = "word_ids array<int>, word_counts array<float>"


def build_word_counts(companies: DataFrame, sources: Sequence[str]) -> DataFrame:
    """The words of all texts of each company; lazy. A company without text is not in the result.

    Args:
        companies: company_id (unique) and the text columns.
        sources: names of the text columns.

    Returns:
        company_id, word_ids (ascending, of ``text.words.count_words``), word_counts.

    Raises:
        DataError: a text column is missing or not of type string.
    """
    count_udf = F.pandas_udf(make_count_fn(), _WORDS)
    words = join_texts(companies, sources).select("company_id", count_udf("texts").alias("words"))
    return words.select("company_id", "words.*")


def make_count_fn() -> Callable[[Iterator[pd.Series]], Iterator[pd.DataFrame]]:
    """Worker code: texts in, the ids of their words and how often each is there out."""

    def count(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        from hcf_spark.text.words import count_words

        for texts in batches:
            counts = count_words(texts)
            words, times = (np.split(values, counts.indptr[1:-1]) for values in (counts.indices, counts.data))
            yield pd.DataFrame({"word_ids": words, "word_counts": times})

    return count
