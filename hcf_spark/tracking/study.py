"""A study in MLflow: one run for all of it, and nested in it one for each point."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import Run

from hcf_spark.config import Config
from hcf_spark.grid import Point
from hcf_spark.tracking.run import connect, log_file, log_models, log_settings

_STUDY, _POINT, _PARENT = "study", "study.point", "mlflow.parentRunId"


def log_study(
    config: Config, points: Mapping[str, Point], results: Mapping[str, Mapping[str, Any]], files: Sequence[Path]
) -> None:
    """Log a study; if it was logged before, its run gets the points that are new, and the files in place of the old.

    Args:
        config: of the study.
        points: by key.
        results: by the same keys, of those points that have one: ``dataset`` and ``models`` (``HarnessResult.rows``).
        files: tables and charts.
    """
    connect(config)
    before = _find(f"tags.{_STUDY} = '{config.study.name}'")
    with mlflow.start_run(before[0].info.run_id if before else None, run_name=f"study {config.study.name}") as run:
        mlflow.set_tag(_STUDY, config.study.name)
        mlflow.log_text(config.to_yaml(), "settings.yml")
        logged = set()
        for child in _find(f"tags.`{_PARENT}` = '{run.info.run_id}'"):
            if _POINT in child.data.tags:
                logged.add(child.data.tags[_POINT])
            else:  # broken off
                mlflow.delete_run(child.info.run_id)
        for key in [key for key in results if key not in logged]:
            labels = ", ".join(f"{axis}: {label}" for axis, label in points[key].labels.items())
            with mlflow.start_run(run_name=labels or "point", nested=True):
                log_settings(points[key].config)
                mlflow.log_metrics({f"dataset.{name}": value for name, value in results[key]["dataset"].items()})
                log_models(results[key]["models"], {})
                mlflow.log_dict(dict(results[key]), "result.json")
                mlflow.set_tag(_POINT, key)
        for file in files:
            log_file(file)


def _find(condition: str) -> list[Run]:
    return mlflow.search_runs(filter_string=condition, output_format="list")
