"""The job load_tables: a CSV folder to Delta, twice; and what a failure looks like from outside."""

import subprocess
import sys
from pathlib import Path

import pytest

from hcf_spark.config import load_config
from hcf_spark.spark.tables import Tables
from jobs import load_tables

pytestmark = pytest.mark.spark

ROOT = Path(__file__).parents[2]
TEXT = 'Makes "good" things,\r\nand more,\n\nin Zürich 🚀'


@pytest.fixture
def folder(tmp_path):
    """Five good companies among broken ones; two products; four good pairs."""
    quoted = '"' + TEXT.replace('"', '""') + '"'
    records = [
        "\ufeffcompany_id,name,description,Company size",
        f"c1,One,{quoted},1-10",
        'c2,"Two, Inc",,',
        'c3,"open quote,text,11-50',
        "c4,Four,short",
        "c5,Five,text,11-50",
        "c6,Six,text,11-50,long",
        'c7,"Seven",text,51-200',
        "",
        f"c8,Eight,{quoted},1-10",
    ]
    folder = tmp_path / "csv"
    folder.mkdir()
    (folder / "companies.csv").write_bytes("\r\n".join(records).encode())
    (folder / "products.csv").write_bytes(b"product_id,name,category\r\np1,Uno,x\r\np2,Due,\r\n")
    (folder / "usage.csv").write_bytes(b"company_id,product_id,weight\nc1,p1,2\nc2,p1,\nc5,p2,x\nc9,p1,1\n")
    return folder


def content(tables, name):
    return sorted((tuple(row) for row in tables.read(name, "x").collect()), key=str)


def test_good_rows_are_loaded_and_broken_ones_are_in_quarantine_however_often_it_runs(spark, tmp_path, folder):
    output = tmp_path / "out"
    flags = [f"--set=output={output}", "--set=input.source=csv", "--set=input.max_quarantined_share=0.4",
             "--set", f"input.folder={folder}"]  # fmt: skip
    tables = Tables(spark, load_config(overrides=[f"output={output}"]))
    assert load_tables.main(flags) == 0
    first = {name: content(tables, name) for name in ("companies", "products", "usage")}
    assert first == {
        "companies": [
            ("c1", "One", TEXT, "1-10"),
            ("c2", "Two, Inc", None, None),
            ("c5", "Five", "text", "11-50"),
            ("c7", "Seven", "text", "51-200"),
            ("c8", "Eight", TEXT, "1-10"),
        ],
        "products": [("p1", "Uno", "x"), ("p2", "Due", None)],
        "usage": [("c1", "p1", "2"), ("c2", "p1", None), ("c5", "p2", "x"), ("c9", "p1", "1")],
    }
    assert tables.read("companies", "x").columns == ["company_id", "name", "description", "Company size"]
    broken = [
        ("companies.csv", "3 fields where the header has 4", "c4,Four,short"),
        ("companies.csv", "5 fields where the header has 4", "c6,Six,text,11-50,long"),
        ("companies.csv", "not RFC 4180: ',' expected after '\"'", 'c3,"open quote,text,11-50'),
    ]

    def quarantined():
        rows = tables.read("quarantine", "x").select("source_table", "rule", "row").collect()
        return sorted(tuple(row) for row in rows)

    assert quarantined() == broken
    assert load_tables.main(flags) == 0
    assert {name: content(tables, name) for name in first} == first
    assert quarantined() == broken


def test_a_wrong_file_is_one_line_and_exit_code_1(spark, tmp_path, folder, capsys):
    (folder / "usage.csv").write_text("company,product_id\n")
    flags = ["--set", f"output={tmp_path}/out", "--set", "input.source=csv", "--set", f"input.folder={folder}"]
    assert load_tables.main(flags) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == (
        f"error: load_tables: {folder}/usage.csv lacks the column company_id; found company, product_id"
    )  # fmt: skip


def test_a_failure_on_a_worker_shows_no_stack_trace(tmp_path, folder):
    """As a program of its own, with a table folder that cannot be made: the error comes from deep inside Spark."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "tables").write_text("a file where a folder should be")
    settings = [f"output={tmp_path}/out", "input.source=csv", f"input.folder={folder}", "spark.master=local[1]"]
    done = subprocess.run(
        [sys.executable, "-m", "jobs.load_tables", *[f"--set={setting}" for setting in settings]],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    *_, line, advice = done.stderr.splitlines()
    assert line.startswith("error: load_tables: ")
    assert advice == "       (the full traceback: --set log_level=debug)"
    assert "Traceback" not in done.stderr
    assert "\tat " not in done.stderr
