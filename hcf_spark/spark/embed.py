"""Stage 1: company texts to vectors. Identical text is encoded once, and only text that is new or has changed."""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from tqdm import tqdm

from hcf_spark.config import Config
from hcf_spark.errors import DataError
from hcf_spark.spark.checks import Checked, write_quarantine
from hcf_spark.spark.chunks import BUCKETS, Chunk, Plan, make_plan
from hcf_spark.spark.embed_counts import EmbedCounts
from hcf_spark.spark.encode import encode_texts, tasks_at_once
from hcf_spark.spark.schemas import TEXT_EMBEDDINGS
from hcf_spark.spark.staging import Staging, own_folder
from hcf_spark.spark.tables import Tables
from hcf_spark.spark.texts import (
    compare_texts,
    filter_pending,
    select_new_texts,
    select_stale,
    select_texts,
    with_embeddings,
)
from hcf_spark.text.effort import Effort, add_up

if TYPE_CHECKING:
    from hcf_spark.text.spec import EncoderSpec

logger = logging.getLogger(__name__)

QUARANTINED_AS = "companies.text"
FILLING = " (filling)"

_TABLE = "text_embeddings"
_KEYS = ("company_id", "source", "encoder_id")
_VECTOR = ("text_hash", "embedding", "n_tokens", "n_windows")
_FAILED = "text_hash string, problem string"

_TASKS_PER_CORE = 3
_CHARACTERS_PER_TASK = 200_000
_FIRST_CHARACTERS_PER_MINUTE = 1_000_000  # until a chunk has told better
_SAMPLE_CHARACTERS_PER_CORE = 25_000
_ARROW_ROWS = "spark.sql.execution.arrow.maxRecordsPerBatch"
_ARROW_CHARACTERS = 64_000_000
_MOST_ARROW_ROWS = 10_000


@dataclass(frozen=True)
class Work:
    """What a dry run found to do.

    Attributes:
        n_texts: different texts to encode.
        n_tokens: of them, about: from a sample.
        n_deleted: vectors to delete.
        seconds: about, from the same sample: what its tasks took, for all texts, and once what it took to start them
            and to load the model; writing is not in it.
    """

    n_texts: int
    n_tokens: int
    n_deleted: int
    seconds: float


def embed_companies(tables: Tables, companies: DataFrame, spec: "EncoderSpec", config: Config) -> EmbedCounts:
    """Bring the table ``text_embeddings`` up to date with the companies' texts, chunk by chunk; runs jobs.

    Rows of other encoders, and of sources that are not among ``text.columns``, stay as they are. Where there is
    nothing to do, no model is loaded and the table gets no new version. A run that is killed loses the chunk that it
    was at; the next one goes on from there. The vectors of an encoder that is new to the table appear all at once:
    until the last chunk is there they have another encoder_id.

    Args:
        tables: where ``text_embeddings`` and ``quarantine`` are.
        companies: company_id (not null, unique) and the text columns.
        spec: the encoder.
        config: all settings.

    Raises:
        DataError: a text column is missing or no string; no company has a text; or more texts cannot be read than
            ``input.max_quarantined_share`` allows; or another run brought the same new encoder in meanwhile.
    """
    start = time.perf_counter()
    with own_folder(_output(config) / "encoding") as folder:
        stage = _Stage.look(tables, companies, spec, config, folder)
        counts = EmbedCounts(stage.work.n_texts, stage.work.n_distinct)
        failed = stage.encode_pending(counts) if stage.work.n_pending else []
    counts.n_failed = stage.quarantine(failed)
    if stage.work.n_stale and config.text.remove_vanished:
        tables.delete(_TABLE, select_stale(stage.texts, stage.stored, config.text.columns), _KEYS)
        counts.n_deleted = stage.work.n_stale
    if stage.generation == spec.encoder_id + FILLING:
        _complete(tables, spec.encoder_id)
    counts.n_reused = counts.n_texts - counts.n_encoded - counts.n_failed
    counts.seconds = time.perf_counter() - start
    logger.info("text vectors of %s: %s", spec.encoder_id, counts)
    return counts


def _complete(tables: Tables, encoder_id: str) -> None:
    """Let the vectors that were filled in appear; if those of another run are there already, they go instead."""
    there = tables.read(_TABLE, "embed_companies").where(F.col("encoder_id") == encoder_id)
    if not there.isEmpty():
        tables.delete_values(_TABLE, "encoder_id", [encoder_id + FILLING])
        raise DataError(
            f"table {_TABLE} got vectors of {encoder_id} from another run of embed_companies at the same time: "
            "run it again when no other runs, to encode what is missing"
        )
    tables.rename(_TABLE, "encoder_id", encoder_id + FILLING, encoder_id)


def estimate_work(tables: Tables, companies: DataFrame, spec: "EncoderSpec", config: Config) -> Work:
    """What ``embed_companies`` would do, with nothing written; encodes a small sample to tell how long; runs jobs.

    Raises:
        DataError: as ``embed_companies``.
    """
    with own_folder(_output(config) / "dry_run") as folder:
        return _estimate(_Stage.look(tables, companies, spec, config, folder))


def _estimate(stage: "_Stage") -> Work:
    n_deleted = stage.work.n_stale if stage.config.text.remove_vanished else 0
    with stage.pending() as pending:
        new = select_new_texts(pending, stage.stored)
        plan = make_plan(new)
        sample = plan.chunk(0, _SAMPLE_CHARACTERS_PER_CORE * stage.n_cores)
        if not sample.n_texts:
            return Work(0, 0, n_deleted, 0.0)
        start = time.perf_counter()
        with stage.encoded(new, sample, plan, stage.n_cores) as encoded:
            seconds = time.perf_counter() - start
            efforts = _look_at(encoded).efforts
    times = plan.whole.n_characters / sample.n_characters
    at_once = tasks_at_once(stage.spark, stage.n_cores, stage.config.encoder.use_gpu)
    return Work(
        n_texts=plan.whole.n_texts,
        n_tokens=round(add_up(efforts).text_tokens * times),
        n_deleted=n_deleted,
        seconds=_estimate_seconds(seconds, efforts, times, at_once, _n_tasks(plan.whole, stage.n_cores)),
    )


def _estimate_seconds(sample_seconds: float, efforts: list[Effort], times: float, at_once: int, n_tasks: int) -> float:
    """Of ``n_tasks`` with ``times`` the work of a sample's; what its tasks did not see counts once, as it was."""
    in_tasks = sum(effort.total_seconds for effort in efforts)
    starting = max(sample_seconds - in_tasks / min(at_once, len(efforts)), 0)
    return starting + in_tasks * times / min(at_once, n_tasks)


@dataclass
class _Stage:
    """A run: what it works with, and what was found.

    Attributes:
        texts: company_id, source, text, text_hash of all texts.
        stored: rows of ``text_embeddings`` of this encoder, complete or being filled.
        generation: the encoder_id that rows get; None until the first chunk of a new encoder tells.
        work: of ``compare_texts``.
        n_cores: that tasks can run on.
        staging: for what is read several times.
    """

    tables: Tables
    spec: "EncoderSpec"
    config: Config
    spark: SparkSession
    texts: DataFrame
    stored: DataFrame
    generation: str | None
    work: Row
    n_cores: int
    staging: Staging

    @classmethod
    def look(cls, tables: Tables, companies: DataFrame, spec: "EncoderSpec", config: Config, folder: Path) -> "_Stage":
        """Compare the texts with the table; what is staged goes to ``folder``; runs jobs."""
        spark, columns = companies.sparkSession, config.text.columns
        texts = select_texts(companies, columns)
        generation = None
        stored = spark.createDataFrame([], TEXT_EMBEDDINGS)
        if tables.exists(_TABLE):
            table, names = tables.read(_TABLE, "embed_companies"), (spec.encoder_id, spec.encoder_id + FILLING)
            ours = table.where(F.col("encoder_id").isin(*names))
            generation = ours.agg(F.min("encoder_id")).head()[0]  # of the two the complete one sorts first
            stored = ours.where(F.col("encoder_id") == generation)
        work = compare_texts(texts, stored.where(F.col("source").isin(*columns))).head()
        if not work.n_texts:
            raise DataError(
                f"table companies: no company has a text in {', '.join(columns)}; "
                "fill it, or set text.columns to others"
            )
        n_cores = spark.range(10_000).select(F.spark_partition_id()).distinct().count() if work.n_pending else 1
        return cls(tables, spec, config, spark, texts, stored, generation, work, n_cores, Staging(folder))

    def encode_pending(self, counts: EmbedCounts) -> list[tuple[str, str]]:
        """Encode what is new and commit it chunk by chunk; count it; text_hash and problem of what cannot be read."""
        efforts: list[Effort] = []
        failed: list[tuple[str, str]] = []
        rate = _FIRST_CHARACTERS_PER_MINUTE
        with self.pending() as pending, self._known(pending) as known:
            new = select_new_texts(pending, known)
            plan = make_plan(new)
            logger.info(
                "%s texts, %s of them different: %s new or changed, %s to encode, %s without a company any more",
                f"{self.work.n_texts:,}", f"{self.work.n_distinct:,}", f"{self.work.n_pending:,}",
                f"{plan.whole.n_texts:,}", f"{self.work.n_stale:,}",
            )  # fmt: skip
            start, stop = time.perf_counter(), 0
            with tqdm(total=plan.whole.n_texts, unit=" texts", disable=None) as bar:
                while stop < BUCKETS:
                    chunk = plan.chunk(stop, rate * self.config.encoder.minutes_per_commit)
                    stop, began = chunk.stop, time.perf_counter()
                    if self.generation is None:
                        self.generation = self.spec.encoder_id + ("" if stop == BUCKETS else FILLING)
                    with self.encoded(new, chunk, plan, _n_tasks(chunk, self.n_cores)) as encoded:
                        done = _look_at(encoded)
                        vectors = encoded.where(F.col("embedding").isNotNull()).select(*_VECTOR).unionByName(known)
                        rows = with_embeddings(pending.where(chunk.condition), vectors, self.generation)
                        if not (done.failed and rows.isEmpty()):
                            self.tables.merge(_TABLE, rows, TEXT_EMBEDDINGS, _KEYS)
                            counts.n_commits += 1
                    efforts.extend(done.efforts)
                    failed.extend(done.failed)
                    rate = max(chunk.n_characters, 1) / (time.perf_counter() - began) * 60
                    bar.update(chunk.n_texts)
                    _tell_progress(bar, plan, stop, add_up(efforts).tokens, time.perf_counter() - start)
        counts.effort = add_up(efforts)
        counts.n_encoded, counts.n_tokens = counts.effort.texts, counts.effort.text_tokens
        return failed

    @contextmanager
    def pending(self) -> Iterator[DataFrame]:
        """company_id, source, text, text_hash that have no vector, staged."""
        with self.staging.keep(filter_pending(self.texts, self.stored, self.generation or ""), "text_hash") as pending:
            yield pending

    @contextmanager
    def _known(self, pending: DataFrame) -> Iterator[DataFrame]:
        """Vectors, by text_hash, of pending texts that another company has too."""
        vectors = self.stored.select(*_VECTOR)
        if self.generation is None:
            yield vectors
            return
        found = vectors.join(pending, "text_hash", "left_semi").dropDuplicates(["text_hash"])
        with self.staging.keep(found, "text_hash") as known:
            yield known

    @contextmanager
    def encoded(self, new: DataFrame, chunk: Chunk, plan: Plan, n_tasks: int) -> Iterator[DataFrame]:
        """What ``encode_texts`` makes of a chunk, staged."""
        spread = new.where(chunk.condition).repartition(n_tasks, "text_hash")
        usual = self.spark.conf.get(_ARROW_ROWS)
        rows = max(1, min(_MOST_ARROW_ROWS, _ARROW_CHARACTERS // max(plan.longest, 1)))
        self.spark.conf.set(_ARROW_ROWS, rows)
        try:
            vectors = encode_texts(spread, self.spec, self.config.encoder.use_gpu)
            with self.staging.keep(vectors, "text_hash") as encoded:
                yield encoded
        finally:
            self.spark.conf.set(_ARROW_ROWS, usual)

    def quarantine(self, failed: list[tuple[str, str]]) -> int:
        """Put the texts that could not be read in quarantine, in place of those of the last run; returns how many."""
        if not failed:
            if self.tables.exists("quarantine"):
                there = self.tables.read("quarantine", "this job").where(F.col("source_table") == QUARANTINED_AS)
                if not there.isEmpty():
                    self._write_quarantine(self.spark.createDataFrame([], _FAILED))
            return 0
        return self._write_quarantine(self.spark.createDataFrame(failed, _FAILED))

    def _write_quarantine(self, failed: DataFrame) -> int:
        bad = self.texts.join(failed, "text_hash").select(
            F.col("company_id").alias("key"),
            F.concat_ws(": ", "source", "problem").alias("rule"),
            F.to_json(F.struct("company_id", "source", "text")).alias("row"),
        )
        checked = Checked(rows=self.texts, good=self.texts, bad=bad)
        return sum(
            write_quarantine(self.tables, QUARANTINED_AS, checked, self.config.input.max_quarantined_share).values()
        )


def _output(config: Config) -> Path:
    return Path(config.output).absolute()


def _n_tasks(chunk: Chunk, n_cores: int) -> int:
    """A few tasks for each core, where there is work for them."""
    return max(1, min(_TASKS_PER_CORE * n_cores, ceil(chunk.n_characters / _CHARACTERS_PER_TASK), chunk.n_texts))


@dataclass(frozen=True)
class _Done:
    """Efforts of the tasks, and (text_hash, problem) of the texts that could not be read."""

    efforts: list[Effort]
    failed: list[tuple[str, str]]


def _look_at(encoded: DataFrame) -> _Done:
    rows = encoded.where(F.col("embedding").isNull()).select("text_hash", "problem", "effort").collect()
    return _Done(
        efforts=[Effort(**json.loads(row.effort)) for row in rows if row.effort is not None],
        failed=[(row.text_hash, row.problem) for row in rows if row.effort is None],
    )


def _tell_progress(bar: tqdm, plan: Plan, stop: int, n_tokens: int, seconds: float) -> None:
    left = plan.characters[stop:].sum() / max(plan.characters[:stop].sum(), 1) * seconds
    tokens, rate = f"{n_tokens:,}", f"{n_tokens / seconds:,.0f}"
    bar.set_postfix({"tokens": tokens, "tokens/s": rate})
    logger.info(
        "%s of %s texts encoded, %s tokens, %s tokens/s, about %.0f s left",
        f"{plan.texts[:stop].sum():,}", f"{plan.whole.n_texts:,}", tokens, rate, left,
    )  # fmt: skip
