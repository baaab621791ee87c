"""The companies with the texts that are to be encoded: as they are, or with the names of products masked."""

from collections.abc import Callable, Iterator, Sequence

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from hcf_spark.config import Config
from hcf_spark.spark.checks import check_companies, filter_where
from hcf_spark.spark.tables import Tables


def read_company_texts(tables: Tables, config: Config) -> DataFrame:
    """The sound companies, chosen by ``input.companies_where``; lazy, but for the names, which are collected.

    Raises:
        ConfigError: a condition is no SQL on the table's columns.
        DataError: a table is missing, or ``company_id`` or ``name`` in it.
    """
    companies = tables.read("companies", "you or load_tables")
    chosen = filter_where(companies, "input.companies_where", config.input.companies_where)
    good = check_companies(chosen).good
    if not config.text.mask_product_names:
        return good
    products = tables.read("products", "you or load_tables")
    products = filter_where(products, "input.products_where", config.input.products_where)
    names = products.where(F.col("name").isNotNull()).select("name").distinct().toPandas()["name"].tolist()
    return with_masked_names(good, config.text.columns, sorted(names))


def with_masked_names(companies: DataFrame, columns: Sequence[str], names: Sequence[str]) -> DataFrame:
    """Names in the text columns replaced (``text.masking.NameMask``), so that masked texts have other hashes; lazy.

    Args:
        companies: any columns.
        columns: names of the text columns; those that are missing or hold no strings are left to whoever reads them.
        names: to be masked.

    Returns:
        The same columns.
    """
    masked_udf = F.pandas_udf(make_mask_fn(names), "string")
    texts = {
        field.name
        for field in companies.schema
        if field.name in columns and field.dataType.typeName() in ("string", "varchar", "char")
    }
    quoted = {name: F.col("`" + name.replace("`", "``") + "`") for name in companies.columns}
    return companies.select(
        *[
            masked_udf(F.make_valid_utf8(column)).alias(name) if name in texts else column
            for name, column in quoted.items()
        ]
    )


def make_mask_fn(names: Sequence[str]) -> Callable[[Iterator[pd.Series]], Iterator[pd.Series]]:
    """Worker code: texts in, texts without the names out; null stays null."""

    def mask(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        from hcf_spark.text.masking import NameMask

        name_mask = NameMask(names)
        for texts in batches:
            yield texts.map(name_mask.apply, na_action="ignore")

    return mask
