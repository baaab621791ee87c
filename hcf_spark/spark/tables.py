"""The only place that touches Delta: tables by name, each a catalog table or a folder under one root."""

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from delta.exceptions import DeltaConcurrentModificationException
from delta.tables import DeltaMergeBuilder, DeltaTable
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from hcf_spark.config import Config
from hcf_spark.errors import DataError

logger = logging.getLogger(__name__)

_CATALOG_NAME = re.compile(r"[^.`\s]+(\.[^.`\s]+){1,2}")
_CONFLICT = re.compile(r"\[DELTA_(CONCURRENT_\w+|METADATA_CHANGED|PROTOCOL_CHANGED)")
_WRITE_ATTEMPTS = 5
_NEEDS_COLUMN_MAPPING = frozenset(" ,;{}()\n\t=")
_UPKEEP = ("OPTIMIZE", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES", "REORG", "COMPUTE STATS")


class Tables:
    """Reads and writes the tables of one configuration.

    Every write is one Delta commit: a reader sees all of it or nothing, and a job that is killed leaves the table as
    it was.
    """

    def __init__(self, spark: SparkSession, config: Config) -> None:
        self._spark = spark
        self._catalog = config.tables.catalog
        self._names = config.tables.names
        self._root = Path(config.output).absolute() / "tables"

    def location(self, name: str) -> str:
        """Where a table is: its name in the catalog, or its folder."""
        own = self._names.get(name)
        if own is not None:
            return own
        return f"{self._catalog}.{name}" if self._catalog else str(self._root / name)

    def _is_catalog(self, name: str) -> bool:
        return _CATALOG_NAME.fullmatch(self.location(name)) is not None and "/" not in self.location(name)

    def _quoted(self, name: str) -> str:
        return ".".join(f"`{part}`" for part in self.location(name).split("."))

    def _delta(self, name: str) -> DeltaTable:
        if self._is_catalog(name):
            return DeltaTable.forName(self._spark, self._quoted(name))
        return DeltaTable.forPath(self._spark, self.location(name))

    def exists(self, name: str) -> bool:
        """Whether the table is there."""
        if self._is_catalog(name):
            return self._spark.catalog.tableExists(self._quoted(name))
        return DeltaTable.isDeltaTable(self._spark, self.location(name))

    def read(self, name: str, made_by: str) -> DataFrame:
        """The table as a lazy frame.

        Args:
            name: the table's name in the contract.
            made_by: the job or person that makes it, for the error message.

        Raises:
            DataError: the table does not exist.
        """
        if not self.exists(name):
            raise DataError(f"table {name} not found at {self.location(name)}: it is made by {made_by}")
        if self._is_catalog(name):
            return self._spark.read.table(self._quoted(name))
        return self._spark.read.format("delta").load(self.location(name))

    def overwrite(self, name: str, frame: DataFrame, schema: T.StructType | None = None, stamp: str = "") -> None:
        """Replace the whole table in one commit; runs a job.

        Args:
            name: the table's name in the contract.
            frame: its new content.
            schema: columns and types the table must have; None for the user's tables, whose schema is taken from the
                frame.
            stamp: kept with the commit, so that tables that belong together can be told (``require_same_stamp``).
        """
        frame = _conform(frame, schema, name)
        writer = frame.write.format("delta").mode("overwrite")
        writer = writer.option("overwriteSchema", "true").option("userMetadata", stamp)
        if any(_NEEDS_COLUMN_MAPPING.intersection(column) for column in frame.columns):
            writer = self._with_column_mapping(name, writer)
        self._save(name, writer)

    def replace_where(
        self, name: str, frame: DataFrame, schema: T.StructType, column: str, value: str, stamp: str = ""
    ) -> None:
        """Replace the rows whose ``column`` equals ``value`` by ``frame`` in one commit; runs a job.

        A concurrent write is retried. ``stamp`` is kept with the commit.
        """
        frame = _conform(frame, schema, name)
        writer = frame.write.format("delta").mode("overwrite").option("userMetadata", stamp)
        writer = writer.option("replaceWhere", f"`{column}` = {_literal(value)}")

        def write() -> None:
            self._create_if_missing(name, frame)
            self._save(name, writer)

        _retry_conflicts(name, write)

    def merge(self, name: str, frame: DataFrame, schema: T.StructType, keys: Sequence[str]) -> None:
        """Insert or update ``frame`` by its keys in one commit; runs a job. A concurrent write is retried.

        Args:
            name: the table's name in the contract.
            frame: new and changed rows, one per key.
            schema: columns and types of the table.
            keys: columns that name a row.
        """
        frame = _conform(frame, schema, name)

        def write() -> None:
            self._create_if_missing(name, frame)
            self._matched(name, frame, keys).whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()

        _retry_conflicts(name, write)

    def merge_part(
        self,
        name: str,
        frame: DataFrame,
        schema: T.StructType,
        part: tuple[str, str],
        keys: Sequence[str],
        content: str,
    ) -> None:
        """Insert, update or delete rows of one partition by their keys in one commit; runs a job.

        A concurrent write is retried.

        Args:
            name: the table's name in the contract; ``make_empty`` has made it.
            frame: new and changed rows, and those to delete, one per key.
            schema: columns and types of the table.
            part: the partition's column and value; no other partition is looked at.
            keys: columns that name a row in it.
            content: a column that is null in the rows to delete, and in no other.
        """
        frame = _conform(frame, schema, name)
        gone = f"source.`{content}` IS NULL"

        def write() -> None:
            merged = self._matched(name, frame, keys, f"target.`{part[0]}` = {_literal(part[1])}")
            merged.whenMatchedDelete(gone).whenMatchedUpdateAll().whenNotMatchedInsertAll(f"NOT {gone}").execute()

        _retry_conflicts(name, write)

    def is_made_as(self, name: str, schema: T.StructType) -> bool:
        """Whether the table is there, with the columns of the schema; an earlier release may have made it otherwise."""
        return self.exists(name) and self.read(name, "").columns == schema.names

    def make_empty(self, name: str, schema: T.StructType, partition: str) -> None:
        """An empty table, partitioned by a column, in place of what is there, in one commit."""
        writer = self._spark.createDataFrame([], schema).write.format("delta").mode("overwrite")
        self._save(name, writer.option("overwriteSchema", "true").partitionBy(partition))

    def delete_values(self, name: str, column: str, values: Sequence[str]) -> None:
        """Delete the rows that hold one of the values in one commit; runs a job. A conflict is retried."""
        _retry_conflicts(name, lambda: self._delta(name).delete(F.col(column).isin(*values)))

    def delete(self, name: str, rows: DataFrame, keys: Sequence[str]) -> None:
        """Delete the table's rows that have the keys of ``rows`` in one commit; runs a job. A conflict is retried."""
        _retry_conflicts(name, lambda: self._matched(name, rows, keys).whenMatchedDelete().execute())

    def rename(self, name: str, column: str, old: str, new: str) -> None:
        """Write ``new`` where ``column`` is ``old``, in one commit; runs a job. A conflict is retried."""
        _retry_conflicts(name, lambda: self._delta(name).update(F.col(column) == old, {column: F.lit(new)}))

    def _matched(self, name: str, rows: DataFrame, keys: Sequence[str], where: str = "TRUE") -> DeltaMergeBuilder:
        condition = " AND ".join([where, *(f"target.`{key}` <=> source.`{key}`" for key in keys)])
        return self._delta(name).alias("target").merge(rows.alias("source"), condition)

    def _save(self, name: str, writer: DataFrameWriter) -> None:
        if self._is_catalog(name):
            writer.saveAsTable(self._quoted(name))
        else:
            writer.save(self.location(name))

    def _create_if_missing(self, name: str, frame: DataFrame) -> None:
        """An empty table with the columns of ``frame``; one that somebody else made in the meantime stays as it is."""
        if not self.exists(name):
            self._save(name, frame.limit(0).write.format("delta").mode("ignore"))

    def _with_column_mapping(self, name: str, writer: DataFrameWriter) -> DataFrameWriter:
        """Allow column names that Parquet does not, such as ``Company size``."""
        mapping = "delta.columnMapping.mode"
        if self.exists(name):
            table = self._quoted(name) if self._is_catalog(name) else f"delta.`{self.location(name)}`"
            self._spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('{mapping}' = 'name')")
        return writer.option(mapping, "name")

    def version(self, name: str) -> int:
        """The table's newest Delta version."""
        return self._delta(name).history(1).select("version").head()[0]

    def input_version(self, name: str) -> int | None:
        """Version of a table of the user's; None where it has none (a view, or another format)."""
        try:
            return self.version(name)
        except AnalysisException:
            return None

    def stamp(self, name: str) -> str:
        """The stamp of the table's newest commit that is more than upkeep ("" if it has none)."""
        commits = self._delta(name).history().where(~F.col("operation").isin(*_UPKEEP))
        return commits.orderBy(F.desc("version")).select("userMetadata").head()[0] or ""

    def require_same_stamp(self, names: Sequence[str], made_by: str) -> str:
        """Check that tables were made by one and the same run of a job.

        Raises:
            DataError: a table is missing, or the job was interrupted between two of them.
        """
        for name in names:
            if not self.exists(name):
                raise DataError(f"table {name} not found at {self.location(name)}: it is made by {made_by}")
        stamps = {name: self.stamp(name) for name in names}
        if len(set(stamps.values())) > 1:
            raise DataError(f"tables {', '.join(names)} come from different runs of {made_by}: run {made_by} again")
        return stamps[names[0]]


def _literal(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _retry_conflicts(name: str, write: Callable[[], None]) -> None:
    for attempt in range(1, _WRITE_ATTEMPTS + 1):
        try:
            return write()
        except Exception as error:
            if attempt == _WRITE_ATTEMPTS or not _is_conflict(error):
                raise
            logger.info("table %s was written by someone else at the same time; writing again (%d)", name, attempt)


def _is_conflict(error: Exception) -> bool:
    """Whether another commit came between; unless ``delta.exceptions.captured`` was imported, only the text tells."""
    return isinstance(error, DeltaConcurrentModificationException) or _CONFLICT.search(str(error)) is not None


def _conform(frame: DataFrame, schema: T.StructType | None, name: str) -> DataFrame:
    """Columns in the schema's order and types.

    Raises:
        DataError: a column of the schema is missing in the frame.
    """
    if schema is None:
        return frame
    missing = [field.name for field in schema if field.name not in frame.columns]
    if missing:
        raise DataError(
            f"table {name}: the frame to write lacks {', '.join(missing)}; found {', '.join(frame.columns)}"
        )
    return frame.select(*[frame[field.name].cast(field.dataType).alias(field.name) for field in schema])
