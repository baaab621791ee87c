"""How a model's authors meant it to be used, from the files that sentence-transformers keeps beside the weights."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hcf_spark.errors import ConfigError

POOLINGS = ("mean", "cls", "lasttoken")

_MODULES = "modules.json"
_PROMPTS = "config_sentence_transformers.json"
_FAMILIES = ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
_LENGTHS = tuple(f"sentence_{family}_config.json" for family in _FAMILIES)
_POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_PROMPT_NAMES = {"passage": ("document", "passage", "corpus"), "query": ("query",)}


@dataclass(frozen=True)
class Intended:
    """What the folder says; for a folder without such files: mean, unit length, no prefix, no maximum of its own.

    Attributes:
        pooling: one of ``POOLINGS``, or one that is not read here.
        normalize: whether vectors are scaled to unit length.
        prefixes: by ``passage`` and ``query``, "" for none.
        pool_prefix: whether the tokens of the prefix count in the pooling.
        max_tokens: of a window, special tokens included.
        lower_case: whether texts are lowered before tokenising.
    """

    pooling: str
    normalize: bool
    prefixes: Mapping[str, str]
    pool_prefix: bool
    max_tokens: int | None
    lower_case: bool


def read_intended(folder: Path) -> Intended:
    """Read modules.json, the pooling's config.json, config_sentence_transformers.json and the first of ``_LENGTHS``.

    Raises:
        ConfigError: a file is broken or missing, or asks for a step that is not taken here.
    """
    modules = _read_modules(folder)
    pooling = _read(folder, Path(modules["Pooling"]) / "config.json") if "Pooling" in modules else {}
    names = [Path(modules.get("Transformer", "")) / name for name in _LENGTHS]
    length = next(filter(None, (_read(folder, name, there=False) for name in names)), {})
    return Intended(
        pooling=_pooling(pooling, folder),
        normalize="Normalize" in modules or not modules,
        prefixes=_prefixes(_read(folder, Path(_PROMPTS), there=False)),
        pool_prefix=pooling.get("include_prompt", True),
        max_tokens=length.get("max_seq_length"),
        lower_case=bool(length.get("do_lower_case")),
    )


def _read_modules(folder: Path) -> dict[str, str]:
    """Folders of the model's modules by the last part of their type."""
    if not (folder / _MODULES).is_file():
        return {}
    try:
        modules = {entry["type"].rpartition(".")[2]: entry["path"] for entry in json.loads(_text(folder / _MODULES))}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"encoder folder {folder}: {_MODULES} is not a list of modules; fetch it again") from error
    other = sorted(set(modules) - {"Transformer", "Pooling", "Normalize"})
    if other:
        raise ConfigError(
            f"encoder folder {folder}: {_MODULES} asks for {', '.join(other)}, which is not done here: "
            "give an encoder that is made of Transformer, Pooling and Normalize"
        )
    return modules


def _pooling(config: Mapping[str, Any], folder: Path) -> str:
    found = config.get("pooling_mode", [mode for flag, mode in _POOLING_FLAGS.items() if config.get(flag)] or "mean")
    modes = [found] if isinstance(found, str) else list(found)
    if len(modes) > 1:
        raise ConfigError(
            f"encoder folder {folder}: the vectors are {' and '.join(modes)} side by side, which is not done here: "
            f"set encoder.pooling to one of {', '.join(POOLINGS)}, or give another encoder"
        )
    return modes[0]


def _prefixes(config: Mapping[str, Any]) -> dict[str, str]:
    prompts = config.get("prompts") or {}
    otherwise = prompts.get(config.get("default_prompt_name")) or ""
    return {
        kind: next((prompts[name] for name in names if prompts.get(name) is not None), otherwise)
        for kind, names in _PROMPT_NAMES.items()
    }


def _read(folder: Path, name: Path, there: bool = True) -> dict[str, Any]:
    """A JSON mapping; an empty one where the file need not be ``there`` and is not."""
    path = folder / name
    if not path.is_file():
        if there:
            raise ConfigError(f"encoder folder {folder} lacks {name}, which {_MODULES} names; fetch the folder again")
        return {}
    try:
        content = json.loads(_text(path))
    except ValueError as error:
        raise ConfigError(f"encoder folder {folder}: {name} is not JSON; fetch it again") from error
    if not isinstance(content, dict):
        raise ConfigError(f"encoder folder {folder}: {name} is not a JSON mapping; fetch it again")
    return content


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
