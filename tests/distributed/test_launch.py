"""Training by TorchDistributor: several processes give what one gives, and what goes wrong in one reaches the user."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_snapshot import Company, checkerboard_shards, write_snapshot

from hcf_spark import launch
from hcf_spark.errors import TrainingError
from hcf_spark.evaluation.candidate import Search, judge_trial
from hcf_spark.experiment import make_candidates
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
    "evaluation.trials=1",
]  # fmt: skip


@pytest.fixture
def snapshot(tmp_path):
    """As many companies in each of the two files, held-out ones too: they are one batch, on one process or two."""
    write_snapshot(tmp_path / "snapshot", checkerboard_shards(12, 8, 2), [], n_products=8)
    return tmp_path / "snapshot"


@pytest.fixture
def tune(spark, snapshot, make_config, tmp_path):
    """Tune a model on the snapshot; returns its candidate and what it chose."""

    def tune(kind, work, *overrides, folder=snapshot, storage=None):
        config = make_config(*WHOLE_BATCH, *overrides)
        found = read_snapshot(folder, Manifest.read(folder), 100, 100, config.seed)
        candidate = DistributedCandidate(
            kind, spark, folder, tmp_path / work, config.train, 1000, {"learning_rate": 100.0, "company_l2": 2.0}
        )
        search = Search(config.evaluation.trials, config.evaluation.cutoff, config.seed, storage)
        return candidate, candidate.tune(found.inner, found.validation, search)

    return tune


@pytest.fixture
def in_this_process(monkeypatch):
    monkeypatch.setattr(DistributedCandidate, "_distribute", run_here)


def run_here(self, plans):
    return run_worker([plan.to_dict() for plan in plans])


def assert_same_weights(first: Path, second: Path):
    (first, _), (second, _) = load_tensors(first / BEST), load_tensors(second / BEST)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        np.testing.assert_allclose(tensor.numpy(), second[name].numpy(), rtol=1e-4, atol=1e-5, err_msg=name)


def without_seconds(history):
    return [[record[name] for name in sorted(record) if name != "seconds"] for record in history]


@pytest.mark.parametrize(("kind", "trials"), [(Hcf, 4), (Dcf, 1)])
def test_two_processes_on_the_driver_equal_one(tune, tmp_path, monkeypatch, kind, trials):
    two, chosen = tune(kind, "two", f"evaluation.trials={trials}")
    with monkeypatch.context() as patch:
        patch.setattr(DistributedCandidate, "_distribute", run_here)
        one, expected = tune(kind, "one", f"evaluation.trials={trials}")
    assert_same_weights(*(weights_of_the_best(tmp_path / folder, kind) for folder in ("two", "one")))
    np.testing.assert_allclose(without_seconds(two.history), without_seconds(one.history), rtol=1e-4)
    assert chosen.settings == expected.settings
    best = max(np.mean(record[1:]) for record in without_seconds(two.history))
    assert max(trial.warm + trial.cold for trial in chosen.trials) / 2 == pytest.approx(best)


def weights_of_the_best(work, kind):
    (folder,) = (work / f"{kind.name}-inner").glob("*/*")
    return folder


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
    assert_same_weights(*(weights_of_the_best(tmp_path / folder, Hcf) for folder in ("cluster", "one")))


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


def test_a_network_in_training_judges_no_more_companies_than_evaluation_does(
    snapshot, make_config, tmp_path, monkeypatch
):
    plans = []

    def note(self, asked):
        plans.extend(asked)
        return run_here(self, asked)

    monkeypatch.setattr(DistributedCandidate, "_distribute", note)
    config = make_config(*WHOLE_BATCH, "evaluation.models=[hcf]", "evaluation.max_companies=9")
    (candidate,) = make_candidates(None, config, snapshot, tmp_path / "work")
    found = read_snapshot(snapshot, Manifest.read(snapshot), 100, 100, 0)
    candidate.tune(found.inner, found.validation, Search(trials=2, cutoff=3, seed=0))
    assert {plan.max_judged for plan in plans} == {9}


def test_what_goes_wrong_in_a_task_is_a_training_error(snapshot, make_config, tmp_path, monkeypatch):
    def run(plans, threads):
        raise OSError(f"no space left for {len(plans)} runs on {threads} thread")

    monkeypatch.setattr(launch, "run_worker", run)
    monkeypatch.setattr(launch, "task_resources", lambda: (1, None))
    config = make_config(*WHOLE_BATCH, "evaluation.models=[hcf]")
    (candidate,) = make_candidates(None, config, snapshot, tmp_path / "work")
    found = read_snapshot(snapshot, Manifest.read(snapshot), 100, 100, 0)
    with pytest.raises(TrainingError) as caught:
        candidate.tune(found.inner, found.validation, Search(trials=2, cutoff=3, seed=0))
    assert str(caught.value) == "training hcf: no space left for 2 runs on 1 thread"


def test_settings_found_elsewhere_are_taken_and_no_others_are_tried(tune, snapshot, in_this_process):
    candidate, _ = tune(Hcf, "work")
    found = {"epochs": 7, "learning_rate": 0.03, "company_l2": 0.5}
    candidate.settle({"warm": found, "cold": found})
    companies = read_snapshot(snapshot, Manifest.read(snapshot), 100, 100, 0)
    chosen = candidate.tune(companies.inner, companies.validation, Search(trials=6, cutoff=3, seed=0))
    (trial,) = chosen.trials
    assert (trial.settings["learning_rate"], trial.settings["company_l2"]) == (0.03, 0.5)
    assert chosen.settings["warm"]["epochs"] == 1 + int(
        np.argmax([np.mean(row[1:]) for row in without_seconds(candidate.history)])
    )


def test_other_settings_are_tried_and_the_best_are_kept(tune, snapshot, tmp_path, in_this_process):
    candidate, chosen = tune(Hcf, "work", "evaluation.trials=6", "train.learning_rate=0.001", "train.company_l2=0")
    rates = [trial.settings["learning_rate"] for trial in chosen.trials]
    assert rates[0] == 0.001
    assert len(set(rates)) == len(rates) == 6
    assert all(1e-5 <= rate <= 0.1 for rate in rates[1:])
    assert {trial.settings["company_l2"] for trial in chosen.trials} == {0.0}
    values = [trial.warm + trial.cold for trial in chosen.trials]
    assert max(values) > values[0]
    assert chosen.settings["warm"]["learning_rate"] == rates[int(np.argmax(values))]
    assert weights_of_the_best(tmp_path / "work", Hcf).name == str(int(np.argmax(values)))
    found = read_snapshot(snapshot, Manifest.read(snapshot), 100, 100, 0)
    assert judge_trial({}, chosen.model, found.validation, 3).warm == max(
        trial.warm
        for trial in chosen.trials
        if trial.settings["learning_rate"] == chosen.settings["warm"]["learning_rate"]
    )
    candidate.fit(found.full, chosen.settings, seed=0)
    _, about = load_tensors(tmp_path / "work" / "hcf-full" / BEST)
    assert about["plan"]["learning_rate"] == chosen.settings["warm"]["learning_rate"]


def test_a_search_that_is_stored_is_not_repeated(tune, tmp_path, monkeypatch, in_this_process):
    storage = f"sqlite:///{tmp_path / 'studies.db'}"
    _, first = tune(Hcf, "work", "evaluation.trials=4", storage=storage)
    trained = []

    def resume(self, plans):
        trained.extend(plans)
        return run_here(self, plans)

    monkeypatch.setattr(DistributedCandidate, "_distribute", resume)
    candidate, again = tune(Hcf, "work", "evaluation.trials=4", storage=storage)
    assert (again.settings, again.trials) == (first.settings, first.trials)
    assert [plan.learning_rate for plan in trained] == [first.settings["warm"]["learning_rate"]]
    assert candidate.history


@pytest.mark.parametrize("change", ["train.loss=mse", "evaluation.trials=2", "train.max_epochs=2"])
def test_a_search_with_other_settings_is_not_taken_for_the_one_that_is_stored(tune, tmp_path, change, in_this_process):
    storage = f"sqlite:///{tmp_path / 'studies.db'}"
    tune(Hcf, "work", "evaluation.trials=4", storage=storage)
    _, found = tune(Hcf, "work", "evaluation.trials=4", change, storage=storage)
    _, expected = tune(Hcf, "elsewhere", "evaluation.trials=4", change)
    assert (found.settings, found.trials) == (expected.settings, expected.trials)


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
        return SimpleNamespace(run=lambda worker, plans: worker(plans))

    monkeypatch.setattr("hcf_spark.launch.TorchDistributor", distributor)
    config = make_config("train.max_epochs=1")
    found = read_snapshot(snapshot, Manifest.read(snapshot), 100, 100, 0)
    session = SimpleNamespace(conf={"spark.master": master})
    for setting, expected in ((None, local), (True, True), (False, False)):
        train = config.train.model_copy(update={"local_mode": setting})
        candidate = DistributedCandidate(Hcf, session, snapshot, tmp_path / "work", train, 1000, {})
        candidate.tune(found.inner, found.validation, Search(1, 3, 0))
        assert told.pop() == (1, expected, False)
