"""The Spark session: the one that is there, else a local one with Delta."""

import logging
import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from hcf_spark.config import Config
from hcf_spark.errors import PlatformError
from hcf_spark.java import java_problem

logger = logging.getLogger(__name__)

DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}


def get_session(app_name: str, config: Config) -> SparkSession:
    """The active session (Databricks, a notebook, tests) or a new one.

    A new session takes its master from ``spark.master``, else from spark-submit, else ``local[*]``; a local one gets
    Delta's jars.

    Raises:
        PlatformError: there is no Java that Spark runs on.
    """
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    on_databricks = "DATABRICKS_RUNTIME_VERSION" in os.environ
    if not on_databricks:
        problem = java_problem()
        if problem:
            raise PlatformError(problem)
    builder = SparkSession.builder.appName(app_name)
    if not on_databricks:
        builder = _with_local_defaults(builder, config)
    for key, value in config.spark.settings.items():
        builder = builder.config(key, str(value).lower() if isinstance(value, bool) else value)
    spark = builder.getOrCreate()
    if not on_databricks:
        # Spark's ERROR lines are stack traces; the error itself reaches the job as an exception
        spark.sparkContext.setLogLevel("ERROR" if config.log_level == "debug" else "FATAL")
        _require_delta(spark)
    logger.info("Spark %s at %s", spark.version, "Databricks" if on_databricks else spark.conf.get("spark.master"))
    return spark


def _with_local_defaults(builder: SparkSession.Builder, config: Config) -> SparkSession.Builder:
    """Settings that a plain Spark lacks: Delta, this interpreter on the executors, UTC."""
    import delta
    import pyspark

    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    if config.spark.master or not submitted:
        builder = builder.master(config.spark.master or "local[*]")
    if not submitted:
        os.environ.setdefault("SPARK_HOME", str(Path(pyspark.__file__).parent))
        builder = delta.configure_spark_with_delta_pip(builder)
        if config.spark.driver_memory:
            builder = builder.config("spark.driver.memory", config.spark.driver_memory)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    defaults = {
        **DELTA,
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.ui.showConsoleProgress": str(sys.stderr.isatty()).lower(),
    }
    for key, value in defaults.items():
        builder = builder.config(key, value)
    return builder


def _require_delta(spark: SparkSession) -> None:
    try:
        spark.sparkContext._jvm.java.lang.Thread.currentThread().getContextClassLoader().loadClass(
            "io.delta.sql.DeltaSparkSessionExtension"
        )
    except Exception as error:
        raise PlatformError(
            "Delta's jars are not on Spark's class path: start with "
            "spark-submit --packages io.delta:delta-spark_2.13:4.0.1"
        ) from error
