import json
from pathlib import Path

import mlflow
import pytest
import yaml
from mlflow.tracking import MlflowClient

from hcf_spark.config import load_config
from hcf_spark.tracking import run as tracking
from hcf_spark.tracking.run import connect, log_file, log_models, tracked_run


def with_settings(store, *overrides):
    return load_config(overrides=[f"output={store.output}", *overrides])


def read_text(run_id, path):
    return mlflow.artifacts.load_text(f"runs:/{run_id}/{path}")


def test_a_run_says_all_that_made_it(store):
    config = with_settings(store, "seed=7", "train.depth=2")
    with tracked_run(config, "train_model", {"usage": 3, "companies": None}) as run:
        assert mlflow.active_run().info.run_id == run.info.run_id
    found = MlflowClient().get_run(run.info.run_id)
    assert found.info.status == "FINISHED"
    assert found.info.run_name == "train_model"
    params = found.data.params
    assert (params["seed"], params["train.depth"], params["evaluation.models"]) == (
        "7", "2", str(config.evaluation.models),
    )  # fmt: skip
    assert "spark.master" not in params
    assert yaml.safe_load(read_text(run.info.run_id, "settings.yml")) == config.model_dump()
    packages = json.loads(read_text(run.info.run_id, "packages.json"))
    assert packages["mlflow"] == mlflow.__version__
    assert packages.keys() >= {"hcf_spark", "pyspark", "torch", "numpy"}
    tags = found.data.tags
    assert (tags["table.usage.version"], tags["table.companies.version"]) == ("3", "None")
    assert tags["git_commit"] == (tracking.git_commit() or "unknown")


def test_secrets_are_masked_in_parameters_and_settings(store):
    secrets = {
        "spark.hadoop.fs.s3a.secret.key": "s3cr3t-1",
        "spark.hadoop.javax.jdo.option.ConnectionPassword": "s3cr3t-2",
        "spark.hadoop.fs.azure.account.key.acme.dfs.core.windows.net": "s3cr3t-3",
        "spark.my.url": "postgresql://ann:s3cr3t-4@db/x",
        "spark.my.token": 555777999,
    }
    settings = json.dumps(secrets | {"spark.sql.shuffle.partitions": 4})
    with tracked_run(with_settings(store, f"spark.settings={settings}"), "run", {}) as run:
        pass
    params = MlflowClient().get_run(run.info.run_id).data.params
    for name in secrets:
        assert params[f"spark.settings.{name}"] == ("postgresql://ann:***@db/x" if name == "spark.my.url" else "***")
    assert params["spark.settings.spark.sql.shuffle.partitions"] == "4"
    for shown in (str(params), read_text(run.info.run_id, "settings.yml")):
        assert "s3cr3t" not in shown
        assert "555777999" not in shown


def test_any_number_of_settings(store):
    settings = json.dumps({f"spark.some.setting{number}": number for number in range(150)})
    with tracked_run(with_settings(store, f"spark.settings={settings}"), "run", {}) as run:
        pass
    assert len(MlflowClient().get_run(run.info.run_id).data.params) > 190


def test_metrics_of_every_model_and_every_epoch(store, tmp_path):
    row = {
        "warm": {"ndcg_at_20": 0.5}, "cold": {"ndcg_at_20": 0.25}, "bpdm": {"auc": 0.75}, "fit_seconds": 1.5,
        "settings": {"epochs": 2}, "validation": {"warm": 0.5, "cold": 0.2},
        "companies_warm": {"ndcg_at_20": 0.75}, "companies_cold": {"products": 3},
    }  # fmt: skip
    curve = [{"loss": 3.0, "seconds": 0.1}, {"loss": 2.0, "seconds": 0.1}]
    (tmp_path / "report.html").write_text("<p>")
    with tracked_run(store, "run", {}) as run:
        log_models({"hcf": row, "ease+ae": row}, {"hcf": curve})
        log_file(tmp_path / "report.html")
    client = MlflowClient()
    metrics = client.get_run(run.info.run_id).data.metrics
    assert metrics["hcf.warm.ndcg_at_20"] == 0.5
    assert metrics["ease_and_ae.cold.ndcg_at_20"] == 0.25
    assert metrics["hcf.bpdm.auc"] == 0.75
    assert metrics["hcf.fit_seconds"] == 1.5
    history = client.get_metric_history(run.info.run_id, "hcf.epoch.loss")
    assert sorted((record.step, record.value) for record in history) == [(1, 3.0), (2, 2.0)]
    assert read_text(run.info.run_id, "report.html") == "<p>"


def test_a_run_whose_block_fails_is_marked_as_failed_and_closed(store):
    with pytest.raises(ValueError, match="no"), tracked_run(store, "run", {}) as run:
        raise ValueError("no")
    assert MlflowClient().get_run(run.info.run_id).info.status == "FAILED"
    assert mlflow.active_run() is None


def test_the_local_store_is_under_output_and_is_found_again(tmp_path):
    config = load_config(overrides=[f"output={tmp_path / 'new' / 'out put'}", "mlflow.experiment=mine"])
    with tracked_run(config, "run", {}) as run:
        mlflow.log_text("x", "x.txt")
    assert (tmp_path / "new" / "out put" / "mlflow.db").is_file()
    assert list((tmp_path / "new" / "out put" / "mlartifacts").rglob("x.txt"))
    connect(config)
    assert mlflow.get_experiment_by_name("mine").experiment_id == run.info.experiment_id


def test_a_store_that_is_named_is_taken(store, tmp_path):
    """Nothing is made under ``output`` then."""
    uri = tracking.tracking_uri_of(Path(store.output).absolute())
    connect(
        load_config(overrides=[f"output={tmp_path / 'out'}", f"mlflow.tracking_uri={uri}", "mlflow.experiment=other"])
    )
    assert mlflow.get_tracking_uri() == uri
    assert not (tmp_path / "out").exists()
