"""The import rules of the folders: each is imported in a child process that cannot find the forbidden libraries."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import hcf_spark

PACKAGE = Path(hcf_spark.__file__).parent
BLOCKED = {
    "communities": {"pyspark", "mlflow", "petastorm", "torch", "transformers"},
    "text": {"pyspark", "mlflow", "petastorm"},
    "nn": {"pyspark", "mlflow", "petastorm", "transformers", "pandas", "scipy", "sklearn", "pyarrow"},
    "models": {"pyspark", "mlflow"},
    "train": {"pyspark", "mlflow"},
    "evaluation": {"pyspark", "mlflow", "petastorm"},
    "tracking": {"pyspark"},
    "spark": {"torch", "transformers", "petastorm", "mlflow"},
    "report": {"pyspark", "torch", "mlflow"},
}
SIDE_EFFECTS_ONLY = ("hcf_spark", "jobs")
CHILD = """
import importlib, json, os, pkgutil, sys, warnings

packages, blocked = json.loads(sys.argv[1])
environment = dict(os.environ)

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ImportError(f"{name} is forbidden here")

sys.meta_path.insert(0, Blocker())

def find_modules():
    for package in packages:
        path = importlib.import_module(package).__path__
        yield from (package, *(found.name for found in pkgutil.iter_modules(path, package + ".")))

def import_modules():
    problems = {}
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as error:
            problems[name] = str(error)
    return problems

names = list(find_modules())
problems = import_modules()
# Once more, now that the libraries behind them are there: what changes now is our own doing.
ours = {package.partition(".")[0] for package in packages}
for name in [name for name in sys.modules if name.partition(".")[0] in ours]:
    del sys.modules[name]
os.environ.clear()
os.environ.update(environment)
warnings.resetwarnings()
filters = list(warnings.filters)
import_modules()
changed = sorted(key for key in {*environment, *os.environ} if environment.get(key) != os.environ.get(key))
answer = {"names": names, "problems": problems, "environment": changed, "filters": warnings.filters != filters}
print(json.dumps(answer))
"""


def import_in_child(packages: list[str], blocked: set[str], folder: Path = PACKAGE.parent) -> dict:
    """Import all modules of the packages; what failed, and what the imports changed in the process."""
    command = [sys.executable, "-c", CHILD, json.dumps([packages, sorted(blocked)])]
    return json.loads(subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout)


def imported_names(file: Path) -> Iterator[str]:
    """The libraries named in import statements anywhere in a file, inside functions too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


@pytest.fixture(scope="module")
def children():
    with ThreadPoolExecutor(max_workers=2) as pool:
        found = {folder: pool.submit(import_in_child, [f"hcf_spark.{folder}"], BLOCKED[folder]) for folder in BLOCKED}
        found["others"] = pool.submit(import_in_child, list(SIDE_EFFECTS_ONLY), set())
        yield {folder: future.result() for folder, future in found.items()}


@pytest.mark.parametrize("folder", BLOCKED)
def test_folder_imports_without_the_forbidden_libraries(children, folder):
    files = {f"hcf_spark.{folder}.{file.stem}" for file in (PACKAGE / folder).glob("[!_]*.py")}
    assert set(children[folder]["names"]) == {f"hcf_spark.{folder}", *files}
    assert children[folder]["problems"] == {}


@pytest.mark.parametrize("folder", sorted(set(BLOCKED) - {"spark"}))
def test_folder_never_imports_the_forbidden_libraries_even_inside_functions(folder):
    found = {file.name: BLOCKED[folder].intersection(imported_names(file)) for file in (PACKAGE / folder).glob("*.py")}
    assert not any(found.values()), found


def test_every_folder_has_its_rule():
    assert {file.parent.name for file in PACKAGE.glob("*/__init__.py")} == set(BLOCKED)


def test_only_the_loader_names_petastorm_in_an_import():
    files = [*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "jobs").glob("*.py")]
    found = [str(file.relative_to(PACKAGE)) for file in files if "petastorm" in imported_names(file)]
    assert found == ["train/loader.py"]


@pytest.mark.parametrize("folder", [*BLOCKED, "others"])
def test_importing_changes_neither_environment_nor_warning_filters(children, folder):
    assert children[folder]["environment"] == []
    assert not children[folder]["filters"]


@pytest.fixture(scope="module")
def offender(tmp_path_factory):
    """A package that breaks every rule, as the checks see it."""
    folder = tmp_path_factory.mktemp("offender")
    (folder / "offender").mkdir()
    (folder / "offender" / "__init__.py").write_text("")
    (folder / "offender" / "bad.py").write_text(
        "import os, warnings\nimport mlflow.tracking\nwarnings.simplefilter('ignore')\n"
    )
    (folder / "offender" / "worse.py").write_text(
        "import os, warnings\nos.environ['A'] = 'b'\nwarnings.simplefilter('ignore')\n"
        "def late():\n    import petastorm.reader\n"
    )
    return folder


def test_a_module_that_breaks_the_rules_is_found(offender):
    child = import_in_child(["offender"], {"mlflow"}, offender)
    assert child["problems"] == {"offender.bad": "mlflow is forbidden here"}
    assert child["environment"] == ["A"]
    assert child["filters"]
    assert "petastorm" in imported_names(offender / "offender" / "worse.py")
