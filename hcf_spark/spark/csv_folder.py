"""CSV files (RFC 4180, UTF-8) as frames, broken records told apart from good ones, no good row lost.

Spark's own reader takes everything up to the next quote for one value when a quote is left open,
and so swallows good rows without a word.
Here a record that breaks RFC 4180 costs its first line only: reading goes on with the next one. Where the quotes
are in order and only the number of fields or a byte is wrong, the whole record is broken, with all its lines.
"""

import csv
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from hcf_spark.errors import DataError
from hcf_spark.spark.checks import Checked

BROKEN = "_broken_rule"
RAW = "_broken_line"
_QUOTED_OR_PLAIN = r'(?:"[^"]*(?:""[^"]*)*"|[^",\r\n]*)'
_RFC_4180_RECORD = re.compile(rf"{_QUOTED_OR_PLAIN}(?:,{_QUOTED_OR_PLAIN})*[\r\n]*")
_MAX_FIELD_CHARACTERS = 64_000_000
_ROWS_PER_BATCH = 2_000


def read_csv(spark: SparkSession, file: Path, required: tuple[str, ...]) -> DataFrame:
    """The records of a CSV file, all columns as strings; lazy (only the header is read here).

    Args:
        spark: the session.
        file: a path that executors see too (a local disk, a mounted volume).
        required: columns that must be in the header.

    Returns:
        The header's columns, and for a broken record only ``_broken_rule`` (what is wrong) and ``_broken_line`` (its
        first line).
        An empty field is null.

    Raises:
        DataError: the file is missing, empty, not UTF-8 in its header, or lacks a required column, or its header
            repeats one.
    """
    header = _read_header(file, required)
    schema = T.StructType([T.StructField(name, T.StringType()) for name in [*header, BROKEN, RAW]])
    path = str(file.absolute())

    def parse(_batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for _ in _batches:
            yield from _parse_file(path, header)

    return spark.range(1, numPartitions=1).mapInPandas(parse, schema)


def _read_header(file: Path, required: tuple[str, ...]) -> list[str]:
    try:
        with open(file, encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            header = next(csv.reader(stream, strict=True), None)
    except FileNotFoundError as error:
        raise DataError(f"{file} not found: the folder must hold companies.csv, products.csv and usage.csv") from error
    except (OSError, csv.Error) as error:
        raise DataError(f"{file}: the header cannot be read ({error}); it must be UTF-8 CSV (RFC 4180)") from error
    if header and not _is_utf8(header):
        raise DataError(f"{file}: the header cannot be read (not UTF-8); it must be UTF-8 CSV (RFC 4180)")
    if not header:
        raise DataError(f"{file} is empty: its first line must name the columns ({', '.join(required)}, ...)")
    missing = [name for name in required if name not in header]
    if missing:
        raise DataError(f"{file} lacks the column {', '.join(missing)}; found {', '.join(header)}")
    folded = [name.strip().lower() for name in header]
    bad = sorted({name for name in header if not name.strip() or folded.count(name.strip().lower()) > 1})
    if bad:
        raise DataError(f"{file}: column names must be given and differ (without regard to case); found {bad}")
    return header


def _parse_file(path: str, header: list[str]) -> Iterator[pd.DataFrame]:
    columns = [*header, BROKEN, RAW]
    rows: list[list[str | None]] = []
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        for fields, rule, line in parse_records(stream, len(header)):
            rows.append([*fields, rule, line])
            if len(rows) == _ROWS_PER_BATCH:
                yield pd.DataFrame(rows, columns=columns, dtype=object)
                rows = []
    if rows:
        yield pd.DataFrame(rows, columns=columns, dtype=object)


def parse_records(stream: TextIO, width: int) -> Iterator[tuple[list[str | None], str | None, str | None]]:
    """Records of an open CSV file after its header: (fields, None, None), or (nulls, rule, text) if broken.

    Lines that an open quote may have swallowed are read again as records of their own.
    """
    csv.field_size_limit(_MAX_FIELD_CHARACTERS)
    lines = _Lines(stream)
    next(csv.reader(lines, strict=True), None)
    empty: list[str | None] = [None] * width
    while True:
        lines.start_record()
        try:
            record = next(csv.reader(lines, strict=True), None)
            if lines.after_first() and not _RFC_4180_RECORD.fullmatch(lines.text()):
                raise csv.Error("a quote inside a field without quotes, in a record of several lines")
        except csv.Error as error:
            lines.reread_after_first()
            yield empty, f"not RFC 4180: {error}", lines.text()
            continue
        if record is None:
            return
        if record and len(record) != width:
            if _are_records(lines.after_first(), width):
                lines.reread_after_first()
            yield empty, f"{len(record)} fields where the header has {width}", lines.text()
        elif not _is_utf8(record):
            yield empty, "not UTF-8", lines.text()
        elif record:
            yield [field or None for field in record], None, None


def _are_records(lines: list[str], width: int) -> bool:
    """Whether most lines are records by themselves: rows that an open quote swallowed, not a text of several lines.

    The last line is asked only where it is the only one: in either case it ends with what is left of another record.
    """
    whole = 0
    lines = lines[:-1] or lines
    for line in lines:
        with suppress(csv.Error):
            whole += len(next(csv.reader([line], strict=True))) == width
    return 2 * whole > len(lines)


def _is_utf8(fields: list[str]) -> bool:
    return not any("\udc80" <= character <= "\udcff" for field in fields if not field.isascii() for character in field)


class _Lines:
    """Physical lines of a file; those of the present record are kept, with the way back to the second of them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: list[str] = []
        self._taken: list[str] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._waiting.pop() if self._waiting else next(self._stream)
        self._taken.append(line)
        return line

    def start_record(self) -> None:
        self._taken = []

    def after_first(self) -> list[str]:
        """The lines of the present record but the first."""
        return self._taken[1:]

    def reread_after_first(self) -> None:
        """Put the lines of the present record but the first back."""
        self._waiting.extend(reversed(self._taken[1:]))
        del self._taken[1:]

    def text(self) -> str:
        """The present record as the file has it, without its last line end; a byte that is not UTF-8 as ``\\udcff``."""
        return "".join(self._taken).rstrip("\r\n").encode("utf-8", "backslashreplace").decode("utf-8")


def check_records(frame: DataFrame) -> Checked:
    """The records of ``read_csv``: the sound ones without the columns on broken ones, and the broken ones; lazy."""
    broken = frame.where(F.col(BROKEN).isNotNull())
    return Checked(
        rows=frame,
        good=frame.where(F.col(BROKEN).isNull()).drop(BROKEN, RAW),
        bad=broken.select(
            F.lit(None).cast("string").alias("key"), F.col(BROKEN).alias("rule"), F.col(RAW).alias("row")
        ),
    )
