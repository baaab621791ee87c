from pathlib import Path

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from hcf_spark.errors import RegistryError
from hcf_spark.models.package import ModelPackage
from hcf_spark.tracking import registry


@pytest.fixture(scope="module")
def version(register, package):
    return register("registered", package)


def test_a_new_version_is_the_challenger_and_knows_its_run(version):
    number, run_id = version
    assert registry.find_alias("registered", registry.CHALLENGER) == number == "1"
    assert registry.find_alias("registered", registry.CHAMPION) is None
    assert MlflowClient().get_model_version("registered", number).run_id == run_id


def test_signature_and_input_example_travel_with_the_model(version):
    info = mlflow.models.get_model_info("models:/registered/1")
    inputs = {column.name: (column.type, column.required) for column in info.signature.inputs}
    assert {name: required for name, (_, required) in inputs.items()} == {
        "company_id": False, "description": False, "products": False, "product_id": False,
    }  # fmt: skip
    assert {param.name: param.default for param in info.signature.params} == {
        "task": "products", "top_k": 3, "exclude_known": True, "with_reasons": False,
    }  # fmt: skip
    example = mlflow.pyfunc.load_model("models:/registered/1").input_example
    assert example.to_dict("list") == {"company_id": ["new"], "description": ["we sell data"], "products": [["p0"]]}


def test_sizes_are_logged_with_the_run(version):
    metrics = MlflowClient().get_run(version[1]).data.metrics
    assert metrics.keys() == {"model.package_megabytes", "model.encoder_megabytes"}
    folder = Path(mlflow.artifacts.download_artifacts("models:/registered/1")) / "artifacts"
    written = sum(file.stat().st_size for file in (folder / "package").iterdir())
    assert metrics["model.package_megabytes"] == pytest.approx(written / 1e6)


def test_requirements_are_pinned_and_leave_spark_out(version):
    lines = Path(mlflow.pyfunc.get_model_dependencies("models:/registered/1")).read_text().splitlines()
    assert f"mlflow=={mlflow.__version__}" in lines
    assert any(line.startswith("torch==") for line in lines)
    assert not [line for line in lines if "spark" in line or "petastorm" in line]


def test_fetch_brings_the_version_behind_an_alias(version, package, tmp_path):
    found = registry.fetch("registered", registry.CHALLENGER, tmp_path)
    assert (found.name, found.version, found.run_id) == ("registered", *version)
    loaded = ModelPackage.load(found.package)
    assert loaded.about == package.about
    assert loaded.product_ids == package.product_ids
    assert tmp_path in found.package.parents
    assert registry.fetch("registered", registry.CHALLENGER, tmp_path) == found


@pytest.mark.parametrize(("name", "alias"), [("registered", "champion"), ("no_such_model", "champion")])
def test_an_alias_or_model_that_is_not_there(version, tmp_path, name, alias):
    with pytest.raises(RegistryError) as caught:
        registry.fetch(name, alias, tmp_path)
    assert str(caught.value) == (
        f"the registry at {mlflow.get_registry_uri()} has no model {name}@{alias}: run train_model first"
    )


def test_a_registry_that_does_not_answer_is_not_one_without_the_model(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://127.0.0.1:9")  # set_registry_uri(None) would not take it back
    with pytest.raises(MlflowException, match=r"127\.0\.0\.1"):
        registry.find_alias("registered", "champion")


def test_a_table_made_with_the_model_is_noted_on_its_run(version):
    registry.note_table(version[1], "company_scores", "main.sales.company_scores", 4)
    tags = MlflowClient().get_run(version[1]).data.tags
    assert tags["table.company_scores.location"] == "main.sales.company_scores"
    assert tags["table.company_scores.version"] == "4"
