"""Ask a registered model as a Spark column on a real local cluster. A script, since a JVM holds one session."""

import json
import sys
from pathlib import Path

import mlflow
from pyspark.sql import functions as F

from hcf_spark.config import load_config
from hcf_spark.spark.session import get_session


def main(tracking_uri: str, model_uri: str, file: Path) -> None:
    """Read schema, rows and params from a file; write answer.json beside it: type and values of the column."""
    settings = {
        "spark.ui.enabled": False, "spark.executor.memory": "1g", "spark.driver.host": "127.0.0.1",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
        "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    }  # fmt: skip
    layer = f"spark.settings={json.dumps(settings)}"
    spark = get_session("ask_on_cluster", load_config(overrides=["spark.master=local-cluster[2,1,1024]", layer]))
    question = json.loads(file.read_text())
    mlflow.set_tracking_uri(tracking_uri)
    answer = mlflow.pyfunc.spark_udf(spark, model_uri, env_manager="local", params=question["params"])
    asked = spark.createDataFrame(question["rows"], question["schema"]).repartition(2)
    columns = [name for name in asked.columns if name != "place"]
    answered = asked.select("place", answer(F.struct(*columns)).alias("answer"))
    found = {
        "type": answered.schema["answer"].dataType.simpleString(),
        "rows": [row.answer.asDict(recursive=True) for row in sorted(answered.collect())],
    }
    file.with_name("answer.json").write_text(json.dumps(found))
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
