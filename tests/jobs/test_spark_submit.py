"""A job by spark-submit, as a process of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.spark
def test_job_by_spark_submit_gives_the_same_tables(small_run, spark, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(small_run.output / "tables", copy / "tables")
    command = [
        Path(sys.executable).with_name("spark-submit"),
        *("--properties-file", ROOT / "conf" / "spark-defaults.conf"),
        *("--conf", "spark.sql.shuffle.partitions=2", "--conf", "spark.databricks.delta.snapshotPartitions=2"),
        *("--conf", "spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1"),
        ROOT / "jobs" / "build_matrix.py",
        *(f"--set={setting}" for setting in (*small_run.settings, f"output={copy}", "log_level=warning")),
    ]
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
    environment.pop("SPARK_HOME", None)
    answer = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert answer.returncode == 0, answer.stderr[-2000:]
    for table in ("company_vocab", "product_vocab", "company_product"):
        mine, theirs = (
            spark.read.format("delta").load(str(base / "tables" / table)) for base in (copy, small_run.output)
        )
        assert mine.exceptAll(theirs).count() == theirs.exceptAll(mine).count() == 0
    assert spark.read.format("delta").load(str(copy / "tables" / "company_vocab")).count() == 150
