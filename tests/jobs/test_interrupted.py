"""kill -9 in the middle of a job, then the job again: the tables of an undisturbed run, nothing more, nothing less.

The undisturbed chain runs in this session, as far as a test needs it. What is killed is a job in a process group of its
own, in a copy of the state before that job, at the moment that hurts most: when a part of its work is visible on disk.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from delta.tables import DeltaTable
from tiny_bert import WORDS, save_tiny_bert

from hcf_spark.config import load_config
from hcf_spark.spark.tables import Tables
from jobs import build_matrix, embed_companies, score_companies, train_model

pytestmark = pytest.mark.spark

CHAIN = (build_matrix, embed_companies, train_model, score_companies)
COMMIT = "tables/{}/_delta_log/{:020d}.json"
CHILD = [
    "spark.master=local[2]", "spark.settings={spark.sql.shuffle.partitions: 2, spark.ui.enabled: false, "
    "spark.databricks.delta.snapshotPartitions: 2, spark.driver.extraJavaOptions: '-XX:TieredStopAtLevel=1'}",
]  # fmt: skip
TIMEOUT_SECONDS = 400


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    encoder = save_tiny_bert(tmp_path_factory.mktemp("encoder") / "tiny")
    return [
        f"encoder.model={encoder}", "encoder.overlap_tokens=2", "train.max_epochs=8", "train.patience_steps=1000",
        "evaluation.models=[popularity, hcf]", "evaluation.trials=4", "mlflow.gate=off",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(spark, settings, tmp_path_factory):
    """Runs the chain up to a job, if it has not come that far; gives the output folders before and after that job."""
    folder = tmp_path_factory.mktemp("undisturbed")
    write_world(spark, Tables(spark, load_config(overrides=[f"output={folder / 'out'}"])))
    shutil.copytree(folder / "out", folder / "after 0")

    def run_until(last):
        for number, job in enumerate(CHAIN[: CHAIN.index(last) + 1], start=1):
            after = folder / f"after {number}"
            if not after.exists():
                assert job.main(to_flags([f"output={folder / 'out'}", *settings])) == 0
                shutil.copytree(folder / "out", after)
        return folder / f"after {number - 1}", folder / f"after {number}"

    return run_until


def write_world(spark, tables):
    """80 companies and 20 products, usage at random; one row of each table is bad."""
    random = np.random.default_rng(0)
    companies = [(f"c{number}", f"C {number}", " ".join(random.choice(WORDS, 6))) for number in range(80)]
    products = [(f"p{number}", f"P {number}") for number in range(20)]
    usage = [(f"c{company}", f"p{product}") for company, product in np.argwhere(random.random((80, 20)) < 0.3).tolist()]
    for name, rows, schema in (
        ("companies", [*companies, (None, "nobody", "we sell")], "company_id string, name string, description string"),
        ("products", [*products, (None, "nothing")], "product_id string, name string"),
        ("usage", [*usage, ("c0", "unknown")], "company_id string, product_id string"),
    ):
        tables.overwrite(name, spark.createDataFrame(rows, schema))


@pytest.fixture
def interrupt(undisturbed, settings, tmp_path):
    """Kills a job when a first file is there and a second one is not, and runs it again; gives both output folders."""

    def interrupt(job, there, not_there, *of_the_killed):
        before, after = undisturbed(job)
        output = tmp_path / "out"
        shutil.copytree(before, output)
        flags = to_flags([f"output={output}", *settings])
        kill_once_there(job, [*flags, *to_flags([*CHILD, *of_the_killed])], output, there)
        assert not list(output.glob(not_there)), "killed too late: all was done"
        assert job.main(flags) == 0
        return after, output

    return interrupt


def to_flags(settings):
    return [flag for setting in settings for flag in ("--set", setting)]


def kill_once_there(job, flags, output, there):
    """Start a job in a process group of its own, and kill -9 the group once the file is there."""
    log, command = output.with_name("log"), [sys.executable, "-m", job.__name__, *flags]
    with log.open("wb") as file:
        root = Path(job.__file__).parent.parent
        process = subprocess.Popen(command, cwd=root, start_new_session=True, stdout=file, stderr=subprocess.STDOUT)
    started = time.monotonic()
    while not list(output.glob(there)):
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() - started < TIMEOUT_SECONDS
        time.sleep(0.01)
    family = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    alive = psutil.wait_procs(family, timeout=20)[1]
    assert not alive, "a process outlives the job and may write on"


def assert_same_tables(spark, folders, names, leave_out=()):
    for name in names:
        first, second = (read(spark, folder, name, leave_out) for folder in folders)
        assert len(first)
        if "embedding" in first:
            np.testing.assert_allclose(*(np.stack(table.pop("embedding")) for table in (first, second)), atol=1e-6)
        pd.testing.assert_frame_equal(first, second, rtol=0, atol=1e-6)


def read(spark, output, name, leave_out):
    table = Tables(spark, load_config(overrides=[f"output={output}"])).read(name, "").drop(*leave_out)
    keys = [column for column, kind in table.dtypes if kind in ("string", "bigint", "int")]
    return table.toPandas().sort_values(keys, ignore_index=True)


def test_build_matrix_killed_between_two_of_its_tables(spark, interrupt):
    folders = interrupt(
        build_matrix, there=COMMIT.format("company_vocab", 0), not_there=COMMIT.format("company_product", 0)
    )
    assert_same_tables(spark, folders, ["company_vocab", "product_vocab", "company_product"])


@pytest.mark.slow
def test_embed_companies_killed_between_two_chunks(spark, interrupt):
    chunk, last = (COMMIT.format("text_embeddings", version) for version in (1, 3))
    folders = interrupt(embed_companies, chunk, last, "encoder.minutes_per_commit=0.0008")
    assert_same_tables(spark, folders, ["text_embeddings"])
    table = DeltaTable.forPath(spark, str(folders[1] / "tables" / "text_embeddings"))
    metrics = {row.version: row.operationMetrics for row in table.history().collect()}
    before, after = (int(metrics[version]["numTargetRowsInserted"]) for version in (1, 2))
    assert 0 < before < before + after == table.toDF().count(), "what was there is not encoded again"


@pytest.mark.slow
def test_train_model_killed_in_the_middle_of_training(interrupt, capfd):
    folders = interrupt(
        train_model, there="training/*/hcf-inner/*/2/latest.safetensors", not_there="training/*/hcf-full"
    )
    assert "resumed after epoch" in capfd.readouterr().out
    metrics = [json.loads((folder / "metrics.json").read_text()) for folder in folders]
    for row in (row for each in metrics for row in each["models"].values()):
        assert row.pop("fit_seconds") > 0
        assert row.pop("tune_seconds") > 0
    assert metrics[0] == metrics[1]


@pytest.mark.slow
def test_score_companies_killed_between_two_of_its_tables(spark, interrupt):
    folders = interrupt(
        score_companies, there=COMMIT.format("company_scores", 1), not_there=COMMIT.format("company_embeddings", 1)
    )
    names = ["company_scores", "product_scores", "company_embeddings", "company_neighbours"]
    assert_same_tables(spark, folders, names, leave_out=["scored_at"])
