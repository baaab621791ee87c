"""A job by spark-submit, as a process of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import SMALL

from jobs import build_matrix, load_tables

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.spark
def test_job_by_spark_submit_gives_the_same_tables(spark, tmp_path):
    first, copy = tmp_path / "first", tmp_path / "copy"
    settings = [f"--set={setting}" for setting in SMALL]
    assert load_tables.main([*settings, f"--set=output={first}"]) == 0
    shutil.copytree(first, copy)
    assert build_matrix.main([*settings, f"--set=output={first}"]) == 0
    command = [
        Path(sys.executable).with_name("spark-submit"),
        *("--properties-file", ROOT / "conf" / "spark-defaults.conf"),
        *("--conf", "spark.sql.shuffle.partitions=2", "--conf", "spark.databricks.delta.snapshotPartitions=2"),
        *("--conf", "spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1"),
        ROOT / "jobs" / "build_matrix.py",
        *settings, f"--set=output={copy}", "--set=log_level=warning",
    ]  # fmt: skip
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
    environment.pop("SPARK_HOME", None)
    answer = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert answer.returncode == 0, answer.stderr[-2000:]
    for table in ("company_vocab", "product_vocab", "company_product"):
        mine, theirs = (spark.read.format("delta").load(str(base / "tables" / table)) for base in (copy, first))
        assert mine.exceptAll(theirs).count() == theirs.exceptAll(mine).count() == 0
    assert spark.read.format("delta").load(str(copy / "tables" / "company_vocab")).count() == 150
