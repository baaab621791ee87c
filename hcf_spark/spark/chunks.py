"""Work cut into chunks by the hash of the text, so that each can be committed on its own."""

from dataclasses import dataclass

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

BUCKETS = 4096  # three hexadecimal digits of the hash


@dataclass(frozen=True)
class Chunk:
    """Texts of the buckets from ``start`` up to ``stop``, that one not included; as good as drawn at random."""

    start: int
    stop: int
    n_texts: int
    n_characters: int

    @property
    def condition(self) -> Column:
        """Whether a text is in the chunk; a range of hashes, so that Parquet skips what is not."""
        after = F.lit(True) if self.stop == BUCKETS else F.col("text_hash") < f"{self.stop:03x}"
        return (F.col("text_hash") >= f"{self.start:03x}") & after


@dataclass(frozen=True)
class Plan:
    """How much is to be encoded.

    Attributes:
        texts: (4096,) int64, by bucket.
        characters: (4096,) int64, likewise.
        longest: characters of the longest text.
    """

    texts: np.ndarray
    characters: np.ndarray
    longest: int

    @property
    def whole(self) -> Chunk:
        """Everything."""
        return self._chunk(0, BUCKETS)

    def chunk(self, start: int, characters: float) -> Chunk:
        """What comes next from bucket ``start`` on: about so many characters, all if not much more is left."""
        sums = np.cumsum(self.characters[start:])
        if sums[-1] <= 1.5 * characters:
            return self._chunk(start, BUCKETS)
        return self._chunk(start, start + 1 + int(np.searchsorted(sums, characters)))

    def _chunk(self, start: int, stop: int) -> Chunk:
        return Chunk(start, stop, int(self.texts[start:stop].sum()), int(self.characters[start:stop].sum()))


def make_plan(new_texts: DataFrame) -> Plan:
    """Count texts and characters by bucket; runs a job.

    Args:
        new_texts: text_hash (unique), text.
    """
    length = F.length("text")
    rows = (
        new_texts.groupBy(F.substring("text_hash", 1, 3).alias("bucket"))
        .agg(F.count("text").alias("texts"), F.sum(length).alias("characters"), F.max(length).alias("longest"))
        .collect()
    )
    texts, characters = np.zeros(BUCKETS, dtype=np.int64), np.zeros(BUCKETS, dtype=np.int64)
    for row in rows:
        texts[int(row.bucket, 16)], characters[int(row.bucket, 16)] = row.texts, row.characters
    return Plan(texts, characters, max((row.longest for row in rows), default=0))
