"""Typed settings: conf/base.yml, the files laid over it, then single values. Unknown keys are refused."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from hcf_spark.errors import ConfigError
from hcf_spark.log import MASKED, is_secret, mask

_PACKAGED = Path(__file__).parent / "conf"
CONF_FOLDER = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parent.parent / "conf"

Share = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1, strict=True)]
CountOrZero = Annotated[int, Field(ge=0, strict=True)]
Positive = Annotated[float, Field(gt=0)]
Loss = Literal["huber", "mse", "bce", "multinomial"]


def _require_path(value: str) -> str:
    if "://" in value:
        message = "Input should be a path that all nodes see as a folder (a mounted volume, say), not a URL"
        raise PydanticCustomError("path", message)
    return value


def _require_plain(value: Any) -> Any:
    if not isinstance(value, str | int | float | bool):
        raise PydanticCustomError("plain_value", "Input should be a string, a number, true or false")
    return value


class _Settings(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=(), coerce_numbers_to_str=True
    )


class SparkSettings(_Settings):
    master: str | None
    driver_memory: str | None
    settings: dict[str, Annotated[Any, AfterValidator(_require_plain)]]


TableName = Literal[
    "companies", "products", "usage", "company_vocab", "product_vocab", "company_product", "text_embeddings",
    "company_embeddings", "product_embeddings", "company_scores", "product_scores", "company_neighbours",
    "company_communities", "communities", "quarantine", "sample_truth",
]  # fmt: skip


class TableSettings(_Settings):
    catalog: str | None
    names: dict[TableName, str]


class InputSettings(_Settings):
    source: Literal["tables", "csv", "sample"]
    folder: str | None
    companies_where: str | None
    products_where: str | None
    usage_where: str | None
    max_quarantined_share: Annotated[float, Field(ge=0, le=1)]


class SampleSettings(_Settings):
    companies: Count
    products: Count
    industries: Count
    communities: Count
    categories: Count
    products_per_company: Positive
    text_informativeness: Annotated[float, Field(ge=0, le=1)]
    long_text_share: Share
    no_text_share: Share


class TextSettings(_Settings):
    columns: Annotated[list[str], Field(min_length=1)]
    combine: str
    remove_vanished: bool
    mask_product_names: bool

    @model_validator(mode="after")
    def _combine_names_a_way_or_a_column(self) -> Self:
        if self.combine not in ("mean", "concatenate", *self.columns):
            raise PydanticCustomError("combine", "combine should be mean, concatenate or one of columns")
        return self


class EncoderSettings(_Settings):
    model: str
    max_tokens: Annotated[int, Field(ge=8, strict=True)] | None
    overlap_tokens: CountOrZero
    pooling: Literal["mean", "cls", "lasttoken"] | None
    normalize: bool | None
    prompt: Literal["passage", "query"]
    prefix: str | None
    precision: Literal["float32", "bfloat16"] | None
    batch_tokens: Count | None
    threads_per_task: Count | None
    use_gpu: bool
    minutes_per_commit: Positive


class FilterSettings(_Settings):
    min_product_density: Share
    min_companies_per_product: Count
    min_products_per_company: Count


class SplitSettings(_Settings):
    cold_share: Annotated[float, Field(gt=0, lt=1)]
    keep_alike_together: bool
    train_share: Annotated[float, Field(gt=0, le=1)]
    warm_share: Annotated[float, Field(gt=0, lt=1)]
    min_products_to_hide: Annotated[int, Field(ge=2, strict=True)]
    hide: Literal["random", "newest"]


class TrainSettings(_Settings):
    processes: Count
    local_mode: bool | None
    use_gpu: bool
    max_epochs: Count
    patience_steps: Count
    batch_companies: Count
    timeout_seconds: Count
    hidden_size: Count
    depth: CountOrZero
    dropout: Share
    learning_rate: Positive
    weight_decay: Annotated[float, Field(ge=0)]
    company_l2: Annotated[float, Field(ge=0)]
    loss: Loss
    huber_delta: Positive
    positive_weight: Positive


class AutoencoderSettings(_Settings):
    batch_companies: Count
    hidden_size: Count
    dropout: Share
    learning_rate: Positive
    weight_decay: Annotated[float, Field(ge=0)]
    loss: Loss


FusedPart = Literal[
    "hybrid_knn", "text_dae", "text_knn_words", "neighbour_ridge", "ials", "offset", "prior", "guard"
]  # fmt: skip


class FusedSettings(_Settings):
    vector_size: Count
    left_out: list[FusedPart]

    @model_validator(mode="after")
    def _newcomers_have_a_base(self) -> Self:
        if {"text_knn_words", "neighbour_ridge"} <= set(self.left_out):
            raise PydanticCustomError("base", "of text_knn_words and neighbour_ridge one should stay")
        return self


ModelName = Literal[
    "popularity",
    "item_knn",
    "ease",
    "ials",
    "ae",
    "text_knn",
    "text_knn_words",
    "hybrid_knn",
    "ease_text",
    "ease_text_ials",
    "dcf",
    "hcf",
    "text_dae",
    "fused",
]


class EvaluationSettings(_Settings):
    cutoff: Count
    trials: Count
    max_companies: Count
    max_fit_companies: Count
    models: Annotated[list[ModelName], Field(min_length=1)]


def _name_yaml_booleans(value: Any) -> Any:
    """YAML reads on and off as true and false."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


class MlflowSettings(_Settings):
    tracking_uri: str | None
    registry_uri: str | None
    experiment: str
    model_name: str
    include_encoder: bool
    directory_companies: CountOrZero
    reference_companies: Count
    gate: Annotated[Literal["off", "dry_run", "on"], BeforeValidator(_name_yaml_booleans)]


class ScoreSettings(_Settings):
    top_k: Count
    companies_per_product: CountOrZero
    with_reasons: bool
    neighbours: CountOrZero
    max_exact_companies: CountOrZero
    keep_versions: Count


class StudySettings(_Settings):
    name: Annotated[str, Field(pattern=r"^[\w-]+$")]
    axes: dict[
        str, Annotated[list[Any], Field(min_length=1)] | Annotated[dict[str, dict[str, Any]], Field(min_length=1)]
    ]
    figures: dict[str, str]


class CommunitySettings(_Settings):
    neighbours: Count
    resolution: Positive
    max_companies: Count
    group_columns: list[str]
    top_k: Count


class Config(_Settings):
    """All settings of a run; conf/base.yml says what each means."""

    seed: CountOrZero
    output: Annotated[str, AfterValidator(_require_path)]
    log_level: Literal["debug", "info", "warning", "error"]
    spark: SparkSettings
    tables: TableSettings
    input: InputSettings
    sample: SampleSettings
    text: TextSettings
    encoder: EncoderSettings
    filter: FilterSettings
    split: SplitSettings
    train: TrainSettings
    autoencoder: AutoencoderSettings
    fused: FusedSettings
    evaluation: EvaluationSettings
    mlflow: MlflowSettings
    score: ScoreSettings
    study: StudySettings
    communities: CommunitySettings

    def to_yaml(self) -> str:
        """The resolved settings as YAML, a group a line, secrets masked."""
        return yaml.safe_dump(self.to_masked(), sort_keys=False, default_flow_style=None, width=1_000)

    def to_masked(self) -> dict[str, Any]:
        """The resolved settings as nested dictionaries, secrets masked."""
        return _masked(self.model_dump())


def load_config(files: Iterable[str | Path] = (), overrides: Iterable[str] = ()) -> Config:
    """Resolve the settings of a run.

    Args:
        files: YAML files, each laid over conf/base.yml and the ones before it.
        overrides: ``a.b=value`` strings (value in YAML), laid over the files.

    Raises:
        ConfigError: a file is missing or not a YAML mapping; a key is unknown (the nearest valid one is named); a
            value is wrong.
    """
    merged = _read(CONF_FOLDER / "base.yml")
    for file in files:
        layer = _read(Path(file))
        _refuse_unknown(layer, Config, str(file))
        merged = _merge(merged, layer)
    for override in overrides:
        layer = _parse_override(override)
        _refuse_unknown(layer, Config, "--set")
        merged = _merge(merged, layer)
    return _validate(merged)


def with_settings(config: Config, settings: Mapping[str, Any], where: str) -> Config:
    """The settings with some of them replaced.

    Args:
        config: of a run.
        settings: dotted name, as after ``--set``, to value.
        where: they come from, for the error message.

    Raises:
        ConfigError: a name is unknown (the nearest valid one is named), or a value is wrong.
    """
    merged = config.model_dump()
    for path, value in settings.items():
        layer = _nest(path, value)
        _refuse_unknown(layer, Config, where)
        merged = _merge(merged, layer)
    return _validate(merged)


def _validate(merged: Mapping[str, Any]) -> Config:
    try:
        return Config.model_validate(merged)
    except ValidationError as error:
        problems = []
        for problem in error.errors():
            key = ".".join(map(str, problem["loc"]))
            found = MASKED if is_secret(key) else repr(problem["input"])
            problems.append(f"{key}: {problem['msg'].lower()}, found {found}")
        raise ConfigError(f"wrong value in the settings: {'; '.join(problems)}") from error


def _read(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"settings file {file}: {error.strerror or error}; give an existing YAML file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"settings file {file} is not YAML: {reason}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"settings file {file} holds a {type(content).__name__}; it must be a mapping of settings")
    return content


def _parse_override(override: str) -> dict[str, Any]:
    path, separator, value = override.partition("=")
    if not separator or not path:
        raise ConfigError(f"--set {override!r}: write it as a.b=value, for example --set seed=1")
    try:
        return _nest(path, yaml.safe_load(value))
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override!r}: the value is not YAML") from error


def _nest(path: str, value: Any) -> dict[str, Any]:
    layer = value
    for key in reversed(path.split(".", 2)):  # group, setting, and the key of a free mapping such as spark.settings
        layer = {key: layer}
    return layer


def _merge(base: Mapping[str, Any], layer: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in layer.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _refuse_unknown(layer: Mapping[str, Any], model: type[BaseModel], where: str, prefix: str = "") -> None:
    for key, value in layer.items():
        field = model.model_fields.get(str(key))
        if field is None:
            near = _nearest(str(key), model, prefix)
            raise ConfigError(f"unknown setting {prefix}{key} in {where}; the nearest valid one is {near}")
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            if not isinstance(value, Mapping):
                raise ConfigError(f"setting {prefix}{key} in {where} is a group of settings, found {value!r}")
            _refuse_unknown(value, field.annotation, where, f"{prefix}{key}.")


def _nearest(key: str, model: type[BaseModel], prefix: str) -> str:
    """The setting of this very name elsewhere, else the one of the same group with the most similar name."""
    elsewhere = [path for path in _list_paths(Config) if path.rpartition(".")[2] == key]
    return (
        elsewhere[0] if elsewhere else prefix + difflib.get_close_matches(key, model.model_fields, n=1, cutoff=0.0)[0]
    )


def _list_paths(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for key, field in model.model_fields.items():
        yield f"{prefix}{key}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _list_paths(field.annotation, f"{prefix}{key}.")


def _masked(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {key: _masked(inner, f"{name}.{key}") for key, inner in value.items()}
    if is_secret(name) and value is not None:
        return MASKED
    return mask(value) if isinstance(value, str) else value
