import logging
from dataclasses import replace

import pytest
from mlflow.tracking import MlflowClient
from tiny_package import make_hcf, make_package

from hcf_spark.models.rotated import fit_rotation
from hcf_spark.tracking import registry
from hcf_spark.tracking.champion import load_champion
from hcf_spark.tracking.gate import run_gate
from hcf_spark.tracking.run import tracked_run


@pytest.fixture(scope="module")
def logged(register, package):
    register("champions", package)
    return "champions", "1"


@pytest.fixture
def name(request, logged, add_version):
    """A registered model of its own, its first version champion by the gate."""
    name = request.node.name
    run_gate("on", name, add_version(name, logged), "here", [])
    return name


def test_the_champion_is_asked_in_the_vocabulary_of_the_challenger(name, store, package, tmp_path):
    challenger = make_package(make_hcf(n_products=6, seed=1), store, n_products=6)
    champion = load_champion(name, "here", challenger, tmp_path)
    assert (champion.version, champion.not_compared) == ("1", None)
    assert champion.model.product_idx.tolist() == [0, 1, 2, 3, 4, -1]
    assert champion.model.company_idx.tolist() == [0, 1, 2]
    assert champion.model.package.product_ids == package.product_ids


def test_no_champion_is_no_measure(package, tmp_path):
    assert load_champion("nobody", "here", package, tmp_path) is None


@pytest.mark.parametrize("change", ["lineage", "encoder", "files"])
def test_a_champion_of_another_world_is_no_measure_and_it_is_said_why(
    change, logged, add_version, package, tmp_path, caplog
):
    name, challenger = f"another {change}", package
    run_gate("on", name, add_version(name, logged), "elsewhere" if change == "lineage" else "here", [])
    if change == "encoder":
        challenger = package.with_model(package.model, None)
        challenger.about = replace(package.about, encoder_id="other@1")
    if change == "files":
        MlflowClient().create_model_version(name, "file:///nowhere/at/all")
        run_gate("on", name, "2", "here", [])
    with caplog.at_level(logging.WARNING, "hcf_spark"):
        champion = load_champion(name, "here", challenger, tmp_path)
    reason = {"lineage": "other data", "encoder": "of another kind", "files": "does not load"}[change]
    assert reason in caplog.text
    assert reason in champion.not_compared
    assert (champion.model is None) == (change != "lineage")  # vectors are rotated to it all the same


def test_drift_is_noted_on_version_and_run(name, store):
    vectors = make_hcf().arrays()["companies.weight"]
    _, drift = fit_rotation(vectors, vectors)
    with tracked_run(store, "drift", {}) as run:
        registry.note_drift(name, "1", "7", drift)
    tags = MlflowClient().get_model_version(name, "1").tags
    assert tags["rotation_champion"] == "7"
    assert float(tags["rotation_mean_cosine"]) == pytest.approx(1.0)
    assert MlflowClient().get_run(run.info.run_id).data.metrics["rotation.companies"] == 3
