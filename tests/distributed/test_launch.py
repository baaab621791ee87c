"""Training by TorchDistributor: several processes give what one gives, and what goes wrong in one reaches the user."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_snapshot import Company, checkerboard_shards, write_snapshot

from hcf_spark.errors import TrainingError
from hcf_spark.evaluation.candidate import Search
from hcf_spark.launch import DistributedCandidate
from hcf_spark.models.hcf import Dcf, Hcf
from hcf_spark.nn.checkpoint import load_tensors
from hcf_spark.train.loop import BEST
from hcf_spark.train.manifest import Manifest
from hcf_spark.train.snapshot import read_snapshot
from hcf_spark.train.worker import run_worker

pytestmark = [pytest.mark.spark, pytest.mark.distributed]

WHOLE_BATCH = [
    "evaluation.cutoff=3", "train.processes=2", "train.dropout=0", "train.depth=1", "train.hidden_size=6",
    "train.batch_companies=12", "train.max_epochs=4", "train.learning_rate=0.02", "train.timeout_seconds=60",
]  # fmt: skip


@pytest.fixture
def snapshot(tmp_path):
    """As many companies in each of the two files, held-out ones too: they are one batch, on one process or two."""
    write_snapshot(tmp_path / "snapshot", checkerboard_shards(12, 8, 2), [], n_products=8)
    return tmp_path / "snapshot"


@pytest.fixture
def tune(spark, snapshot, make_config, tmp_path):
    """Tune a model on the snapshot; returns its candidate and what it chose."""

    def tune(kind, work, *overrides, folder=snapshot):
        config = make_config(*WHOLE_BATCH, *overrides)
        found = read_snapshot(folder, Manifest.read(folder), 100, 100, config.seed)
        candidate = DistributedCandidate(kind, spark, folder, tmp_path / work, config.train)
        return candidate, candidate.tune(
            found.inner, found.validation, Search(1, config.evaluation.cutoff, config.seed)
        )

    return tune


@pytest.fixture
def in_this_process(monkeypatch):
    monkeypatch.setattr(DistributedCandidate, "_distribute", lambda self, plan: run_worker(plan.to_dict()))


def assert_same_weights(first: Path, second: Path):
    (first, _), (second, _) = load_tensors(first / BEST), load_tensors(second / BEST)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        np.testing.assert_allclose(tensor.numpy(), second[name].numpy(), rtol=1e-4, atol=1e-5, err_msg=name)


def without_seconds(history):
    return [[record[name] for name in sorted(record) if name != "seconds"] for record in history]


@pytest.mark.parametrize("kind", [Hcf, Dcf])
def test_two_processes_on_the_driver_equal_one(tune, tmp_path, monkeypatch, kind):
    two, chosen = tune(kind, "two")
    with monkeypatch.context() as patch:
        patch.setattr(DistributedCandidate, "_distribute", lambda self, plan: run_worker(plan.to_dict()))
        one, expected = tune(kind, "one")
    assert_same_weights(tmp_path / "two" / f"{kind.name}-inner", tmp_path / "one" / f"{kind.name}-inner")
    np.testing.assert_allclose(without_seconds(two.history), without_seconds(one.history), rtol=1e-4)
    assert chosen.settings == expected.settings
    best = max(np.mean(record[1:]) for record in without_seconds(two.history))
    assert (chosen.trials[0].warm + chosen.trials[0].cold) / 2 == pytest.approx(best)


def test_an_executor_each_equals_one_process(tune, tmp_path, snapshot, in_this_process):
    command = [
        sys.executable,
        Path(__file__).with_name("train_on_cluster.py"),
        snapshot,
        tmp_path / "cluster",
        *WHOLE_BATCH,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    tune(Hcf, "one")
    assert_same_weights(tmp_path / "cluster" / "hcf-inner", tmp_path / "one" / "hcf-inner")


def test_tuned_on_inner_then_fitted_on_everything_for_as_many_epochs(
    tune, snapshot, tmp_path, make_config, in_this_process
):
    candidate, chosen = tune(Hcf, "work")
    assert len(candidate.history) == 4
    epochs = chosen.settings["warm"]["epochs"]
    assert epochs == 1 + int(np.argmax([np.mean(row[1:]) for row in without_seconds(candidate.history)]))
    full = read_snapshot(snapshot, Manifest.read(snapshot), 100, 100, 0).full
    model = candidate.fit(full, chosen.settings, seed=0)
    assert model.score(full).shape == (12, 8)
    _, about = load_tensors(tmp_path / "work" / "hcf-full" / BEST)
    assert about["epoch"] == epochs
    assert len(candidate.history) == 4


def test_fewer_files_than_processes_fails_before_any_process_starts(tune):
    with pytest.raises(TrainingError) as caught:
        tune(Hcf, "work", "train.processes=3")
    assert str(caught.value) == (
        "the snapshot has 2 files of training companies for 3 processes: lower train.processes, or give more companies"
    )


def test_what_goes_wrong_in_one_process_is_the_message_on_the_driver(tune, tmp_path):
    sound, held_out = Company(0, [1.0], [0], [1]), Company(1, [1.0], [], [1], cold=True)
    write_snapshot(tmp_path / "bad", [[sound], [held_out]], [], n_products=2)
    with pytest.raises(TrainingError) as caught:
        tune(Hcf, "work", folder=tmp_path / "bad")
    assert str(caught.value) == (
        "training hcf: training process 1 has only companies that are held out for validation: "
        "lower train.processes, or give more companies"
    )


@pytest.mark.parametrize(("master", "local"), [("local[*]", True), ("local", True), ("local-cluster[2,1,1024]", False)])
def test_processes_run_on_the_driver_where_spark_is_local(monkeypatch, snapshot, tmp_path, make_config, master, local):
    """Which way is only looked at: the distributor is told, not started."""
    from types import SimpleNamespace

    told = []

    def distributor(num_processes, local_mode, use_gpu):
        told.append((num_processes, local_mode, use_gpu))
        return SimpleNamespace(run=lambda worker, plan: worker(plan))

    monkeypatch.setattr("hcf_spark.launch.TorchDistributor", distributor)
    config = make_config("train.max_epochs=1")
    found = read_snapshot(snapshot, Manifest.read(snapshot), 100, 100, 0)
    session = SimpleNamespace(conf={"spark.master": master})
    for setting, expected in ((None, local), (True, True), (False, False)):
        train = config.train.model_copy(update={"local_mode": setting})
        candidate = DistributedCandidate(Hcf, session, snapshot, tmp_path / "work", train)
        candidate.tune(found.inner, found.validation, Search(1, 3, 0))
        assert told.pop() == (1, expected, False)
