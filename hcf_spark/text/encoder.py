"""Texts to vectors of unit length with a BERT-type encoder, on CPU or GPU."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, PreTrainedModel

from hcf_spark.errors import ConfigError
from hcf_spark.text.batching import token_batches
from hcf_spark.text.folder import find_folder, fingerprint
from hcf_spark.text.pooling import mean_pool, pool_windows, to_unit_length
from hcf_spark.text.quiet import quiet_transformers
from hcf_spark.text.spec import EncoderSpec
from hcf_spark.text.tokens import load_tokenizer, special_tokens, tokenise
from hcf_spark.text.windows import cut_windows


@dataclass(frozen=True)
class Encoded:
    """Vectors of N texts, in the order given.

    Attributes:
        vectors: (N, D) float32, rows of unit length.
        n_tokens: (N,) int32, tokens of each text, special ones not counted, those in two windows counted once.
        n_windows: (N,) int32, at least 1.
    """

    vectors: np.ndarray
    n_tokens: np.ndarray
    n_windows: np.ndarray


class Encoder:
    """A tokenizer and a model in memory.

    A text of any length is read whole: cut into overlapping windows, each pooled by the mean of its tokens (as
    sentence-transformers does), the windows pooled by their token counts, the result scaled to unit length. A text
    without a single token (control characters only) gets the vector of the special tokens alone.
    """

    def __init__(self, spec: EncoderSpec) -> None:
        """Load the weights: on the GPU if torch sees one, else on the CPU.

        Raises:
            ConfigError: the folder is not on this machine, holds another model than on the driver, or lacks weights.
        """
        folder = _own_folder(spec)
        self.spec = spec
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        with quiet_transformers():
            self._tokenizer = load_tokenizer(folder)
            self._model = _load_model(folder).to(self.device)
        self._before, self._after = special_tokens(self._tokenizer)
        self._n_special = len(self._before) + len(self._after)

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Vectors of ``texts``. Which other texts are there changes a vector by float rounding only (about 1e-7)."""
        token_ids = tokenise(self._tokenizer, texts)
        room = self.spec.max_tokens - self._n_special
        per_text = [cut_windows(ids, room, self.spec.overlap_tokens) for ids in token_ids]
        windows = [window for text in per_text for window in text]
        n_windows = np.array([len(text) for text in per_text], dtype=np.int32)
        weights = np.array([max(len(window), 1) for window in windows], dtype=np.int64)
        return Encoded(
            vectors=to_unit_length(pool_windows(self._encode_windows(windows), weights, n_windows)),
            n_tokens=np.array([len(ids) for ids in token_ids], dtype=np.int32),
            n_windows=n_windows,
        )

    def _encode_windows(self, windows: Sequence[Sequence[int]]) -> np.ndarray:
        """(W, D) float32, in the order of ``windows``."""
        lengths = [len(window) + self._n_special for window in windows]
        vectors = np.empty((len(windows), self.spec.dimension), dtype=np.float32)
        with torch.inference_mode(), _cpu_threads(self.spec.threads):
            for batch in token_batches(lengths, self.spec.batch_tokens):
                input_ids, mask = self._pad([windows[position] for position in batch])
                hidden = self._model(input_ids=input_ids, attention_mask=mask).last_hidden_state
                vectors[batch] = mean_pool(hidden, mask).cpu().numpy()
        return vectors

    def _pad(self, windows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, L) int64 token ids with special tokens and padding, and their (B, L) int64 mask."""
        rows = [[*self._before, *window, *self._after] for window in windows]
        longest = max(map(len, rows))
        input_ids = np.full((len(rows), longest), self._tokenizer.pad_token_id, dtype=np.int64)
        mask = np.zeros_like(input_ids)
        for position, row in enumerate(rows):
            input_ids[position, : len(row)] = row
            mask[position, : len(row)] = 1
        return torch.from_numpy(input_ids).to(self.device), torch.from_numpy(mask).to(self.device)


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


def _load_model(folder: Path) -> PreTrainedModel:
    model, report = AutoModel.from_pretrained(
        folder, use_safetensors=True, local_files_only=True, trust_remote_code=False, dtype=torch.float32,
        output_loading_info=True,
    )  # fmt: skip
    missing = sorted(key for key in report["missing_keys"] if not key.startswith("pooler."))
    if missing:
        raise ConfigError(
            f"encoder weights in {folder} lack {len(missing)} tensors that config.json asks for, such as {missing[0]}: "
            "config.json and weights are not of the same model; fetch the folder again"
        )
    return model.eval()


@contextmanager
def _cpu_threads(threads: int) -> Iterator[None]:
    """Within the block torch computes with ``threads`` CPU threads; the rest of the process keeps its own number."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
