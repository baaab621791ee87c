"""The Spark session: the one that is there, else one with Delta, this Python and UTC."""

import logging
import sys
from types import SimpleNamespace

import pytest
from pyspark.sql import SparkSession

from hcf_spark.config import load_config
from hcf_spark.errors import PlatformError
from hcf_spark.spark import session
from hcf_spark.spark.session import get_session


@pytest.fixture
def environment(monkeypatch):
    """No trace of spark-submit or Databricks; what a test sets is undone."""
    for name in ("PYSPARK_GATEWAY_PORT", "DATABRICKS_RUNTIME_VERSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("SPARK_HOME", "/spark")
    return monkeypatch


def options_of(*overrides):
    return session._with_local_defaults(SparkSession.Builder(), load_config(overrides=overrides))._options


def test_a_session_of_ones_own_is_local_and_brings_delta(environment):
    options = options_of()
    assert options["spark.master"] == "local[*]"
    assert options["spark.jars.packages"].startswith("io.delta:delta-spark_2.13:4.0")
    assert options["spark.sql.extensions"] == "io.delta.sql.DeltaSparkSessionExtension"
    assert options["spark.sql.session.timeZone"] == "UTC"
    assert "spark.driver.memory" not in options
    chosen = options_of("spark.master=local[3]", "spark.driver_memory=3g")
    assert (chosen["spark.master"], chosen["spark.driver.memory"]) == ("local[3]", "3g")


def test_under_spark_submit_master_memory_and_jars_are_its_own(environment):
    environment.setenv("PYSPARK_GATEWAY_PORT", "1234")
    options = options_of("spark.driver_memory=3g")
    assert not {"spark.master", "spark.jars.packages", "spark.driver.memory"} & set(options)
    assert options["spark.sql.extensions"] == "io.delta.sql.DeltaSparkSessionExtension"
    assert options_of("spark.master=yarn")["spark.master"] == "yarn"


def test_executors_take_this_python_unless_told_otherwise(environment):
    environment.delenv("PYSPARK_PYTHON")
    options_of()
    assert session.os.environ["PYSPARK_PYTHON"] == sys.executable
    environment.setenv("PYSPARK_PYTHON", "/other/python")
    options_of()
    assert session.os.environ["PYSPARK_PYTHON"] == "/other/python"


def test_without_java_nothing_is_started(environment):
    environment.setattr(SparkSession, "getActiveSession", lambda: None)
    environment.setattr(session, "java_problem", lambda: "no Java found: install it")
    with pytest.raises(PlatformError) as caught:
        get_session("x", load_config())
    assert str(caught.value) == "no Java found: install it"


def test_without_deltas_jars_it_says_how_to_get_them():
    with pytest.raises(PlatformError) as caught:
        session._require_delta(SimpleNamespace(sparkContext=None))
    assert str(caught.value) == (
        "Delta's jars are not on Spark's class path: start with spark-submit --packages io.delta:delta-spark_2.13:4.0.1"
    )


@pytest.mark.spark
def test_the_active_session_is_taken_as_it_is(spark):
    assert get_session("x", load_config(overrides=["spark.settings.spark.sql.session.timeZone=Asia/Tokyo"])) is spark
    assert spark.conf.get("spark.sql.session.timeZone") == "UTC"
    assert spark.conf.get("spark.ui.enabled") == "false", "booleans are written as Spark reads them"


@pytest.mark.spark
def test_on_databricks_the_runtime_decides(spark, environment, caplog):
    environment.setattr(SparkSession, "getActiveSession", lambda: None)
    environment.setattr(session, "java_problem", lambda: "no Java found")
    environment.setattr(session, "_with_local_defaults", None)
    environment.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    caplog.set_level(logging.INFO, logger="hcf_spark")
    found = get_session("x", load_config(overrides=["spark.settings.spark.own.setting=7"]))
    assert found.sparkContext is spark.sparkContext
    assert found.conf.get("spark.own.setting") == "7"
    assert caplog.messages == [f"Spark {spark.version} at Databricks"]
