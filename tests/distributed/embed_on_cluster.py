"""Stage 1 on a real local cluster: executors that say they have two GPUs each, and some that get kill -9.

A script, since a JVM holds one session.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import psutil
from pyspark.sql import functions as F

from hcf_spark.config import load_config
from hcf_spark.spark import encode
from hcf_spark.spark.embed import embed_companies
from hcf_spark.spark.session import get_session
from hcf_spark.spark.tables import Tables
from hcf_spark.text.spec import resolve_encoder

N_TASKS = 6
HOLD_SECONDS = 1


def make_telling_fn(spec):
    """In place of ``make_encode_fn``: each task tells what Spark gave it, and from when to when it held that."""

    def tell(batches):
        start = time.time()
        for _ in batches:
            time.sleep(HOLD_SECONDS)
        cpus, gpu = encode.task_resources()
        told = {"executor": os.getppid(), "cpus": cpus, "gpu": gpu, "start": start, "end": time.time()}
        yield encode._rows(effort=[json.dumps(told)])

    return tell


def tell_resources(spark, spec, use_gpu):
    texts = spark.range(N_TASKS, numPartitions=N_TASKS).select(F.col("id").cast("string").alias("text_hash"))
    rows = encode.encode_texts(texts.withColumn("text", F.lit("cloud")), spec, use_gpu).collect()
    return [json.loads(row.effort) for row in rows]


def make_dying_fn(make_encode_fn, folder):
    """``make_encode_fn``, but the first task to give vectors loses its Python worker, the next one its executor."""

    def kill_once():
        for victim in ("worker", "executor"):
            try:
                (folder / f"killed {victim}").touch(exist_ok=False)
            except FileExistsError:
                continue
            own = psutil.Process()
            executor = next(parent for parent in own.parents() if parent.name() == "java")
            os.kill(own.pid if victim == "worker" else executor.pid, signal.SIGKILL)

    def make(spec):
        encode_batches = make_encode_fn(spec)

        def encode_and_die(batches):
            for block in encode_batches(batches):
                yield block
                kill_once()

        return encode_and_die

    return make


def embed(spark, companies, spec, config):
    """What the stage counts, and the table that it leaves; vectors go to a file."""
    tables = Tables(spark, config)
    counts = embed_companies(tables, companies, spec, config)
    rows = tables.read("text_embeddings", "").orderBy("company_id").toPandas()
    np.save(f"{config.output}.npy", np.stack(rows.pop("embedding")))
    effort = counts.effort
    return {
        "rows": rows.to_dict("list"), "counts": [counts.n_encoded, counts.n_tokens, effort.texts, effort.tokens],
    }  # fmt: skip


def main(folder: Path, overrides: list[str]) -> None:
    """Write to answer.json what tasks get with and without GPUs, and both tables, undisturbed and with the kills."""
    script = folder / "find_gpus"
    script.write_text('#!/bin/sh\necho \'{"name": "gpu", "addresses": ["0", "1"]}\'\n')
    script.chmod(0o755)
    settings = {
        "spark.ui.enabled": False, "spark.driver.host": "127.0.0.1", "spark.sql.shuffle.partitions": 2,
        "spark.databricks.delta.snapshotPartitions": 2,
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
        "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1",
        "spark.executor.cores": 4,
        "spark.worker.resource.gpu.amount": 2, "spark.worker.resource.gpu.discoveryScript": str(script),
        "spark.executor.resource.gpu.amount": 2, "spark.executor.resource.gpu.discoveryScript": str(script),
    }  # fmt: skip
    layer = f"spark.settings={json.dumps(settings)}"
    spark = get_session("embed_on_cluster", load_config(overrides=["spark.master=local-cluster[2,4,1024]", layer]))
    companies = spark.read.parquet(str(folder / "companies.parquet"))
    spec = resolve_encoder(load_config(overrides=overrides).encoder)
    answer, make_encode_fn = {}, encode.make_encode_fn
    encode.make_encode_fn = make_telling_fn
    answer["with_gpu"], answer["without_gpu"] = (tell_resources(spark, spec, use_gpu) for use_gpu in (True, False))
    for name, make in (("undisturbed", make_encode_fn), ("killed", make_dying_fn(make_encode_fn, folder))):
        encode.make_encode_fn = make
        answer[name] = embed(spark, companies, spec, load_config(overrides=[f"output={folder / name}", *overrides]))
    (folder / "answer.json").write_text(json.dumps(answer))
    spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
