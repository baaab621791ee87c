"""What an encoder is, settled on the driver: small, picklable, checked; the weights are not loaded."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hcf_spark.errors import ConfigError
from hcf_spark.text.authors import POOLINGS, Intended, read_intended
from hcf_spark.text.folder import find_folder, fingerprint, require_complete
from hcf_spark.text.quiet import quiet_transformers
from hcf_spark.text.tokens import load_tokenizer, special_tokens, tokenise
from hcf_spark.text.weights import require_fitting_weights

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

    from hcf_spark.config import EncoderSettings

_NO_MAXIMUM = 1_000_000  # a tokenizer without a maximum names one far above this
_POSITIONS_START_AFTER_PADDING = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet"})


@dataclass(frozen=True)
class EncoderSpec:
    """Everything a worker needs to load the encoder.

    Attributes:
        model: ``encoder.model`` as set, so that a worker whose disk is not the driver's finds its own copy.
        folder: where the driver found it.
        fingerprint: of the folder's content.
        encoder_id: names all that the vectors depend on but precision (bfloat16 keeps a cosine of .999 with float32);
            vectors with different ids must never be compared.
        max_tokens: tokens in a window, special ones and prefix included.
        overlap_tokens: tokens that a window repeats of the one before it.
        pooling: ``mean`` of the tokens, ``cls`` or ``lasttoken``.
        normalize: whether vectors are scaled to unit length.
        prefix: goes before each window.
        pool_prefix: whether the prefix counts in the pooling.
        lower_case: whether texts are lowered first, as the prefix is already.
        dimension: D, the length of a vector.
        precision: ``float32`` or ``bfloat16``; None: by the device.
        batch_tokens: padded tokens of a forward pass; None: by the device.
        threads: CPU threads of a task; None: as many as the process has.
    """

    model: str
    folder: str
    fingerprint: str
    encoder_id: str
    max_tokens: int
    overlap_tokens: int
    pooling: str
    normalize: bool
    prefix: str
    pool_prefix: bool
    lower_case: bool
    dimension: int
    precision: str | None
    batch_tokens: int | None
    threads: int | None


def resolve_encoder(settings: "EncoderSettings") -> EncoderSpec:
    """Find the encoder, check it and the settings, and name it. Reads the weights once, for their hash.

    Raises:
        ConfigError: the model is not found, not complete, no BERT-type encoder, of other weights than its config.json
            says or meant to be used in a way that is not known here, or the windows do not fit it.
    """
    folder = find_folder(settings.model)
    require_complete(folder)
    config, tokenizer = _load_settings(folder)
    require_fitting_weights(folder, config)
    intended = read_intended(folder)
    max_tokens = _window_tokens(settings.max_tokens, folder, config, tokenizer, intended)
    prefix = intended.prefixes[settings.prompt] if settings.prefix is None else settings.prefix
    prefix = prefix.lower() if intended.lower_case else prefix
    room = max_tokens - sum(map(len, special_tokens(tokenizer))) - len(tokenise(tokenizer, [prefix])[0])
    if settings.overlap_tokens >= room:
        raise ConfigError(
            f"encoder.overlap_tokens is {settings.overlap_tokens}, but a window of {settings.model} has room for "
            f"{room} tokens of text ({max_tokens} with special ones{' and prefix' if prefix else ''}): "
            f"set it below {room}, better below {room // 2}"
        )
    spec = EncoderSpec(
        model=settings.model,
        folder=str(folder),
        fingerprint=fingerprint(folder),
        encoder_id="",
        max_tokens=max_tokens,
        overlap_tokens=settings.overlap_tokens,
        pooling=settings.pooling or _known_pooling(intended.pooling, folder),
        normalize=intended.normalize if settings.normalize is None else settings.normalize,
        prefix=prefix,
        pool_prefix=intended.pool_prefix,
        lower_case=intended.lower_case,
        dimension=config.hidden_size,
        precision=settings.precision,
        batch_tokens=settings.batch_tokens,
        threads=settings.threads_per_task,
    )
    return replace(spec, encoder_id=_encoder_id(spec))


def _encoder_id(spec: EncoderSpec) -> str:
    parts = [
        f"{Path(spec.model).name}@{spec.fingerprint}",
        spec.pooling,
        f"window={spec.max_tokens}",
        f"overlap={spec.overlap_tokens}",
    ]
    if not spec.normalize:
        parts.append("any length")
    if spec.prefix:
        parts.append(f"prefix={spec.prefix!r}" if spec.pool_prefix else f"prefix={spec.prefix!r} not pooled")
    if spec.lower_case:
        parts.append("lower case")
    return "/".join(parts)


def _known_pooling(pooling: str, folder: Path) -> str:
    if pooling not in POOLINGS:
        raise ConfigError(
            f"encoder folder {folder} asks for pooling {pooling}, which is not done here: "
            f"set encoder.pooling to one of {', '.join(POOLINGS)}, or give another encoder"
        )
    return pooling


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


def _window_tokens(
    wanted: int | None,
    folder: Path,
    config: "PretrainedConfig",
    tokenizer: "PreTrainedTokenizerBase",
    intended: Intended,
) -> int:
    most = _most_tokens(config)
    if wanted is not None:
        if most is not None and wanted > most:
            raise ConfigError(
                f"encoder.max_tokens is {wanted}, but the model in {folder} takes at most {most}: "
                f"set {most} or less, or null for the model's own; longer texts are read in several windows"
            )
        return wanted
    named = intended.max_tokens or tokenizer.model_max_length
    lengths = [length for length in (named, most) if length is not None and length < _NO_MAXIMUM]
    if not lengths:
        raise ConfigError(
            f"encoder.max_tokens: the model in {folder} names no maximum of its own; set one, for example 512"
        )
    return min(lengths)


def _most_tokens(config: "PretrainedConfig") -> int | None:
    most = getattr(config, "max_position_embeddings", None)
    return None if most is None else most - first_position(config)


def first_position(config: "PretrainedConfig") -> int:
    """Position id of a window's first token."""
    return config.pad_token_id + 1 if config.model_type in _POSITIONS_START_AFTER_PADDING else 0
