"""The encoder in Spark tasks: texts in, vectors out, one Arrow batch after another."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyspark import TaskContext
from pyspark.resource import ResourceProfile, ResourceProfileBuilder, TaskResourceRequests
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from hcf_spark.errors import ConfigError
from hcf_spark.spark.schemas import TEXT_EMBEDDINGS

if TYPE_CHECKING:
    from hcf_spark.text.spec import EncoderSpec
    from hcf_spark.text.stream import EncodedBlock

ENCODED = T.StructType(
    [
        T.StructField("text_hash", T.StringType()),
        *(T.StructField(name, TEXT_EMBEDDINGS[name].dataType) for name in ("embedding", "n_tokens", "n_windows")),
        T.StructField("problem", T.StringType()),
        T.StructField("effort", T.StringType()),
    ]
)
_ARROW = pa.schema(
    [
        ("text_hash", pa.string()),
        ("embedding", pa.list_(pa.float32())),
        ("n_tokens", pa.int32()),
        ("n_windows", pa.int32()),
        ("problem", pa.string()),
        ("effort", pa.string()),
    ]
)

EncodeFn = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


def encode_texts(distinct_texts: DataFrame, spec: "EncoderSpec", use_gpu: bool = False) -> DataFrame:
    """The texts' vectors; lazy. A worker process loads the model once, in its first task that has a row.

    Args:
        distinct_texts: text_hash (unique), text (not blank).
        spec: the encoder.
        use_gpu: whether each task of this stage, and of no other, asks Spark for a GPU, and for its share of the
            executor's cores unless ``spec.threads`` says how many; else it computes on the CPU, even where there is a
            GPU.

    Returns:
        text_hash, embedding, n_tokens, n_windows; or text_hash and problem of a text that cannot be read; and for each
        task a row with nothing but effort (JSON of ``text.effort.Effort``).

    Raises:
        ConfigError: GPUs are asked for, but Spark is local.
    """
    spark = distinct_texts.sparkSession
    if use_gpu:
        require_gpus(spark.conf.get("spark.master"))
    profile = gpu_profile(spec.threads or cores_per_gpu(*executor_size(spark))) if use_gpu else None
    return distinct_texts.select("text_hash", "text").mapInArrow(make_encode_fn(spec), ENCODED, profile=profile)


def require_gpus(master: str) -> None:
    """Check that Spark can give GPUs to one stage.

    Raises:
        ConfigError: it runs in one process, and so cannot.
    """
    if master == "local" or master.startswith("local["):
        raise ConfigError(
            f"encoder.use_gpu is true, but Spark runs as {master}, where no task can ask for a GPU: set it to false, "
            "or spark.master to a cluster that offers GPUs (local-cluster[1,CORES,MEGABYTES] is one on this machine)"
        )


def gpu_profile(cpus: int) -> ResourceProfile:
    """Tasks that get a GPU each, and ``cpus`` CPUs."""
    return ResourceProfileBuilder().require(TaskResourceRequests().cpus(cpus).resource("gpu", 1)).build


def executor_size(spark: SparkSession) -> tuple[int, int]:
    """Cores and GPUs of an executor by its settings, 1 where they do not say."""
    names = ("spark.executor.cores", "spark.executor.resource.gpu.amount")
    return tuple(int(spark.conf.get(name, "1")) for name in names)


def cores_per_gpu(cores: int, gpus: int) -> int:
    """CPUs of a task that has a GPU, so that tokenising keeps up with it: its share of the executor's."""
    return max(cores // gpus, 1)


def tasks_at_once(spark: SparkSession, n_cores: int, use_gpu: bool) -> int:
    """How many tasks of ``encode_texts`` run at a time on so many cores."""
    if not use_gpu:
        return max(n_cores // int(spark.conf.get("spark.task.cpus", "1")), 1)
    cores, gpus = executor_size(spark)
    return max(n_cores // cores, 1) * min(cores, gpus)


def make_encode_fn(spec: "EncoderSpec") -> EncodeFn:
    """The worker's side of ``encode_texts``: Arrow batches of (text_hash, text) in, of ``ENCODED`` out."""

    def encode(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        filled = (batch for batch in batches if batch.num_rows)
        first = next(filled, None)
        if first is None:
            return
        cpus, gpu = task_resources()
        os.environ.setdefault("TOKENIZERS_PARALLELISM", str(cpus > 1).lower())  # else each task takes all cores
        os.environ.setdefault("RAYON_NUM_THREADS", str(cpus))
        from hcf_spark.text.encoder import load_encoder
        from hcf_spark.text.stream import encode_stream

        encoder = load_encoder(replace(spec, threads=spec.threads or cpus), gpu)
        texts = ((batch["text_hash"].to_pylist(), batch["text"].to_pylist()) for batch in chain([first], filled))
        for block in encode_stream(encoder, texts):
            yield _to_arrow(block)
        yield _rows(effort=[json.dumps(asdict(encoder.take_effort()))])

    return encode


def task_resources() -> tuple[int, str | None]:
    """CPUs of the running task, and the address of its GPU if Spark gave it one."""
    task = TaskContext.get()
    gpu = task.resources().get("gpu")
    return task.cpus(), gpu.addresses[0] if gpu else None


def _to_arrow(block: "EncodedBlock") -> pa.RecordBatch:
    encoded = block.encoded
    n_failed = len(block.failed)
    offsets = np.arange(len(block.keys) + 1, dtype=np.int32) * encoded.vectors.shape[1]
    vectors = pa.ListArray.from_arrays(pa.array(offsets), pa.array(encoded.vectors.ravel()))
    return _rows(
        text_hash=[*block.keys, *(key for key, _ in block.failed)],
        embedding=pa.concat_arrays([vectors, pa.nulls(n_failed, vectors.type)]),
        n_tokens=pa.concat_arrays([pa.array(encoded.n_tokens), pa.nulls(n_failed, pa.int32())]),
        n_windows=pa.concat_arrays([pa.array(encoded.n_windows), pa.nulls(n_failed, pa.int32())]),
        problem=[*(None for _ in block.keys), *(reason for _, reason in block.failed)],
    )


def _rows(**columns: pa.Array | list) -> pa.RecordBatch:
    """Rows of ``ENCODED``, null where there is no column."""
    size = len(next(iter(columns.values())))
    arrays = [
        pa.array(columns[field.name], field.type)
        if isinstance(columns.get(field.name), list)
        else columns.get(field.name, pa.nulls(size, field.type))
        for field in _ARROW
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=_ARROW)
