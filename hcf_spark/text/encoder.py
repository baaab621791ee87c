"""Texts to vectors with a BERT-type encoder, on CPU or GPU."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, PreTrainedModel

from hcf_spark.errors import ConfigError, PlatformError
from hcf_spark.text.batching import token_batches
from hcf_spark.text.device import (
    any_device,
    default_batch_tokens,
    default_precision,
    peak_flops,
    task_device,
    to_device,
)
from hcf_spark.text.effort import Effort
from hcf_spark.text.folder import find_folder, fingerprint
from hcf_spark.text.forward import Attend, packed_forward, padded_forward
from hcf_spark.text.pooling import pool_tokens
from hcf_spark.text.quiet import quiet_transformers
from hcf_spark.text.reader import TextReader, Windows
from hcf_spark.text.spec import EncoderSpec, first_position
from hcf_spark.text.vectors import pool_windows, to_unit_length

logger = logging.getLogger(__name__)

_TRIAL = ("a", "A text of some words, more than the others have. " * 4, "b c d")
_LEAST_COSINE = 0.999
_NO_MEMORY = (  # what torch says beside its OutOfMemoryError: on a CPU, and of CUDA's libraries
    "can't allocate memory", "bad_alloc", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)  # fmt: skip


@dataclass(frozen=True)
class Encoded:
    """Vectors of N texts, in the order given.

    Attributes:
        vectors: (N, D) float32, rows of unit length unless the spec says otherwise.
        n_tokens: (N,) int32, tokens of each text, special ones not counted, those in two windows counted once.
        n_windows: (N,) int32, at least 1.
    """

    vectors: np.ndarray
    n_tokens: np.ndarray
    n_windows: np.ndarray


class Encoder:
    """A tokenizer and a model in memory.

    A text of any length is read whole: cut into overlapping windows, each pooled over its tokens as the model's
    authors meant it, the windows pooled by their token counts. A text without a single token (control characters
    only) gets the vector of the special tokens alone.

    Attributes:
        reader: texts to windows; may be used in another thread.
        effort: what has been done so far.
    """

    def __init__(self, spec: EncoderSpec, device: torch.device | None = None) -> None:
        """Load the weights.

        Args:
            spec: the encoder.
            device: None: see ``any_device``.

        Raises:
            ConfigError: the folder is not on this machine, holds another model than on the driver, or lacks weights.
        """
        start = time.perf_counter()
        folder = _own_folder(spec)
        self.spec = spec
        self.device = device or any_device()
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)  # else pinned memory opens a context on the first GPU too
        self.precision = getattr(torch, spec.precision) if spec.precision else default_precision(self.device)
        with quiet_transformers():
            self.reader = TextReader(spec, folder)
            self._model = _load_model(folder, self.precision).to(self.device)
        config = self._model.config
        self._matrix_weights = _matrix_weights(self._model)
        self._attention_width = 4 * config.num_hidden_layers * config.hidden_size
        batch_tokens = spec.batch_tokens or default_batch_tokens(self.device, config, spec.max_tokens, self.precision)
        self.effort = Effort(batch_tokens=batch_tokens, peak_flops=peak_flops(self.device) or 0.0)
        self._forward = padded_forward(self._model, self.reader.padding)
        if self.device.type == "cuda" and self.precision != torch.float32:
            self._pack_if_torch_can()
        self.effort.padded_tokens = 0
        self.effort.load_seconds = time.perf_counter() - start

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Vectors of ``texts``. Which other texts are there changes a vector by rounding only (about 1e-7 in fp32)."""
        return self.encode_windows(self.reader.read(texts))

    def encode_windows(self, texts: Sequence[Windows]) -> Encoded:
        """Vectors of texts that have been read already."""
        rows = [row for text in texts for row in text.rows]
        n_windows = np.array([len(text.rows) for text in texts], dtype=np.int32)
        weights = np.concatenate([text.weights for text in texts]) if texts else np.array([], dtype=np.int64)
        vectors = pool_windows(self._encode_rows(rows), weights, n_windows)
        self.effort.texts += len(texts)
        self.effort.text_tokens += sum(text.n_tokens for text in texts)
        return Encoded(
            vectors=to_unit_length(vectors) if self.spec.normalize else vectors,
            n_tokens=np.array([text.n_tokens for text in texts], dtype=np.int32),
            n_windows=n_windows,
        )

    def take_effort(self) -> Effort:
        """What was done since the last call; counting starts anew."""
        taken = self.effort
        self.effort = Effort(batch_tokens=taken.batch_tokens, peak_flops=taken.peak_flops)
        return taken

    def pack(self, attend: Attend) -> bool:
        """Compute without padding from here on, if this model gives the same vectors that way; tells whether it does.

        Args:
            attend: as ``torch.nn.attention.varlen.varlen_attn``.
        """
        rows = [row for text in self.reader.read(_TRIAL) for row in text.rows]
        usual, padded = self._model.config._attn_implementation, self._forward
        with torch.inference_mode():
            expected = self._pooled(rows)
            try:
                self._forward = packed_forward(self._model, first_position(self._model.config), attend)
                cosine = torch.nn.functional.cosine_similarity(self._pooled(rows), expected).min().item()
                problem = None if cosine >= _LEAST_COSINE else f"cosine with the padded vectors {cosine:.3f}"
            except Exception as error:
                problem = f"{type(error).__name__}: {error}"
        if problem:
            logger.info("%s is computed with padding, since it cannot be packed (%s)", self.spec.model, problem)
            self._model.set_attn_implementation(usual)
            self._forward = padded
        return not problem

    def _pack_if_torch_can(self) -> None:
        try:
            from torch.nn.attention.varlen import varlen_attn
        except ImportError:
            return
        self.pack(varlen_attn)

    def _encode_rows(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """(W, D) float32, in the order of ``rows``; a batch that memory does not hold is tried again in halves."""
        start = time.perf_counter()
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        vectors = torch.empty((len(rows), self.spec.dimension), dtype=torch.float32, device=self.device)
        waiting = self._batches(lengths)
        with torch.inference_mode(), _cpu_threads(self.spec.threads):
            while waiting:
                batch = waiting.pop()
                try:
                    vectors[to_device(batch, self.device)] = self._pooled([rows[row] for row in batch])
                    continue
                except Exception as error:
                    if not _is_out_of_memory(error):
                        raise
                # out of the except block, since the error keeps the tensors of its stack alive
                self._halve_budget(lengths[batch])
                left = np.concatenate([batch, *waiting[::-1]])
                waiting = [left[part] for part in self._batches(lengths[left])]
            found = vectors.cpu().numpy()
        self.effort.model_seconds += time.perf_counter() - start
        self.effort.tokens += int(lengths.sum())
        matrices, attention = 2 * self._matrix_weights * lengths.sum(), self._attention_width * np.square(lengths).sum()
        self.effort.flops += float(matrices + attention)
        return found

    def _batches(self, lengths: np.ndarray) -> list[np.ndarray]:
        """The last one is to be computed first."""
        return token_batches(lengths, self.effort.batch_tokens, close_early=self.device.type == "cpu")[::-1]

    def _pooled(self, rows: Sequence[np.ndarray]) -> torch.Tensor:
        """(B, D) float32 on the device."""
        hidden, starts = self._forward(rows)
        ends = starts + np.array([len(row) for row in rows])
        pooled = pool_tokens(hidden, starts + self.reader.n_not_pooled, ends, self.spec.pooling)
        self.effort.padded_tokens += len(hidden)
        return pooled

    def _halve_budget(self, lengths: np.ndarray) -> None:
        if len(lengths) == 1:
            raise PlatformError(
                f"a window of {lengths[0]} tokens does not fit into the memory of {self.device}: "
                "lower encoder.max_tokens, or run fewer tasks there at once"
            )
        self.effort.batch_tokens = max(int(len(lengths) * lengths.max()) // 2, 1)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        logger.warning("out of memory on %s: on with %s tokens at once", self.device, f"{self.effort.batch_tokens:,}")


@lru_cache(maxsize=1)
def load_encoder(spec: EncoderSpec, gpu: str | None) -> Encoder:
    """The encoder of a Spark worker process, which runs many tasks and loads it in the first; see ``task_device``."""
    return Encoder(spec, task_device(gpu))


def _own_folder(spec: EncoderSpec) -> Path:
    """The model's folder on this machine, which may not have the driver's disk."""
    if Path(spec.folder).is_dir():
        return Path(spec.folder)
    folder = find_folder(spec.model)
    if fingerprint(folder) != spec.fingerprint:
        raise ConfigError(
            f"encoder folder {folder} on this worker differs from {spec.folder} on the driver: "
            "put the model where all nodes see it, or install the same version of it on all nodes"
        )
    return folder


def _load_model(folder: Path, precision: torch.dtype) -> PreTrainedModel:
    model, report = AutoModel.from_pretrained(
        folder, use_safetensors=True, local_files_only=True, trust_remote_code=False, dtype=precision,
        output_loading_info=True,
    )  # fmt: skip
    missing = sorted(key for key in report["missing_keys"] if not key.startswith("pooler."))
    if missing:
        raise ConfigError(
            f"encoder weights in {folder} lack {len(missing)} tensors that config.json asks for, such as {missing[0]}: "
            "config.json and weights are not of the same model; fetch the folder again"
        )
    return model.eval()


def _matrix_weights(model: PreTrainedModel) -> int:
    """Weights of the matrices that every token goes through."""
    return sum(
        weight.numel()
        for name, weight in model.named_parameters()
        if weight.ndim == 2 and "embeddings" not in name and not name.startswith("pooler.")
    )


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(words in str(error) for words in _NO_MEMORY)


@contextmanager
def _cpu_threads(threads: int | None) -> Iterator[None]:
    """Within the block torch computes with ``threads`` CPU threads; the rest of the process keeps its own number."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
