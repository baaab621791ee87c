"""The notebook from start to end, on local Spark with stand-ins for what only a Databricks notebook has."""

import ast
import runpy
from pathlib import Path

import pytest
from conftest import SMALL

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "train_and_look.py"


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


@pytest.mark.spark
def test_notebook_runs_from_start_to_end(spark, tmp_path):
    settings = [f"output={tmp_path}", *SMALL]
    shown = []
    names = {"spark": spark, "dbutils": Dbutils({"set": ";".join(settings)}), "display": shown.append}
    runpy.run_path(str(NOTEBOOK), init_globals=names)
    sizes, warm, cold, scores, recommendations = shown
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
