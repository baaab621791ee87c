"""Frames kept in files for a while: what is read several times, is dear to make, and must outlive an executor."""

import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pyspark.sql import DataFrame

_WEEK = 7 * 24 * 3600  # seconds


class Staging:
    """A folder that all nodes see, for Parquet files that are there while a block runs.

    The cache will not do: a merge does not read what is cached, and drops from the cache what was made of its table.
    """

    def __init__(self, folder: Path) -> None:
        """Use ``folder``, without what a run that was killed has left there."""
        self._folder = folder
        shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def keep(self, frame: DataFrame, order: str) -> Iterator[DataFrame]:
        """The frame, each file sorted by the column ``order``, so that Parquet skips what is not asked for."""
        with self.keep_files(frame, order) as folder:
            yield frame.sparkSession.read.schema(frame.schema).parquet(str(folder))

    @contextmanager
    def keep_files(self, frame: DataFrame, order: str) -> Iterator[Path]:
        """The folder of the files of ``keep``, for readers other than Spark."""
        folder = self._folder / uuid.uuid4().hex
        frame.sortWithinPartitions(order).write.parquet(str(folder))
        try:
            yield folder
        finally:
            _remove(folder)


@contextmanager
def own_folder(parent: Path) -> Iterator[Path]:
    """A new folder that all nodes see, there while a block runs; what other runs keep in ``parent`` stays.

    What nobody has touched for a week was left by a run that was killed, and goes.
    """
    for left in parent.glob("*"):
        with suppress(FileNotFoundError):  # another run has removed it
            if time.time() - left.stat().st_mtime > _WEEK:
                shutil.rmtree(left, ignore_errors=True)
    folder = parent / uuid.uuid4().hex
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # others are still kept there
        folder.parent.rmdir()
