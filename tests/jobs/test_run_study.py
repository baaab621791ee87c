"""The job run_study on a small sample world: side by side in tasks, and the rest of it alone on the driver."""

from pathlib import Path

import mlflow
import pandas as pd
import pytest
from tiny_bert import save_tiny_bert

from hcf_spark import launch, study
from hcf_spark.config import load_config
from hcf_spark.spark.interactions import INPUT_TABLES, MATRIX_TABLES
from hcf_spark.spark.tables import Tables
from hcf_spark.tracking.run import connect
from jobs import run_study

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return [
        f"output={folder / 'out'}", "input.source=sample", "sample.companies=120", "sample.products=40",
        "sample.products_per_company=6", "sample.long_text_share=0", f"encoder.model={save_tiny_bert(folder / 'tiny')}",
        "encoder.overlap_tokens=2",
        "evaluation.trials=2", "evaluation.models=[popularity, text_dae]", "train.max_epochs=3", "study.name=trials",
        "study.axes.evaluation.trials=[1, 2]",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def folder(spark, settings):
    """Where the study is, after a first run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "TorchDistributor", None)  # of the driver: each point is trained in a task
        assert run_study.main([f"--set={setting}" for setting in settings]) == 0
    return Path(load_config(overrides=settings).output) / "studies" / "trials"


def read_table(folder):
    return pd.read_csv(folder / "table.csv").drop(columns="fit_seconds")


def test_each_point_has_its_rows_and_its_run(folder, settings):
    table = read_table(folder)
    assert table[["evaluation.trials", "model"]].values.tolist() == [
        [1, "popularity"], [1, "text_dae"], [2, "popularity"], [2, "text_dae"],
    ]  # fmt: skip
    assert table["warm NDCG"].between(0.01, 0.99).all()
    assert {file.name for file in folder.glob("*.svg")} == {"warm-ndcg.svg", "cold-ndcg.svg"}
    connect(load_config(overrides=settings))
    names = mlflow.search_runs(output_format="list")
    assert sorted(run.info.run_name for run in names) == [
        "evaluation.trials: 1",
        "evaluation.trials: 2",
        "study trials",
    ]


def test_nothing_is_written_outside_the_study_but_mlflow(folder):
    assert {path.name for path in folder.parents[1].iterdir()} == {"studies", "mlflow.db", "mlartifacts"}
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {"points", "data"}
    assert not list(folder.glob("data/*/snapshots"))


def test_a_study_that_was_broken_off_goes_on_and_ends_the_same(folder, settings, monkeypatch, capsys):
    """The point that is missing is run on the driver now, and gives the figures that it gave in a task."""
    before, (lost, kept) = read_table(folder), sorted((folder / "points").iterdir())
    lost.unlink()
    written = kept.stat().st_mtime_ns
    monkeypatch.setattr(study, "_CELLS_IN_A_TASK", 0)
    assert run_study.main([f"--set={setting}" for setting in settings]) == 0
    printed = capsys.readouterr()
    assert "study trials: 2 points, 1 of them still to run" in printed.err
    assert (folder / "table.md").read_text() in printed.out
    assert lost.exists()
    assert kept.stat().st_mtime_ns == written
    pd.testing.assert_frame_equal(read_table(folder), before)


def test_a_finished_study_needs_no_input(folder, settings, monkeypatch):
    monkeypatch.setattr(study, "prepare_snapshot", None)
    monkeypatch.setattr(study, "load_tables", None)
    assert run_study.main([f"--set={setting}" for setting in settings]) == 0


def test_a_point_that_cannot_be_run_costs_no_other(folder, settings, capsys):
    axes = ["evaluation.trials=[1]", "filter.min_companies_per_product=[3, 500]"]
    more = ["study.name=some", *(f"study.axes.{axis}" for axis in axes)]
    assert run_study.main([f"--set={setting}" for setting in [*settings, *more]]) == 1
    problem = capsys.readouterr().err.splitlines()[-1]
    table = folder.parent / "some" / "table.csv"
    assert problem.startswith(f"error: run_study: 1 of 2 points are not in {table}: {{'evaluation.trials': 1, 'filter.")
    assert ": the density filter left nothing of " in problem
    assert pd.read_csv(table)["filter.min_companies_per_product"].tolist() == [3] * 2


def test_input_tables_are_read_where_they_are_and_no_other_of_theirs_is_touched():
    config = load_config(overrides=["tables.catalog=main.sales", "tables.names={usage: /data/usage}"])
    own = study._with_own_tables(None, 0, config, Path("/studies/data"))
    tables = Tables(None, own)
    assert [tables.location(name) for name in INPUT_TABLES] == [
        "main.sales.companies", "main.sales.products", "/data/usage",
    ]  # fmt: skip
    for name in (*MATRIX_TABLES, "text_embeddings", "quarantine"):
        assert tables.location(name).startswith("/studies/data/")


def test_a_wrong_axis_is_one_line(spark, settings, capsys):
    assert run_study.main([*(f"--set={setting}" for setting in settings), "--set=study.axes.train.lost=[1]"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: run_study: unknown setting train.lost in study.axes; the nearest valid one is train.loss"
    )
