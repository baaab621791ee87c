"""The points of a study."""

from pathlib import Path

import pytest

from hcf_spark.config import CONF_FOLDER, load_config
from hcf_spark.errors import ConfigError
from hcf_spark.grid import list_points

STUDIES = sorted((CONF_FOLDER / "studies").glob("*.yml"))


def points_of(*axes):
    return list_points(load_config(overrides=[f"study.axes.{axis}" for axis in axes]))


def test_every_combination_is_a_point_with_settings_of_its_own():
    points = points_of("seed=[3, 4]", "text={short: {text.columns: [name]}, both: {text.columns: [name, about]}}")
    assert [point.labels for point in points] == [
        {"seed": 3, "text": "short"}, {"seed": 3, "text": "both"},
        {"seed": 4, "text": "short"}, {"seed": 4, "text": "both"},
    ]  # fmt: skip
    assert [(point.config.seed, point.config.text.columns) for point in points] == [
        (3, ["name"]), (3, ["name", "about"]), (4, ["name"]), (4, ["name", "about"]),
    ]  # fmt: skip
    assert points[0].config.train == load_config().train


def test_values_that_are_no_numbers_are_named_as_they_are_written():
    (point,) = points_of("evaluation.models=[[ae, ease]]")
    assert point.labels == {"evaluation.models": '["ae", "ease"]'}
    assert point.config.evaluation.models == ["ae", "ease"]
    points = points_of("encoder.max_tokens=[null, 64]")
    assert [point.labels["encoder.max_tokens"] for point in points] == ["null", "64"], "of one type, as a table needs"
    assert [point.config.encoder.max_tokens for point in points] == [None, 64]


def test_without_axes_there_is_one_point():
    (point,) = list_points(load_config())
    assert (point.labels, point.config) == ({}, load_config())


def test_the_key_is_that_of_what_results_depend_on():
    (point,) = list_points(load_config())
    assert point.key([1]) != point.key([2])
    for same in ("output=elsewhere", "log_level=debug", "study.name=other", "mlflow.experiment=x"):
        assert list_points(load_config(overrides=[same]))[0].key([1]) == point.key([1])
    for other in ("seed=1", "train.loss=mse", "evaluation.trials=3", "text.combine=concatenate"):
        assert list_points(load_config(overrides=[other]))[0].key([1]) != point.key([1])


@pytest.mark.parametrize(
    ("axis", "problem"),
    [
        ("train.lost=[mse]", "unknown setting train.lost in study.axes; the nearest valid one is train.loss"),
        ("train.loss=[mean]", "wrong value in the settings: train.loss: "),
        ("seed=[1, 1]", "study.axes: the points (seed: 1) and (seed: 1) have the same settings; "),
        ("output=[a, b]", "study.axes: the points (output: a) and (output: b) have the same settings; "),
    ],
)
def test_a_wrong_axis_is_told(axis, problem):
    with pytest.raises(ConfigError) as caught:
        points_of(axis)
    assert str(caught.value).startswith(problem)


@pytest.mark.parametrize("axis", ["seed=[]", "seed=3", "text={}", "text={a: 1}"])
def test_an_axis_without_values_is_a_wrong_setting(axis):
    with pytest.raises(ConfigError, match=r"^wrong value in the settings: study\.axes\."):
        points_of(axis)


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_the_studies_that_come_with_it_have_points_and_figures(file):
    config = load_config([file])
    assert config.study.name == file.stem
    assert len(list_points(config)) > 1
    assert config.study.figures
    assert Path(file).read_text(encoding="utf-8").startswith("# ")


def test_there_is_a_study_for_every_open_question():
    assert {file.stem for file in STUDIES} >= {"paper", "loss", "density", "text_source", "cold_start", "domain"}
