"""Train on a real local cluster: two executors in processes of their own. A script, since a JVM holds one session."""

import json
import sys
from pathlib import Path

from hcf_spark.config import load_config
from hcf_spark.evaluation.candidate import Search
from hcf_spark.launch import DistributedCandidate
from hcf_spark.models.hcf import Hcf
from hcf_spark.spark.session import get_session
from hcf_spark.train.manifest import Manifest
from hcf_spark.train.snapshot import read_snapshot


def main(snapshot: Path, work: Path, overrides: list[str]) -> None:
    """Tune one model with a process on each of two executors."""
    settings = {
        "spark.ui.enabled": False, "spark.executor.memory": "1g", "spark.driver.host": "127.0.0.1",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
        "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    }  # fmt: skip
    layer = f"spark.settings={json.dumps(settings)}"
    config = load_config(overrides=["spark.master=local-cluster[2,1,1024]", layer, *overrides])
    spark = get_session("train_on_cluster", config)
    found = read_snapshot(snapshot, Manifest.read(snapshot), 100, 100, config.seed)
    candidate = DistributedCandidate(Hcf, spark, snapshot, work, config.train, 20000, {})
    candidate.tune(found.inner, found.validation, Search(1, config.evaluation.cutoff, config.seed))
    spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
