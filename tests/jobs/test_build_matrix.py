"""The job build_matrix: run twice, the same tables. (What is in them: tests/spark/test_interactions.py.)"""

import pytest

from hcf_spark.config import load_config
from hcf_spark.spark.interactions import MATRIX_TABLES
from hcf_spark.spark.tables import Tables
from jobs import build_matrix

pytestmark = pytest.mark.spark


@pytest.fixture
def tables(spark, tmp_path):
    """Input tables of twelve companies, three products and an unknown company."""
    tables = Tables(spark, load_config(overrides=[f"output={tmp_path / 'out'}"]))
    companies = [(number, f"Company {number}", "text") for number in range(12)]
    tables.overwrite("companies", spark.createDataFrame(companies, "company_id int, name string, `a.b c` string"))
    products = [(f"p{number}", f"Product {number}") for number in range(3)]
    tables.overwrite("products", spark.createDataFrame(products, "product_id string, name string"))
    usage = [(company, f"p{company % 2}") for company in range(13)] + [(company, "p2") for company in range(6)]
    tables.overwrite("usage", spark.createDataFrame(usage, "company_id int, product_id string"))
    return tables


def content(tables):
    stamp = tables.require_same_stamp(MATRIX_TABLES, "build_matrix")
    return stamp, {name: sorted(tuple(row) for row in tables.read(name, "x").collect()) for name in MATRIX_TABLES}


def test_twice_the_same_tables(tables, tmp_path, capsys):
    flags = ["--set", f"output={tmp_path / 'out'}", "--set=filter.min_companies_per_product=2"]
    assert build_matrix.main(flags) == 0
    log = capsys.readouterr().err
    assert "usage: 1 of 19 rows are in quarantine (company_id is not in companies: 1)" in log
    assert "INFO    before the filter: " in log
    assert "INFO    building the matrix: done in " in log
    first = content(tables)
    assert len(first[1]["company_vocab"]) == 12
    assert len(first[1]["product_vocab"]) == 3
    assert len(first[1]["company_product"]) == 18

    assert build_matrix.main(flags) == 0
    assert content(tables) == first
    assert tables.read("quarantine", "x").count() == 1


def test_a_filter_that_leaves_nothing_is_one_line_and_exit_code_1(tables, tmp_path, capsys):
    assert build_matrix.main([f"--set=output={tmp_path / 'out'}", "--set=filter.min_companies_per_product=50"]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: build_matrix: the density filter left nothing of ")
    assert not any(tables.exists(name) for name in MATRIX_TABLES)


def test_a_wrong_condition_is_a_wrong_setting(tables, tmp_path, capsys):
    assert build_matrix.main([f"--set=output={tmp_path / 'out'}", "--set=input.usage_where=sort = 'x'"]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(
        "error: build_matrix: input.usage_where: \"sort = 'x'\" is no condition on columns company_id"
    )
    assert not tables.exists("quarantine")
