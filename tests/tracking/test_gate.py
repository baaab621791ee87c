"""The gate: who becomes champion. All versions are of one logged model; what validation says of them differs."""

import numpy as np
import pytest
from mlflow.tracking import MlflowClient
from tiny_package import make_package

from hcf_spark.models.popularity import Popularity
from hcf_spark.tracking import registry
from hcf_spark.tracking.gate import run_gate


@pytest.fixture(scope="module")
def logged(register, package):
    register("logged", package)
    return "logged", "1"


@pytest.fixture
def name(request):
    """A registered model of its own for each test."""
    return request.node.name.translate(str.maketrans("[]", "--"))


@pytest.fixture
def judge(name, logged, add_version, example):
    """Pass a new version with these validation scores through the gate."""

    def judge(warm, cold, snapshot="snapshot 1", popularity=(0.1, 0.1), logged=logged, lineage="here"):
        rows = {"hcf": {"validation": {"warm": warm, "cold": cold}}}
        if popularity is not None:
            rows["popularity"] = {"validation": dict(zip(("warm", "cold"), popularity, strict=True))}
        return run_gate(name, add_version(name, logged), rows, "hcf", snapshot, lineage, example)

    return judge


def champion(name):
    return registry.find_alias(name, registry.CHAMPION)


def test_the_first_sound_version_becomes_champion_and_says_so(judge, name):
    verdict = judge(0.5, 0.3)
    assert verdict.promoted
    assert champion(name) == "1"
    tags = MlflowClient().get_model_version(name, "1").tags
    assert tags["gate.verdict"] == "promoted: validation NDCG 0.4000, no worse than the champion before"
    assert tags["gate.snapshot_id"] == "snapshot 1"
    assert float(tags["gate.validation_ndcg"]) == 0.4


def test_one_below_popularity_is_kept_out(judge, name):
    verdict = judge(0.05, 0.1, popularity=(0.1, 0.1))
    assert (verdict.promoted, verdict.reason) == (False, "validation NDCG 0.0750 is below popularity's 0.1000")
    assert champion(name) is None
    assert MlflowClient().get_model_version(name, "1").tags["gate.verdict"] == f"kept out: {verdict.reason}"


def test_popularity_itself_may_be_champion_and_may_be_left_out(judge, name):
    assert judge(0.1, 0.1, popularity=(0.1, 0.1)).promoted
    assert judge(0.2, 0.2, popularity=None).promoted
    assert champion(name) == "2"


@pytest.mark.parametrize(
    ("snapshot", "score", "promoted"),
    [
        ("snapshot 1", 0.5, True),
        ("snapshot 1", 0.4999, False),
        ("snapshot 2", 0.4901, True),
        ("snapshot 2", 0.4899, False),
    ],
)
def test_a_drop_is_allowed_on_other_data_only_and_a_small_one(judge, name, snapshot, score, promoted):
    assert judge(0.5, 0.5).promoted
    verdict = judge(score, score, snapshot=snapshot)
    assert verdict.promoted == promoted
    assert champion(name) == ("2" if promoted else "1")
    if not promoted:
        least = 0.5 if snapshot == "snapshot 1" else 0.49
        assert verdict.reason == (f"validation NDCG {score:.4f} is below {least:.4f}, what champion version 1 asks for")


def test_one_kept_out_is_compared_with_no_more(judge, name):
    """A challenger is compared with the champion, not with the version before it."""
    for score, promoted in ((0.5, True), (0.2, False), (0.3, False), (0.6, True)):
        assert judge(score, score).promoted == promoted
    assert champion(name) == "4"


def test_a_champion_that_someone_else_made_is_replaced(judge, name):
    judge(0.05, 0.05)
    MlflowClient().delete_model_version_tag(name, "1", "gate.validation_ndcg")
    MlflowClient().set_registered_model_alias(name, registry.CHAMPION, "1")
    assert judge(0.2, 0.2).promoted
    assert champion(name) == "2"


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_validation_score_that_is_no_number_is_kept_out(judge, name, score):
    verdict = judge(score, 0.5)
    assert (verdict.promoted, verdict.reason) == (False, f"validation NDCG is {score}")
    assert champion(name) is None


@pytest.fixture(scope="module", params=[np.nan, np.inf])
def not_finite(request, register, store):
    name = f"scores of {request.param}"
    shares = np.array([0.5, request.param, 0.1, 0.1, 0.1], np.float32)
    register(name, make_package(Popularity(shares), store))
    return name, "1"


def test_a_model_whose_scores_are_not_finite_is_kept_out(judge, name, not_finite):
    verdict = judge(0.9, 0.9, logged=not_finite)
    assert not verdict.promoted
    assert verdict.reason == (
        "it does not load and answer: ValueError: "
        "1 of 5 scores are not finite: train the model again with a lower learning rate"
    )
    assert champion(name) is None


def test_a_version_without_its_files_is_kept_out(judge, name, logged, add_version, example):
    add_version(name, logged)
    MlflowClient().create_model_version(name, "file:///nowhere/at/all")
    rows = {"hcf": {"validation": {"warm": 0.9, "cold": 0.9}}}
    verdict = run_gate(name, "2", rows, "hcf", "snapshot 1", "here", example)
    assert not verdict.promoted
    assert verdict.reason.startswith("it does not load and answer: ")
    assert champion(name) is None


def test_champion_of_another_lineage_is_no_measure(judge):
    assert judge(0.5, 0.5).promoted
    assert not judge(0.2, 0.2, snapshot="snapshot 2").promoted
    assert judge(0.2, 0.2, snapshot="snapshot 2", lineage="elsewhere").promoted
