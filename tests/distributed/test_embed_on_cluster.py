"""Stage 1 on a cluster: each GPU is used by one task at a time, and kill -9 of workers changes no vector."""

import json
import subprocess
import sys
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_bert import WORDS, save_tiny_bert

pytestmark = [pytest.mark.spark, pytest.mark.distributed]

N_COMPANIES = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What ``embed_on_cluster`` leaves."""
    folder = tmp_path_factory.mktemp("cluster")
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(WORDS[:8], size=1_500)) for _ in range(N_COMPANIES)]
    companies = pd.DataFrame({"company_id": [f"c{number}" for number in range(N_COMPANIES)], "description": texts})
    companies.to_parquet(folder / "companies.parquet")
    encoder = save_tiny_bert(folder / "tiny")
    settings = [f"encoder.model={encoder}", "encoder.overlap_tokens=4", "encoder.batch_tokens=1024"]
    command = [sys.executable, Path(__file__).with_name("embed_on_cluster.py"), folder, *settings]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def answer(folder):
    return json.loads((folder / "answer.json").read_text())


def test_each_task_of_the_embedding_stage_has_a_gpu_to_itself_and_no_other_stage_asks_for_one(answer):
    held = defaultdict(list)
    for task in answer["with_gpu"]:
        held[task["executor"], task["gpu"]].append((task["start"], task["end"]))
        assert task["cpus"] == 4 // 2, "its share of the executor's cores"
    assert {gpu for _, gpu in held} == {"0", "1"}
    assert sum(map(len, held.values())) == 6 > len(held), "some GPU is used twice"
    for times in held.values():
        assert all(first[1] <= second[0] for first, second in pairwise(sorted(times))), "one task at a time"
    assert [(task["cpus"], task["gpu"]) for task in answer["without_gpu"]] == [(1, None)] * 6


def test_the_table_is_the_same_when_a_worker_and_an_executor_are_killed(answer, folder):
    assert sorted(path.name for path in folder.glob("killed *")) == ["killed executor", "killed worker"]
    assert answer["killed"] == answer["undisturbed"]
    assert answer["killed"]["counts"][0] == len(set(answer["killed"]["rows"]["company_id"])) == N_COMPANIES
    vectors = [np.load(folder / f"{name}.npy") for name in ("undisturbed", "killed")]
    np.testing.assert_allclose(*vectors, atol=1e-6)
