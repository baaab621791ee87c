"""Whether weights are those of the model that config.json describes, told from their names and shapes alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hcf_spark.errors import ConfigError
from hcf_spark.text.folder import weight_files

if TYPE_CHECKING:
    from transformers import PretrainedConfig

    Shape = tuple[int, ...]

_OLD_NAMES = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}


def require_fitting_weights(folder: Path, config: "PretrainedConfig") -> None:
    """Check the files' headers against a model without memory; no tensor is read.

    Raises:
        ConfigError: tensors that config.json asks for are missing, or of another shape.
    """
    import torch
    from transformers import AutoModel

    with torch.device("meta"):
        model = AutoModel.from_config(config, trust_remote_code=False)
    wanted = {name: tuple(weight.shape) for name, weight in model.named_parameters() if not name.startswith("pooler.")}
    found = {_new_name(name, model.base_model_prefix): shape for name, shape in _read_shapes(folder).items()}
    problem = _missing(wanted, found) or _misshapen(wanted, found)
    if problem:
        raise ConfigError(
            f"encoder weights in {folder} {problem}: config.json and weights are not of the same model; "
            "fetch the folder again"
        )


def _missing(wanted: Mapping[str, "Shape"], found: Mapping[str, "Shape"]) -> str | None:
    missing = sorted(set(wanted) - set(found))
    return f"lack {len(missing)} tensors that config.json asks for, such as {missing[0]}" if missing else None


def _misshapen(wanted: Mapping[str, "Shape"], found: Mapping[str, "Shape"]) -> str | None:
    other = sorted(name for name, shape in wanted.items() if found[name] != shape)
    if not other:
        return None
    return (
        f"have {len(other)} tensors of other shapes than config.json asks for, such as {other[0]} "
        f"{found[other[0]]} where {wanted[other[0]]} is asked for"
    )


def _read_shapes(folder: Path) -> dict[str, "Shape"]:
    from safetensors import safe_open

    shapes = {}
    for path in weight_files(folder):
        with safe_open(path, framework="numpy") as file:
            shapes.update({name: tuple(file.get_slice(name).get_shape()) for name in file.keys()})  # noqa: SIM118 - no mapping
    return shapes


def _new_name(name: str, prefix: str) -> str:
    """The name that the model has for a tensor saved from a model with a head, or by an old version.

    >>> _new_name("bert.embeddings.LayerNorm.gamma", "bert")
    'embeddings.LayerNorm.weight'
    """
    for old, new in _OLD_NAMES.items():
        name = name.replace(old, new)
    return name.removeprefix(f"{prefix}.")
