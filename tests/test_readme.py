"""README's examples, run."""

import re
from pathlib import Path

import mlflow
import pytest

from hcf_spark.config import load_config

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


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
def test_loading_the_model_as_readme_does(small_run, tmp_path, monkeypatch):
    (code,) = blocks("python")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "demo").symlink_to(small_run.output)
    monkeypatch.chdir(tmp_path)
    before = mlflow.get_tracking_uri()
    *_, last = code.strip().splitlines()
    names = {}
    try:
        exec(code.replace(last, f"answer = {last}"), names)  # noqa: S102 - README's own code
    finally:
        mlflow.set_tracking_uri(before)
    assert len(names["answer"]["product_ids"][0]) == 5
