"""Checks of the user's tables: each row passes, or goes to quarantine with the first rule it breaks."""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W

from hcf_spark.errors import ConfigError, DataError
from hcf_spark.spark import schemas
from hcf_spark.spark.tables import Tables

logger = logging.getLogger(__name__)

_RULE = "_rule"
_CONTENT = "_content"
_KEYS_SHOWN = 5
_KEY_CHARACTERS = 100

Rule = tuple[str, Column]


@dataclass(frozen=True)
class Checked:
    """All rows, those that passed, and the others as (key, rule, row as JSON). All lazy."""

    rows: DataFrame
    good: DataFrame
    bad: DataFrame


def require_columns(frame: DataFrame, table: str, columns: Sequence[str]) -> None:
    """Raises DataError if a column is missing."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise DataError(f"table {table} lacks the column {', '.join(missing)}; found {', '.join(frame.columns)}")


def filter_where(frame: DataFrame, setting: str, condition: str | None) -> DataFrame:
    """Rows for which ``condition`` (Spark SQL) holds; lazy.

    Raises:
        ConfigError: the condition is no SQL, or names a column that is not there.
    """
    if condition is None:
        return frame
    try:
        chosen = frame.where(condition)
        _ = chosen.schema
    except AnalysisException as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(
            f"{setting}: {condition!r} is no condition on columns {', '.join(frame.columns)}: {reason}"
        ) from error
    return chosen


def check_companies(companies: DataFrame) -> Checked:
    """One row per company, ``company_id`` as string; lazy.

    Raises:
        DataError: ``company_id`` or ``name`` is missing.
    """
    return _check_entities(companies, "companies", "company_id")


def check_products(products: DataFrame) -> Checked:
    """One row per product, ``product_id`` as string, ``category`` added (null) if missing; lazy.

    Raises:
        DataError: ``product_id`` or ``name`` is missing.
    """
    checked = _check_entities(products, "products", "product_id")
    if "category" in products.columns:
        return checked
    return replace(checked, good=checked.good.withColumn("category", F.lit(None).cast("string")))


def check_usage(usage: DataFrame, company_ids: DataFrame, product_ids: DataFrame, need_time: bool = False) -> Checked:
    """One row per pair of a known company and a known product; lazy.

    The sound rows are (company_id, product_id, weight double, observed_at timestamp).

    Args:
        usage: company_id, product_id, weight (1 where null or missing), observed_at (null where missing), any others.
        company_ids: company_id of every known company, distinct.
        product_ids: product_id of every known product, distinct.
        need_time: a row without ``observed_at`` is bad.

    Raises:
        DataError: ``company_id`` or ``product_id`` is missing, or ``observed_at`` where it is needed.
    """
    require_columns(usage, "usage", ["company_id", "product_id", *(["observed_at"] if need_time else [])])
    weight = F.col("weight").try_cast("double") if "weight" in usage.columns else F.lit(1.0)
    given = F.col("weight").isNotNull() if "weight" in usage.columns else F.lit(True)
    rows = (
        usage.withColumn(_CONTENT, _as_json(usage.columns))
        .withColumn("company_id", F.col("company_id").cast("string"))
        .withColumn("product_id", F.col("product_id").cast("string"))
        .withColumn("_weight", F.when(given, weight).otherwise(1.0))
        .withColumn("observed_at", _time_of(usage))
        .join(company_ids.select("company_id", F.lit(True).alias("_company")), "company_id", "left")
        .join(product_ids.select("product_id", F.lit(True).alias("_product")), "product_id", "left")
    )
    finite = F.col("_weight").isNotNull() & ~F.isnan("_weight") & (F.abs("_weight") != float("inf"))
    rules: list[Rule] = [
        ("company_id is null or empty", _is_blank("company_id")),
        ("product_id is null or empty", _is_blank("product_id")),
        ("weight is not a finite number above 0", ~finite | (F.col("_weight") <= 0)),
        ("observed_at is not a time (split.hide is newest)", F.col("observed_at").isNull() & F.lit(need_time)),
        ("company_id is not in companies", F.col("_company").isNull()),
        ("product_id is not in products", F.col("_product").isNull()),
    ]
    rows = rows.withColumn(_RULE, _first_rule(rules))
    rows = _with_duplicate_rule(rows, ["company_id", "product_id"])
    good = rows.where(F.col(_RULE).isNull()).select(
        "company_id", "product_id", F.col("_weight").alias("weight"), "observed_at"
    )
    return Checked(usage, good, _bad(rows, F.concat_ws(" / ", "company_id", "product_id")))


def _time_of(usage: DataFrame) -> Column:
    if "observed_at" not in usage.columns:
        return F.lit(None).cast("timestamp")
    return F.col("observed_at").try_cast("timestamp")


def _check_entities(frame: DataFrame, table: str, key: str) -> Checked:
    require_columns(frame, table, [key, "name"])
    rows = frame.withColumn(_CONTENT, _as_json(frame.columns)).withColumn(key, F.col(key).cast("string"))
    rows = rows.withColumn(_RULE, _first_rule([(f"{key} is null or empty", _is_blank(key))]))
    rows = _with_duplicate_rule(rows, [key])
    return Checked(frame, rows.where(F.col(_RULE).isNull()).select(*_quoted(frame.columns)), _bad(rows, F.col(key)))


def _with_duplicate_rule(rows: DataFrame, keys: Sequence[str]) -> DataFrame:
    """Of the sound rows with one key the first by content stays; the others' rule tells whether they say the same."""
    name = "pair" if len(keys) > 1 else keys[0]
    order = F.xxhash64(_CONTENT)
    sound = W.partitionBy(*keys, F.col(_RULE).isNull())
    ordered = sound.orderBy(order, _CONTENT)
    differs = F.min(order).over(sound) != F.max(order).over(sound)
    duplicate = F.when(differs, f"duplicate {name} with different content").otherwise(f"duplicate {name}")
    first = F.row_number().over(ordered) == 1
    return rows.withColumn(_RULE, F.when(F.col(_RULE).isNull() & ~first, duplicate).otherwise(F.col(_RULE)))


def _first_rule(rules: Sequence[Rule]) -> Column:
    return F.coalesce(*[F.when(broken, F.lit(rule)) for rule, broken in rules])


def _is_blank(column: str) -> Column:
    return F.col(column).isNull() | (F.trim(column) == "")


def _as_json(columns: Sequence[str]) -> Column:
    return F.to_json(F.struct(*_quoted(columns)), {"ignoreNullFields": "false"})


def _quoted(columns: Sequence[str]) -> list[Column]:
    return [F.col("`" + column.replace("`", "``") + "`") for column in columns]


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _KEY_CHARACTERS else f"{text[:_KEY_CHARACTERS]}..."


def _bad(rows: DataFrame, key: Column) -> DataFrame:
    bad = rows.where(F.col(_RULE).isNotNull())
    return bad.select(key.alias("key"), F.col(_RULE).alias("rule"), F.col(_CONTENT).alias("row"))


def write_quarantine(tables: Tables, source_table: str, checked: Checked, max_share: float) -> dict[str, int]:
    """Put the bad rows of ``source_table`` in place of those of its last run, and tell the counts; runs jobs.

    Args:
        tables: where ``quarantine`` is.
        source_table: the table or file the rows come from.
        checked: its rows.
        max_share: above this share of bad rows the job stops.

    Returns:
        Number of bad rows by rule.

    Raises:
        DataError: too many rows are bad (they are in quarantine all the same), or none is sound.
    """
    stamped = checked.bad.select(
        F.lit(source_table).alias("source_table"), "key", "rule", "row",
        F.lit(uuid.uuid4().hex).alias("run_id"), F.current_timestamp().alias("at"),
    )  # fmt: skip
    tables.replace_where("quarantine", stamped, schemas.QUARANTINE, "source_table", source_table)
    written = tables.read("quarantine", "this job").where(F.col("source_table") == source_table)
    counts = {row["rule"]: row["count"] for row in written.groupBy("rule").count().orderBy("rule").collect()}
    n_rows, n_bad = checked.rows.count(), sum(counts.values())
    found = "; ".join(f"{rule}: {count}" for rule, count in counts.items())
    if n_bad:
        logger.warning("%s: %d of %d rows are in quarantine (%s)", source_table, n_bad, n_rows, found)
    if n_bad > round(max_share * n_rows, 6):
        examples = written.orderBy("rule", "key", "row").limit(_KEYS_SHOWN).collect()
        keys = [_shorten(row["key"] or row["row"]) for row in examples]
        raise DataError(
            f"{source_table}: {n_bad} of {n_rows} rows are bad, more than "
            f"input.max_quarantined_share={max_share} allows ({found}); "
            f"for example {', '.join(keys)}; see table quarantine at {tables.location('quarantine')}"
        )
    if n_bad == n_rows:
        condition = "" if source_table.endswith(".csv") else f", and the setting input.{source_table}_where"
        raise DataError(f"{source_table} has no sound row of {n_rows}: check it{condition}")
    return counts
