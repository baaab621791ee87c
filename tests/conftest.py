"""One Spark session for all tests, started only on demand, and the settings of a small world."""

import logging

import pytest
from filelock import FileLock

from hcf_spark.config import load_config

SMALL = (
    "sample.companies=150",
    "sample.products=40",
    "sample.industries=3",
    "sample.communities=3",
    "sample.categories=4",
    "sample.products_per_company=6",
    "sample.long_text_share=0.01",
    "input.source=sample",
    "filter.min_companies_per_product=2",
    "train.max_epochs=3",
    "evaluation.cutoff=20",
    "evaluation.trials=2",
    "evaluation.models=[popularity, ae, ease]",  # test_pipeline has them all
    "mlflow.gate=off",  # its process is started where the gate is tested
)


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    from hcf_spark.spark.session import get_session

    warehouse = tmp_path_factory.mktemp("warehouse")
    settings = (
        "spark.sql.shuffle.partitions: 2",
        "spark.ui.enabled: false",
        "spark.ui.showConsoleProgress: false",
        f"spark.sql.warehouse.dir: '{warehouse.as_uri()}'",
        "spark.databricks.delta.snapshotPartitions: 2",
        # to compile, or to plan anew, costs more than tests win back; the jobs in processes of their own do both
        "spark.sql.codegen.wholeStage: false",
        "spark.sql.codegen.factoryMode: NO_CODEGEN",
        "spark.sql.adaptive.enabled: false",
        "spark.driver.extraJavaOptions: '-XX:TieredStopAtLevel=1'",
    )
    config = load_config(overrides=["spark.master=local[2]", f"spark.settings={{{', '.join(settings)}}}"])
    with FileLock(tmp_path_factory.getbasetemp().parent / "first_start.lock"):  # it may fetch jars, once for all
        session = get_session("tests", config)
    yield session
    session.stop()


@pytest.fixture(autouse=True)
def _logger_as_it_was():
    """A job sends the package's records to the stderr of its own test; the next test starts without."""
    yield
    logger = logging.getLogger("hcf_spark")
    logger.handlers, logger.propagate = [], True
    logger.setLevel(logging.NOTSET)


@pytest.fixture
def make_config(tmp_path):
    """Settings with everything under the test's own folder."""

    def make(*overrides):
        return load_config(overrides=[f"output={tmp_path / 'out'}", *overrides])

    return make
