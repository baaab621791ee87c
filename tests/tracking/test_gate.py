"""The gate: who becomes champion. All versions are of one logged model; what the checks say of them differs."""

import json

import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from hcf_spark.errors import RegistryError
from hcf_spark.tracking import registry
from hcf_spark.tracking.gate import Check, check_finite, check_not_worse, note_not_compared, roll_back, run_gate

SOUND = Check("vectors", {"numbers": 4, "not_finite": 0}, None)
FAILED = Check("load", {}, "it does not load and answer: no such file")


@pytest.fixture(scope="module")
def logged(register, package):
    register("logged", package)
    return "logged", "1"


@pytest.fixture
def name(request):
    """A registered model of its own for each test."""
    return request.node.name.translate(str.maketrans("[]", "--"))


@pytest.fixture
def judge(name, logged, add_version):
    """Pass a new version with these answers through the gate."""
    return lambda *checks, mode="on": run_gate(mode, name, add_version(name, logged), "here", checks)


def champion(name):
    return registry.find_alias(name, registry.CHAMPION)


def tags(name, version):
    return MlflowClient().get_model_version(name, version).tags


def gain(difference, low, high):
    return {"difference": difference, "low": low, "high": high}


def test_a_version_that_passes_is_champion_and_says_what_was_found(judge, name):
    verdict = judge(SOUND, check_not_worse("baseline", "ease", "warm", gain(0.01, -0.02, 0.04)))
    assert (verdict.promoted, verdict.reason, verdict.mode) == (True, "passed 2 checks", "on")
    assert champion(name) == "1"
    found = tags(name, "1")
    assert (found["gate_verdict"], found["gate_mode"], found["gate_lineage"]) == (
        "promoted: passed 2 checks", "on", "here",
    )  # fmt: skip
    assert json.loads(found["gate_vectors"]) == SOUND.found
    assert json.loads(found["gate_baseline_warm"]) == {"other": "ease", **gain(0.01, -0.02, 0.04)}


def test_every_problem_is_told_and_the_champion_stays(judge, name):
    assert judge(SOUND).promoted
    worse = check_not_worse("champion", "1", "cold", gain(-0.03, -0.05, -0.01))
    verdict = judge(worse, SOUND, FAILED)
    reason = (
        "worse than champion 1 on cold test companies: NDCG -0.0300 (-0.0500 to -0.0100); "
        "it does not load and answer: no such file"
    )
    assert (verdict.promoted, verdict.reason) == (False, reason)
    assert champion(name) == "1"
    assert tags(name, "2")["gate_verdict"] == f"kept out: {reason}"


def test_a_champion_that_is_no_measure_is_told_and_keeps_no_one_out(judge, name):
    verdict = judge(SOUND, note_not_compared("1", "it does not load"))
    assert (verdict.promoted, verdict.reason) == (
        True, "passed 1 checks; not compared with champion 1: it does not load",
    )  # fmt: skip
    assert json.loads(tags(name, "1")["gate_champion"]) == {
        "other": "1", "compared": False, "reason": "it does not load",
    }  # fmt: skip
    assert tags(name, "1")["gate_verdict"] == f"promoted: {verdict.reason}"


def test_tags_are_such_as_unity_catalog_takes_and_figures_stay_whole(judge, name):
    judge(SOUND, Check("long", {"other": "ease"}, "x" * 5_000))
    found = tags(name, "1")
    assert not any("." in key for key in found)
    assert found["gate_verdict"] == "kept out: " + "x" * 990
    assert json.loads(found["gate_long"]) == {"other": "ease"}


def test_a_dry_run_notes_what_fails_and_keeps_no_one_out(judge, name):
    verdict = judge(FAILED, mode="dry_run")
    assert (verdict.promoted, verdict.reason) == (True, FAILED.problem)
    assert champion(name) == "1"
    assert tags(name, "1")["gate_verdict"] == f"promoted: {FAILED.problem}"
    assert tags(name, "1")["gate_mode"] == "dry_run"


def test_a_gate_that_is_off_asks_nothing(judge, name):
    verdict = judge(mode="off")
    assert (verdict.promoted, verdict.reason) == (True, "the gate is off")
    assert champion(name) == "1"


@pytest.mark.parametrize(
    ("difference", "low", "high", "passes"),
    [(0.1, 0.05, 0.2, True), (-0.01, -0.03, 0.0, True), (-0.01, -0.03, -0.0001, False), (0.0, 0.0, 0.0, True)],
)
def test_worse_is_what_the_whole_interval_says(difference, low, high, passes):
    assert (check_not_worse("baseline", "ease", "warm", gain(difference, low, high)).problem is None) == passes


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_vectors_that_are_not_finite_fail(bad):
    vectors = np.array([[1.0, bad], [0.0, 2.0]], np.float32)
    assert check_finite(vectors).problem == "1 of 4 numbers in its company vectors are not finite"
    assert check_finite(vectors[1:]).problem is None


def test_rolling_back_gives_the_alias_to_the_one_before(judge, name):
    for checks in ([SOUND], [FAILED], [SOUND], [SOUND]):
        judge(*checks)
    assert champion(name) == "4"
    assert [roll_back(name), roll_back(name)] == [("4", "3"), ("3", "1")]
    assert champion(name) == "1"
    with pytest.raises(RegistryError) as caught:
        roll_back(name)
    assert str(caught.value) == f"model {name}: no version was champion before version 1; nothing was changed"
    assert champion(name) == "1"


def test_rolling_back_to_a_version_that_was_deleted_changes_nothing(judge, name):
    judge(SOUND), judge(SOUND)
    MlflowClient().delete_model_version(name, "1")
    with pytest.raises(RegistryError, match="version 1, the champion before version 2, has been deleted"):
        roll_back(name)
    assert champion(name) == "2"


def test_after_rolling_back_the_next_version_is_measured_by_the_old_one(judge, name):
    judge(SOUND), judge(SOUND)
    roll_back(name)
    judge(SOUND)
    assert champion(name) == "3"
    assert tags(name, "3")["gate_champion_before"] == "1"


def test_the_first_version_is_champion_though_worse_than_the_baseline_but_not_if_it_does_not_load(judge, name):
    worse = check_not_worse("baseline", "ease", "warm", gain(-0.03, -0.05, -0.01))
    assert not judge(worse, FAILED).promoted
    verdict = judge(SOUND, worse)
    assert (verdict.promoted, champion(name)) == (True, "2")
    assert tags(name, "2")["gate_verdict"] == f"promoted: {worse.problem}"
    assert not judge(SOUND, worse).promoted
