"""The input tables from a CSV folder and from the sample world. (What becomes of good rows: tests/jobs.)"""

import pytest

from hcf_spark.errors import ConfigError, DataError
from hcf_spark.spark.load import load_tables
from hcf_spark.spark.sample_world import SampleWorld
from hcf_spark.spark.tables import Tables

pytestmark = pytest.mark.spark

INPUT = ("companies", "products", "usage")


@pytest.fixture
def folder(tmp_path):
    """A folder whose usage.csv is broken in two of three rows."""
    folder = tmp_path / "csv"
    folder.mkdir()
    (folder / "companies.csv").write_text("company_id,name\nc1,One\n")
    (folder / "products.csv").write_text("product_id,name\np1,Uno\n")
    (folder / "usage.csv").write_text("company_id,product_id\nc1,p1\nc1\nc1,p1,3\n")
    return folder


def load(spark, config):
    tables = Tables(spark, config)
    load_tables(spark, tables, config)
    return tables


def test_the_sample_world(spark, make_config, monkeypatch):
    """Made with the settings and the seed, written with its truth; nothing of it is bad."""
    made_with = []

    def build(session, settings, seed):
        made_with.append((session, settings, seed))
        return SampleWorld(*[spark.createDataFrame([(name,)], "id string") for name in (*INPUT, "truth")])

    monkeypatch.setattr("hcf_spark.spark.sample_world.build_sample_world", build)
    config = make_config("input.source=sample", "seed=5", "sample.companies=60")
    tables = load(spark, config)
    assert made_with == [(spark, config.sample, 5)]
    assert [tables.read(name, "x").head().id for name in (*INPUT, "sample_truth")] == [*INPUT, "truth"]
    assert not tables.exists("quarantine")


def test_files_that_are_too_broken_leave_the_tables_as_they_were(spark, make_config, folder):
    config = make_config("input.source=csv", f"input.folder={folder}", "input.max_quarantined_share=0.5")
    tables = Tables(spark, config)
    with pytest.raises(DataError) as caught:
        load_tables(spark, tables, config)
    assert str(caught.value) == (
        "usage.csv: 2 of 3 rows are bad, more than input.max_quarantined_share=0.5 allows "
        "(1 fields where the header has 2: 1; 3 fields where the header has 2: 1); "
        f"for example c1, c1,p1,3; see table quarantine at {tables.location('quarantine')}"
    )
    assert not any(tables.exists(name) for name in INPUT)


def test_a_missing_file_is_told_before_anything_is_written(spark, make_config, folder):
    (folder / "products.csv").unlink()
    config = make_config("input.source=csv", f"input.folder={folder}")
    with pytest.raises(DataError) as caught:
        load(spark, config)
    assert str(caught.value) == (
        f"{folder}/products.csv not found: the folder must hold companies.csv, products.csv and usage.csv"
    )
    assert not Tables(spark, config).exists("quarantine")


def test_a_file_with_a_header_only_is_told(spark, make_config, folder):
    (folder / "companies.csv").write_text("company_id,name\n")
    with pytest.raises(DataError) as caught:
        load(spark, make_config("input.source=csv", f"input.folder={folder}"))
    assert str(caught.value) == "companies.csv has no sound row of 0: check it"


def test_a_folder_must_be_named(spark, make_config):
    with pytest.raises(ConfigError) as caught:
        load(spark, make_config("input.source=csv"))
    assert str(caught.value) == (
        "input.source is csv, but input.folder is not set: name the folder with the three CSV files"
    )


@pytest.mark.parametrize("source", ["csv", "sample"])
def test_tables_of_the_users_own_are_not_overwritten(spark, make_config, folder, source):
    own = ("tables.names.companies=sales.crm.accounts", "tables.names.quarantine=sales.crm.bad")
    with pytest.raises(ConfigError) as caught:
        load(spark, make_config(f"input.source={source}", f"input.folder={folder}", *own))
    assert str(caught.value) == (
        f"input.source is {source}, which would overwrite sales.crm.accounts: "
        "take it out of tables.names, or set input.source to tables"
    )


def test_tables_that_are_there_are_taken_as_they_are(spark, make_config, tmp_path):
    load(spark, make_config("input.source=tables", "tables.names.companies=sales.crm.accounts"))
    assert not (tmp_path / "out").exists()
