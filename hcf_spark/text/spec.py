"""What an encoder is, settled on the driver: small, picklable, checked; the weights are not loaded."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hcf_spark.errors import ConfigError
from hcf_spark.text.folder import find_folder, fingerprint, read_sentence_length, require_complete
from hcf_spark.text.quiet import quiet_transformers
from hcf_spark.text.tokens import load_tokenizer, special_tokens

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

    from hcf_spark.config import EncoderSettings

_POOLING = "mean"
_POSITIONS_START_AFTER_PADDING = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet"})


@dataclass(frozen=True)
class EncoderSpec:
    """Everything a worker needs to load the encoder.

    Attributes:
        model: ``encoder.model`` as set, so that a worker whose disk is not the driver's finds its own copy.
        folder: where the driver found it.
        fingerprint: of the folder's content.
        encoder_id: names all that the vectors depend on; vectors with different ids must never be compared.
        max_tokens: tokens in a window, special ones included.
        overlap_tokens: tokens that a window repeats of the one before it.
        batch_tokens: padded tokens of a forward pass.
        threads: CPU threads of a task.
        dimension: D, the length of a vector.
    """

    model: str
    folder: str
    fingerprint: str
    encoder_id: str
    max_tokens: int
    overlap_tokens: int
    batch_tokens: int
    threads: int
    dimension: int


def resolve_encoder(settings: "EncoderSettings") -> EncoderSpec:
    """Find the encoder, check it and the window settings, and name it. Reads the weights once, for their hash.

    Raises:
        ConfigError: the model is not found, not complete or no BERT-type encoder, or the windows do not fit it.
    """
    folder = find_folder(settings.model)
    require_complete(folder)
    config, tokenizer = _load_settings(folder)
    max_tokens = _window_tokens(settings.max_tokens, folder, config)
    room = max_tokens - sum(map(len, special_tokens(tokenizer)))
    if settings.overlap_tokens >= room:
        raise ConfigError(
            f"encoder.overlap_tokens is {settings.overlap_tokens}, but a window of {settings.model} has room for "
            f"{room} tokens of text ({max_tokens} with special ones): set it below {room}, better below {room // 2}"
        )
    digest = fingerprint(folder)
    name = Path(settings.model).name
    return EncoderSpec(
        model=settings.model,
        folder=str(folder),
        fingerprint=digest,
        encoder_id=f"{name}@{digest}/{_POOLING}/window={max_tokens}/overlap={settings.overlap_tokens}",
        max_tokens=max_tokens,
        overlap_tokens=settings.overlap_tokens,
        batch_tokens=settings.batch_tokens,
        threads=settings.threads_per_task,
        dimension=config.hidden_size,
    )


def _load_settings(folder: Path) -> tuple["PretrainedConfig", "PreTrainedTokenizerBase"]:
    from transformers import AutoConfig

    try:
        with quiet_transformers():
            config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            tokenizer = load_tokenizer(folder)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"encoder folder {folder}: transformers cannot read its config.json and tokenizer ({reason}); "
            "give the folder of a BERT-type encoder"
        ) from error
    problem = _family_problem(config, tokenizer)
    if problem:
        raise ConfigError(
            f"encoder folder {folder} holds a model of type {config.model_type} {problem}: "
            "give the folder of a BERT-type encoder"
        )
    return config, tokenizer


def _family_problem(config: "PretrainedConfig", tokenizer: "PreTrainedTokenizerBase") -> str | None:
    if config.is_encoder_decoder:
        return "with a decoder"
    if not hasattr(config, "hidden_size"):
        return "without one hidden_size"
    if tokenizer.pad_token_id is None:
        return "whose tokenizer has no padding token"
    if not sum(map(len, special_tokens(tokenizer))):
        return "whose tokenizer adds no special tokens"
    if len(tokenizer) > config.vocab_size:
        return f"for {config.vocab_size} tokens, but its tokenizer has {len(tokenizer)}"
    return None


def _window_tokens(wanted: int | None, folder: Path, config: "PretrainedConfig") -> int:
    most = _most_tokens(config)
    if wanted is None:
        wanted = read_sentence_length(folder) or most
        if wanted is None:
            raise ConfigError(
                f"encoder.max_tokens: the model in {folder} names no maximum of its own; set one, for example 512"
            )
        return wanted if most is None else min(wanted, most)
    if most is not None and wanted > most:
        raise ConfigError(
            f"encoder.max_tokens is {wanted}, but the model in {folder} takes at most {most}: "
            f"set {most} or less, or null for the model's own; longer texts are read in several windows"
        )
    return wanted


def _most_tokens(config: "PretrainedConfig") -> int | None:
    most = getattr(config, "max_position_embeddings", None)
    if most is not None and config.model_type in _POSITIONS_START_AFTER_PADDING:
        return most - config.pad_token_id - 1
    return most
