"""One MLflow store on sqlite for all tests of tracking, since making its tables takes seconds."""

import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from tiny_bert import save_tiny_bert
from tiny_package import make_hcf, make_package

from hcf_spark.config import load_config
from hcf_spark.tracking import registry
from hcf_spark.tracking.run import connect, tracked_run


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """Settings of a store that is there, with a tiny encoder."""
    folder = tmp_path_factory.mktemp("tracking")
    encoder = save_tiny_bert(folder / "tiny")
    overrides = [f"output={folder / 'out'}", f"encoder.model={encoder}", "encoder.overlap_tokens=2", "score.top_k=3"]
    config = load_config(overrides=overrides)
    connect(config)
    return config


@pytest.fixture(autouse=True)
def _connected(store):
    connect(store)


@pytest.fixture(scope="session")
def example():
    return pd.DataFrame({"company_id": ["new"], "description": ["we sell data"], "products": [["p0"]]})


@pytest.fixture(scope="session")
def register(store, example, tmp_path_factory):
    """Log a package in a run of its own and register it; returns (version, run id)."""

    def register(name, package, encoder=store.encoder.model):
        folder = tmp_path_factory.mktemp("logged") / "package"
        package.save(folder)
        with tracked_run(store, "register", {}) as run:
            signature = registry.make_signature(package.about.text_columns, package.about.top_k)
            return registry.register(name, folder, encoder, signature, example), run.info.run_id

    return register


@pytest.fixture(scope="session")
def package(store):
    return make_package(make_hcf(), store)


@pytest.fixture(scope="session")
def add_version():
    """A version of a model that was logged before, under any name, without logging it again."""

    def add(name, logged):
        client, found = MlflowClient(), MlflowClient().get_model_version(*logged)
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        return client.create_model_version(name, found.source, found.run_id).version

    return add
