"""kill -9 in the middle of a job, then the job again: the tables of an undisturbed run, nothing more and nothing less.

The undisturbed chain runs in this session. What is killed is a job in a process group of its own, in a copy of the state
before that job; it is killed at the moment that hurts most, when a part of its work is visible on disk.
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
from tiny_bert import save_tiny_bert

from hcf_spark.config import load_config
from hcf_spark.spark.tables import Tables
from jobs import build_matrix, embed_companies, load_tables, score_companies, train_model

pytestmark = pytest.mark.spark

JOBS = {job.__name__: job for job in (build_matrix, embed_companies, train_model, score_companies)}
MATRIX = ("company_vocab", "product_vocab", "company_product", "quarantine")
SCORES = ("company_scores", "company_embeddings")
SAME_SESSION = json.dumps({"spark.sql.shuffle.partitions": 2, "spark.ui.enabled": False})
TIMEOUT = 240


@pytest.fixture(scope="module")
def world(spark, tmp_path_factory):
    """The state before each job and, as ``done``, after the last."""
    folder = tmp_path_factory.mktemp("undisturbed")
    encoder = save_tiny_bert(folder / "tiny")
    settings = [
        f"encoder.model={encoder}", "encoder.overlap_tokens=2", "input.source=sample", "sample.companies=120",
        "sample.products=30", "train.max_epochs=40", "train.patience_epochs=40", "evaluation.models=[popularity, hcf]",
    ]  # fmt: skip
    output = folder / "out"
    flags = to_flags([f"output={output}", *settings])
    assert load_tables.main(flags) == 0
    for name, job in JOBS.items():
        shutil.copytree(output, folder / f"before {name}")
        assert job.main(flags) == 0
    shutil.copytree(output, folder / "done")
    return folder, settings


@pytest.fixture
def interrupt(world, tmp_path):
    """Kill a job when its output shows something, and run it again; returns the output folders (undisturbed, killed)."""
    folder, settings = world

    def interrupt(job, seen, unseen):
        output = tmp_path / "out"
        shutil.copytree(folder / f"before {job.__name__}", output)
        flags = to_flags([f"output={output}", *settings])
        kill_when(job, flags, lambda: next(output.glob(seen), None))
        assert next(output.glob(unseen), None) is None, "killed too late: all was done"
        assert job.main(flags) == 0
        return folder / "done", output

    return interrupt


def to_flags(settings):
    return [flag for setting in settings for flag in ("--set", setting)]


def kill_when(job, flags, condition):
    """Start a job in a process group of its own and kill the group once the condition holds."""
    own = to_flags(["spark.master=local[2]", f"spark.settings={SAME_SESSION}"])
    process = subprocess.Popen(
        [sys.executable, "-m", job.__name__, *flags, *own],
        cwd=Path(job.__file__).parent.parent, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    started, family = time.monotonic(), []
    while not condition():
        assert process.poll() is None, process.stderr.read()[-3000:]
        assert time.monotonic() - started < TIMEOUT
        time.sleep(0.005)
    family = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive, "a process outlives the job and may write on"


def read(spark, output, name, leave_out):
    table = Tables(spark, load_config(overrides=[f"output={output}"])).read(name, "").drop(*leave_out)
    keys = [column for column, kind in table.dtypes if not kind.startswith(("array", "float", "double"))]
    return table.toPandas().sort_values(keys, ignore_index=True)


def assert_same_tables(spark, folders, names, leave_out=()):
    for name in names:
        undisturbed, interrupted = (read(spark, folder, name, leave_out) for folder in folders)
        assert len(undisturbed)
        for column in set(undisturbed) & {"embedding"}:
            np.testing.assert_allclose(
                *(np.stack(table.pop(column)) for table in (undisturbed, interrupted)), atol=1e-6
            )
        pd.testing.assert_frame_equal(undisturbed, interrupted, check_exact=False, rtol=0, atol=1e-6)


def test_build_matrix_killed_between_two_of_its_tables(spark, interrupt):
    folders = interrupt(
        build_matrix, seen="tables/company_vocab/_delta_log/*0.json", unseen="tables/company_product/_delta_log/*0.json"
    )
    assert_same_tables(spark, folders, MATRIX[:3])


def test_train_model_killed_in_the_middle_of_training(interrupt, capfd):
    folders = interrupt(train_model, seen="training/*/hcf-inner/latest.safetensors", unseen="metrics.json")
    assert "resumed after epoch" in capfd.readouterr().out
    undisturbed, interrupted = (json.loads((folder / "metrics.json").read_text()) for folder in folders)
    for metrics in (undisturbed, interrupted):
        for row in metrics["models"].values():
            assert row.pop("fit_seconds") > 0
            assert row.pop("tune_seconds") > 0
    assert undisturbed == interrupted


@pytest.mark.slow
def test_embed_companies_killed_before_its_vectors_are_written(spark, interrupt):
    folders = interrupt(
        embed_companies,
        seen="tables/text_embeddings/_delta_log/*0.json",
        unseen="tables/text_embeddings/_delta_log/*1.json",
    )
    assert_same_tables(spark, folders, ["text_embeddings"])


@pytest.mark.slow
def test_score_companies_killed_between_its_two_tables(spark, interrupt):
    folders = interrupt(
        score_companies,
        seen="tables/company_scores/_delta_log/*0.json",
        unseen="tables/company_embeddings/_delta_log/*0.json",
    )
    assert_same_tables(spark, folders, SCORES, leave_out=["scored_at"])
