"""A study in MLflow."""

import mlflow
import pytest

from hcf_spark.config import load_config
from hcf_spark.grid import list_points
from hcf_spark.tracking.study import log_study

PARTS = ("warm", "cold", "companies_warm", "companies_cold", "bpdm", "validation")


def result(value):
    """A point's result with the figures that runs keep."""
    row = {part: {"ndcg_at_20": value} for part in PARTS} | {"fit_seconds": 0.5}
    return {"dataset": {"companies": 9, "density": 0.1}, "models": {"ae": row}}


@pytest.fixture
def log(store, tmp_path):
    def log(seeds, name="seeds"):
        config = load_config(overrides=[f"output={store.output}", f"study.name={name}", f"study.axes.seed={seeds}"])
        points = {point.key(None): point for point in list_points(config)}
        table = tmp_path / "table.csv"
        table.write_text(str(seeds))
        log_study(config, points, {key: result(point.config.seed / 10) for key, point in points.items()}, [table])

    return log


def test_a_study_is_one_run_with_one_for_each_point_and_grows_with_its_axes(log):
    for seeds in ([1, 2], [1, 2, 3]):
        log(seeds)
        (parent,) = mlflow.search_runs(filter_string="tags.study = 'seeds'", output_format="list")
        children = mlflow.search_runs(
            filter_string=f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'", output_format="list"
        )
        assert sorted(child.info.run_name for child in children) == [f"seed: {seed}" for seed in seeds]
        for child in children:
            seed = int(child.data.params["seed"])
            assert child.data.metrics["ae.cold.ndcg_at_20"] == seed / 10
            assert child.data.metrics["dataset.companies"] == 9
        assert mlflow.artifacts.load_text(f"runs:/{parent.info.run_id}/table.csv") == str(seeds)
        assert parent.info.status == "FINISHED"


def test_a_point_whose_logging_was_broken_off_is_logged_again(log, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(mlflow, "log_dict", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            log([1, 2], "broken")
    log([1, 2], "broken")
    (parent,) = mlflow.search_runs(filter_string="tags.study = 'broken'", output_format="list")
    children = mlflow.search_runs(
        filter_string=f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'", output_format="list"
    )
    assert sorted(child.info.run_name for child in children) == ["seed: 1", "seed: 2"]
    kept = mlflow.artifacts.load_dict(f"runs:/{children[0].info.run_id}/result.json")
    assert kept["models"]["ae"]["fit_seconds"] == 0.5
