"""One Spark session for all tests, started only when a test asks for it."""

import pytest

from hcf_spark.config import load_config


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    from hcf_spark.spark.session import get_session

    warehouse = tmp_path_factory.mktemp("warehouse")
    settings = {
        "spark.sql.shuffle.partitions": 2,
        "spark.ui.enabled": False,
        "spark.ui.showConsoleProgress": False,
        "spark.sql.warehouse.dir": warehouse.as_uri(),
        "spark.databricks.delta.snapshotPartitions": 2,
    }
    config = load_config(overrides=["spark.master=local[2]", *(f"spark.settings={{{_inline(settings)}}}",)])
    session = get_session("tests", config)
    yield session
    session.stop()


def _inline(settings):
    return ", ".join(
        f"{key}: {str(value).lower() if isinstance(value, bool) else value}" for key, value in settings.items()
    )


@pytest.fixture
def make_config(tmp_path):
    """Settings with everything under the test's own folder."""

    def make(*overrides):
        return load_config(overrides=[f"output={tmp_path / 'out'}", *overrides])

    return make
