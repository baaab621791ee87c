"""README's examples and the notebook, run; the notebook with stand-ins for what only Databricks has."""

import ast
import re
import runpy
from pathlib import Path

import mlflow
import pytest
from conftest import SMALL

from hcf_spark.config import load_config

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
NOTEBOOK = ROOT / "notebooks" / "train_and_look.py"


class Widgets:
    """Stand-in for dbutils.widgets, whose values are given beforehand."""

    def __init__(self, values):
        self.values, self.defaults = values, {}

    def text(self, name, default, label):
        self.defaults[name] = default

    def get(self, name):
        assert name in self.defaults, f"the notebook reads widget {name} without making it"
        return self.values.get(name, self.defaults[name])


class Dbutils:
    def __init__(self, values):
        self.widgets = Widgets(values)


@pytest.fixture(scope="module")
def notebook(spark, tmp_path_factory):
    """The notebook run from start to end; gives its output folder and what it displayed."""
    output, shown = tmp_path_factory.mktemp("notebook"), []
    settings = ";".join([f"output={output}", *SMALL])
    names = {"spark": spark, "dbutils": Dbutils({"set": settings}), "display": shown.append}
    before = mlflow.get_tracking_uri()
    try:
        runpy.run_path(str(NOTEBOOK), init_globals=names)
    finally:
        mlflow.set_tracking_uri(before)
    return output, shown


def blocks(language):
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == language]


def test_settings_in_readme_are_accepted(tmp_path):
    (settings,) = blocks("yaml")
    file = tmp_path / "settings.yml"
    file.write_text(settings)
    assert load_config([file]).filter.min_companies_per_product == 5


def test_commands_in_readme_exist():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"\bmake (\w+)", "\n".join(blocks("")))) | set(re.findall(r"`make\s(\w+)`", README))
    assert {"demo", "test", "wheel"} <= targets
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    jobs = set(re.findall(r"jobs[./](\w+)", README)) - {"py"}
    assert jobs
    assert all((ROOT / "jobs" / f"{job}.py").is_file() for job in jobs)


def test_tree_in_readme_is_the_projects():
    (tree,) = [block for block in blocks("") if "\nhcf_spark/\n" in block]
    named = re.findall(r"^  (\w+(?:/|\.py)) ", tree, re.MULTILINE)
    assert len(named) >= 10
    assert all((ROOT / "hcf_spark" / name).exists() for name in named)
    top = re.findall(r"^(\w+)/ ", tree, re.MULTILINE)
    assert all((ROOT / name).is_dir() for name in top)


@pytest.mark.spark
def test_loading_the_model_as_readme_does(notebook, tmp_path, monkeypatch):
    (code,) = blocks("python")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "demo").symlink_to(notebook[0])
    monkeypatch.chdir(tmp_path)
    before = mlflow.get_tracking_uri()
    *_, last = code.strip().splitlines()
    names = {}
    try:
        exec(code.replace(last, f"answer = {last}"), names)  # noqa: S102 - README's own code
    finally:
        mlflow.set_tracking_uri(before)
    assert len(names["answer"]["product_ids"][0]) == 5


@pytest.mark.spark
def test_notebook_runs_from_start_to_end(notebook):
    sizes, warm, cold, scores, recommendations = notebook[1]
    assert sizes["interactions"].iloc[-1] > 0
    assert {"popularity", "ae", "ease"} <= set(warm.index) == set(cold.index)
    assert scores.count() == 30
    assert len(recommendations["product_ids"][0]) == 5


def test_notebook_keeps_to_the_source_format():
    source = NOTEBOOK.read_text()
    assert source.startswith("# Databricks notebook source\n")
    tree = ast.parse(source)
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert "sys.path" not in source
