"""The training loop, one process, on snapshots of a few literal companies."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from tiny_snapshot import Company, checkerboard_shards, make_plan, write_snapshot

from hcf_spark.errors import TrainingError
from hcf_spark.evaluation.evaluate import mean_ndcg
from hcf_spark.models.companies import Companies
from hcf_spark.models.hcf import Dcf, Hcf
from hcf_spark.models.ranking import top_k
from hcf_spark.nn.checkpoint import load_tensors, save_tensors
from hcf_spark.train.loader import SnapshotLoader
from hcf_spark.train.loop import BEST, LATEST, START, Trainer
from hcf_spark.train.manifest import Manifest
from hcf_spark.train.objective import FineTuning
from hcf_spark.train.progress import Progress
from hcf_spark.train.snapshot import read_snapshot
from hcf_spark.train.worker import PROBLEM, run_worker


@pytest.fixture
def snapshot(tmp_path):
    write_snapshot(tmp_path / "snapshot", checkerboard_shards(12, 8, 3), [], n_products=8)
    return tmp_path / "snapshot"


def train(plan):
    (history,) = run_worker([plan.to_dict()])
    return {"history": history, "best_epoch": Progress(history).best_epoch}


def without_seconds(history):
    return [{name: value for name, value in record.items() if name != "seconds"} for record in history]


def weights(plan, file=BEST):
    return load_tensors(Path(plan.folder) / file)[0]


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("kind", [Hcf, Dcf])
@pytest.mark.parametrize("depth", [0, 1])
def test_eight_companies_are_learnt_by_heart(tmp_path, kind, depth):
    random = np.random.default_rng(0)
    used = random.random((8, 6)) < 0.4
    used[np.arange(8), np.arange(8) % 6] = True
    companies = [
        Company(index, random.standard_normal(8).tolist(), np.flatnonzero(used[index]).tolist()) for index in range(8)
    ]
    write_snapshot(tmp_path / "snapshot", [companies[:4], companies[4:]], [], n_products=6)
    plan = make_plan(
        tmp_path / "snapshot", tmp_path / "run", network=kind.name, use_validation=False, epochs=80,
        depth=depth, batch_companies=8, dropout=0.0, learning_rate=0.1, weight_decay=0.0, company_l2=0.0,
    )  # fmt: skip
    losses = [record["loss"] for record in train(plan)["history"]]
    assert len(losses) == 80
    assert losses[-1] < 0.01 < 0.2 < losses[0]
    model = kind.from_arrays({name: tensor.numpy() for name, tensor in weights(plan).items()})
    text = np.array([company.text for company in companies], np.float32)
    scores = model.score(Companies(text, sp.csr_matrix(used.astype(np.float32)), np.arange(8)))
    for row, best in enumerate(top_k(scores, 6)):
        assert set(best[: used[row].sum()].tolist()) == set(np.flatnonzero(used[row]).tolist())


@pytest.mark.parametrize(("network", "loss"), [("hcf", "huber"), ("text_dae", "multinomial")])
def test_text_alone_tells_the_products_of_companies_held_out_and_the_withheld_one_of_the_others(
    snapshot, tmp_path, network, loss
):
    plan = make_plan(snapshot, tmp_path / "run", epochs=30, learning_rate=0.05, network=network, loss=loss)
    outcome = train(plan)
    assert outcome["history"][-1]["validation_cold_ndcg"] == 1.0
    assert outcome["history"][-1]["validation_warm_ndcg"] == 1.0
    assert outcome["history"][-1]["loss"] < outcome["history"][0]["loss"]


@pytest.mark.parametrize(("network", "loss"), [("dcf", "huber"), ("text_dae", "multinomial")])
def test_without_text_the_withheld_product_is_told_by_the_known_ones(tmp_path, network, loss):
    shards, random = checkerboard_shards(40, 8, 2), np.random.default_rng(0)
    for company in (company for shard in shards for company in shard):
        company.text = random.standard_normal(4).tolist()
    write_snapshot(tmp_path / "snapshot", shards, [], n_products=8)
    plan = make_plan(
        tmp_path / "snapshot", tmp_path / "run", network=network, loss=loss, epochs=60, learning_rate=0.05,
        batch_companies=8, company_l2=0.01, dropout=0.0,
    )  # fmt: skip
    last = train(plan)["history"][-1]
    assert last["validation_warm_ndcg"] > 0.95
    assert last["validation_cold_ndcg"] < 0.95


def test_the_loss_is_that_of_the_plan(snapshot, tmp_path):
    huber, mse, multinomial = (
        train(make_plan(snapshot, tmp_path / name, epochs=1, dropout=0.0, loss=name))["history"][0]["loss"]
        for name in ("huber", "mse", "multinomial")
    )
    assert mse == pytest.approx(2 * huber, rel=0.2), "Huber with delta 1 is half of it"
    assert multinomial == pytest.approx(3 * np.log(8), rel=0.1), "three known products of eight"


@pytest.mark.parametrize("cut", ["in the middle of epoch 3", "between the two files of epoch 3", "after epoch 3"])
def test_a_run_that_was_interrupted_ends_like_one_that_was_not(snapshot, tmp_path, monkeypatch, cut):
    undisturbed = make_plan(snapshot, tmp_path / "undisturbed", epochs=6)
    expected = train(undisturbed)

    plan = make_plan(snapshot, tmp_path / "interrupted", epochs=6)
    with monkeypatch.context() as patch:
        if cut == "in the middle of epoch 3":
            batches = SnapshotLoader.batches

            def killed(self, rows_per_batch, epoch, keep_cold):
                for number, rows in enumerate(batches(self, rows_per_batch, epoch, keep_cold)):
                    if (epoch, number) == (3, 2):
                        raise KeyboardInterrupt
                    yield rows

            patch.setattr(SnapshotLoader, "batches", killed)
        else:
            save_latest = Trainer._save_latest

            def killed(self):
                if cut == "after epoch 3" or len(self._progress.history) < 3:
                    save_latest(self)
                if len(self._progress.history) == 3:
                    raise KeyboardInterrupt

            patch.setattr(Trainer, "_save_latest", killed)
        with pytest.raises(KeyboardInterrupt):
            train(plan)
    _, about = load_tensors(tmp_path / "interrupted" / LATEST)
    assert len(about["history"]) == (3 if cut == "after epoch 3" else 2)

    outcome = train(plan)
    assert without_seconds(outcome["history"]) == without_seconds(expected["history"])
    assert outcome["best_epoch"] == expected["best_epoch"]
    for file in (BEST, LATEST):
        assert same(weights(plan, file), weights(undisturbed, file))


def test_a_finished_run_is_not_trained_again(snapshot, tmp_path, monkeypatch):
    plan = make_plan(snapshot, tmp_path / "run")
    first = train(plan)
    monkeypatch.setattr(Trainer, "_train_epoch", None)
    assert train(plan) == first


@pytest.mark.parametrize(
    "change",
    [{"learning_rate": 0.03}, {"seed": 1}, {"network": "dcf"}, {"use_validation": False}, {"max_judged": 6}],
)
def test_a_run_with_other_settings_starts_anew(snapshot, tmp_path, change):
    train(make_plan(snapshot, tmp_path / "run", epochs=2))
    plan, fresh = (make_plan(snapshot, tmp_path / folder, epochs=2, **change) for folder in ("run", "fresh"))
    assert without_seconds(train(plan)["history"]) == without_seconds(train(fresh)["history"])
    assert same(weights(plan), weights(fresh))


def test_a_run_that_starts_from_other_shares_starts_anew(snapshot, tmp_path):
    """As when ``evaluation.max_fit_companies`` was changed in between: the plan is the same, the start is not."""
    plan, fresh = (make_plan(snapshot, tmp_path / folder, epochs=2) for folder in ("run", "fresh"))
    train(plan)
    start, _ = load_tensors(tmp_path / "run" / START)
    for folder in ("run", "fresh"):
        save_tensors(tmp_path / folder / START, start | {"text_mean": start["text_mean"] + 0.1}, {})
    train(plan)
    train(fresh)
    assert same(weights(plan), weights(fresh))


def test_a_model_of_other_settings_is_never_taken_for_that_of_a_finished_run(snapshot, tmp_path, monkeypatch):
    """Settings A finish, settings B are killed right after their first model was written, A run again."""
    plan = make_plan(snapshot, tmp_path / "run", epochs=2)
    train(plan)
    expected = weights(plan)
    with monkeypatch.context() as patch:

        def killed(self):
            raise KeyboardInterrupt

        patch.setattr(Trainer, "_save_latest", killed)
        with pytest.raises(KeyboardInterrupt):
            train(make_plan(snapshot, tmp_path / "run", epochs=2, learning_rate=0.5))
    assert not same(weights(plan), expected)
    train(make_plan(snapshot, tmp_path / "run", epochs=2))
    assert same(weights(plan), expected)


@pytest.mark.parametrize(
    ("batch_companies", "message"),
    [
        (3, r"the training loss is (nan|inf) in epoch 1: lower train\.learning_rate"),
        (100, r"scores are not finite after epoch 1: lower train\.learning_rate"),
    ],
)
def test_numbers_that_are_not_finite_say_what_to_do(snapshot, tmp_path, batch_companies, message):
    """The loss shows it at the next step; after the last step of an epoch the validation scores do."""
    plan = make_plan(snapshot, tmp_path / "run", learning_rate=1e30, batch_companies=batch_companies)
    with pytest.raises(TrainingError) as caught:
        train(plan)
    assert re.fullmatch(message, str(caught.value))
    assert (tmp_path / "run" / PROBLEM).read_text() == str(caught.value)
    assert not (tmp_path / "run" / BEST).exists()


def test_training_stops_when_validation_does_not_get_better_and_keeps_the_best(snapshot, tmp_path, monkeypatch):
    scores = iter([0.1, 0.5, 0.3, 0.5, 0.2, 0.9])
    monkeypatch.setattr(
        Trainer, "_validate", lambda self: dict.fromkeys(("validation_warm_ndcg", "validation_cold_ndcg"), next(scores))
    )
    plan = make_plan(snapshot, tmp_path / "run", epochs=6, patience_steps=9)  # of 4 steps an epoch
    outcome = train(plan)
    assert [record["validation_warm_ndcg"] for record in outcome["history"]] == [0.1, 0.5, 0.3, 0.5, 0.2]
    assert outcome["best_epoch"] == 2
    two_epochs = make_plan(snapshot, tmp_path / "two", epochs=2)
    scores = iter([0.1, 0.5])
    train(two_epochs)
    assert same(weights(plan), weights(two_epochs))


def test_without_validation_the_last_epoch_is_kept(snapshot, tmp_path):
    plan = make_plan(snapshot, tmp_path / "run", use_validation=False, epochs=3, patience_steps=1)
    outcome = train(plan)
    assert outcome["best_epoch"] == len(outcome["history"]) == 3
    assert outcome["history"][0].keys() == {"loss", "seconds"}
    latest = weights(plan, LATEST)
    assert all(
        torch.equal(tensor, latest[f"network.{name}"]) for name, tensor in weights(plan).items() if name != "text_mean"
    )
    json.dumps(outcome)


@pytest.mark.parametrize(("use_validation", "alike"), [(True, True), (False, False)])
def test_what_is_for_validation_never_trains(tmp_path, use_validation, alike):
    """Other held products, and other texts of companies held out, give the same weights; unless validation is off."""
    fair, poisoned = (checkerboard_shards(12, 8, 3) for _ in range(2))
    for company in (company for shard in poisoned for company in shard):
        company.held = [7] if company.held != [7] else [0]
        if company.cold:
            company.text = [9.0, -3.0, 2.0, 5.0]
    plans = []
    for name, shards in (("fair", fair), ("poisoned", poisoned)):
        write_snapshot(tmp_path / name / "snapshot", shards, [], n_products=8)
        plans.append(make_plan(tmp_path / name / "snapshot", tmp_path / name / "run", use_validation=use_validation))
        train(plans[-1])
    first, second = (weights(plan, LATEST) for plan in plans)
    assert same(first, second) == alike


def test_company_vectors_of_validation_companies_stay_where_they_start(snapshot, tmp_path):
    plan = make_plan(snapshot, tmp_path / "run", learning_rate=0.1)
    train(plan)
    learnt = weights(plan, LATEST)["network.companies.weight"]
    assert (learnt[10:] == 0).all()
    assert (learnt[:10] != 0).any(dim=1).all()


def test_the_seed_reaches_everything_and_repeats_it(snapshot, tmp_path):
    plans = [make_plan(snapshot, tmp_path / str(run), seed=seed) for run, seed in enumerate((0, 0, 1))]
    histories = [without_seconds(train(plan)["history"]) for plan in plans]
    assert histories[0] == histories[1] != histories[2]
    assert same(weights(plans[0]), weights(plans[1]))
    assert not same(weights(plans[0]), weights(plans[2]))


@pytest.mark.parametrize(("n_companies", "ranks"), [(13, 1), (13, 2), (13, 3)])
def test_steps_are_the_same_on_all_ranks(tmp_path, n_companies, ranks):
    manifest = write_snapshot(tmp_path / "snapshot", checkerboard_shards(n_companies, 8, 3), [], n_products=8)
    plan = make_plan(tmp_path / "snapshot", tmp_path / "run", batch_companies=4)
    trainers = [Trainer(plan, rank, ranks, torch.device("cpu")) for rank in range(ranks)]
    steps = {trainer._steps for trainer in trainers}
    fullest = max(sum(file.rows for file in manifest.files_of_rank(rank, ranks)) for rank in range(ranks))
    assert steps == {-(-fullest // (4 // ranks))}


def test_validation_is_the_harness_own_ndcg(snapshot, tmp_path):
    """The score that stops training early is the one that models are compared by."""
    plan = make_plan(snapshot, tmp_path / "run", epochs=1)
    record = train(plan)["history"][0]
    model = Hcf.from_arrays({name: tensor.numpy() for name, tensor in weights(plan).items()})
    validation = read_snapshot(snapshot, Manifest.read(snapshot), 100, 100, 0).validation
    assert record["validation_warm_ndcg"] == pytest.approx(mean_ndcg(model, validation.warm, plan.cutoff), rel=1e-9)
    assert record["validation_cold_ndcg"] == pytest.approx(mean_ndcg(model, validation.cold, plan.cutoff), rel=1e-9)


def test_validation_may_be_measured_on_some_of_the_companies(tmp_path, monkeypatch):
    write_snapshot(tmp_path / "snapshot", checkerboard_shards(200, 8, 2), [], n_products=8)
    score, judged = FineTuning.score, []

    def note(self, text, index, known):
        judged[-1] += index.tolist()
        return score(self, text, index, known)

    monkeypatch.setattr(FineTuning, "score", note)
    for run, limit in enumerate((60, 60, 200)):
        judged.append([])
        train(make_plan(tmp_path / "snapshot", tmp_path / str(run), epochs=1, max_judged=limit))
    drawn, again, everyone = judged
    assert drawn == again
    assert 40 < len(drawn) < 80
    assert len(everyone) == 200


@pytest.mark.parametrize("ranks", [2, 3])
def test_all_ranks_judge_what_one_would(tmp_path, ranks):
    write_snapshot(tmp_path / "snapshot", checkerboard_shards(60, 8, 3), [], n_products=8)
    plan = make_plan(tmp_path / "snapshot", tmp_path / "run", max_judged=20)
    alone, *others = (
        Trainer(plan, rank, of, torch.device("cpu"))._is_judged
        for rank, of in [(0, 1), *((rank, ranks) for rank in range(ranks))]
    )
    assert 0 < alone.sum() < 60
    assert all((other == alone).all() for other in others)
