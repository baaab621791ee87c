"""databricks.yml and the wheel: what a Databricks workspace is given."""

import re
import shutil
import zipfile
from pathlib import Path
from subprocess import run
from sys import executable

import yaml
from databricks.bundles.jobs import Job

from hcf_spark.config import load_config
from hcf_spark.job import parse_flags

ROOT = Path(__file__).parent.parent
BUNDLE = yaml.safe_load((ROOT / "databricks.yml").read_text())
JOB = Job.from_dict(BUNDLE["resources"]["jobs"]["hcf_spark"])


def test_tasks_run_the_jobs_in_their_order():
    tasks = {task.task_key: task for task in JOB.tasks}
    assert list(tasks) == ["build_matrix", "embed_companies", "train_model", "score_companies", "find_communities"]
    assert all((ROOT / task.spark_python_task.python_file).is_file() for task in JOB.tasks)
    depends = {key: [before.task_key for before in task.depends_on] for key, task in tasks.items()}
    assert depends["train_model"] == ["build_matrix", "embed_companies"]
    assert depends["score_companies"] == ["train_model"]
    assert depends["find_communities"] == ["score_companies"]


def test_flags_of_every_task_are_settings_of_the_job():
    values = {parameter.name: parameter.default for parameter in JOB.parameters}
    values["conf"] = str(ROOT / "conf" / "databricks.yml")
    for task in JOB.tasks:
        flags = [
            re.sub(r"{{job\.parameters\.(\w+)}}", lambda name: values[name[1]], flag)
            for flag in task.spark_python_task.parameters
        ]
        config = parse_flags(task.task_key, "", flags)
        assert config.mlflow.tracking_uri == "databricks"
        assert config.mlflow.experiment.startswith("/")
        assert config.tables.catalog == values["catalog"]


def test_every_variable_that_is_used_is_declared():
    used = set(re.findall(r"\${var\.(\w+)}", (ROOT / "databricks.yml").read_text()))
    assert used == set(BUNDLE["variables"])


def test_example_settings_are_accepted():
    for file in ROOT.glob("conf/*.yml"):
        assert load_config([file]).seed == 0


def test_wheel_holds_jobs_settings_and_the_report_template(tmp_path):
    source = tmp_path / "source"
    for part in ("hcf_spark", "jobs", "conf"):
        shutil.copytree(ROOT / part, source / part)
    for part in ("setup.py", "pyproject.toml"):
        shutil.copy(ROOT / part, source)
    build = [executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, source]
    run(build, check=True, capture_output=True)
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    settings = {"hcf_spark/conf/base.yml", "hcf_spark/conf/studies/loss.yml"}
    assert {"jobs/run_pipeline.py", "hcf_spark/report/report.html", *settings} <= names
    unpacked = tmp_path / "site"
    zipfile.ZipFile(next(tmp_path.glob("*.whl"))).extractall(unpacked)
    code = "from hcf_spark.config import load_config; print(load_config().seed)"
    answer = run([executable, "-c", code], cwd=unpacked, check=True, capture_output=True, text=True)
    assert answer.stdout == "0\n"
