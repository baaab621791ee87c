"""Texts to windows: the rows of token ids, special ones and prefix included, that a model takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hcf_spark.text.spec import EncoderSpec
from hcf_spark.text.tokens import load_tokenizer, special_tokens, tokenise
from hcf_spark.text.windows import cut_windows


@dataclass(frozen=True)
class Windows:
    """Windows of one text.

    Attributes:
        rows: (L,) int32 each, at least one.
        weights: (n_windows,) int64, tokens of the text in each window, at least 1.
        n_tokens: of the text; those in two windows counted once, special ones and prefix not at all.
    """

    rows: list[np.ndarray]
    weights: np.ndarray
    n_tokens: int


class TextReader:
    """A tokenizer with the settings of an encoder."""

    def __init__(self, spec: EncoderSpec, folder: Path) -> None:
        self._spec = spec
        self._tokenizer = load_tokenizer(folder)
        before, after = special_tokens(self._tokenizer)
        prefix = tokenise(self._tokenizer, [spec.prefix.rstrip()])[0]
        self._n_prefix = len(prefix)
        self._before = np.concatenate([np.array(before, dtype=np.int32), prefix])
        self._after = np.array(after, dtype=np.int32)
        self.padding = self._tokenizer.pad_token_id
        self.n_not_pooled = 0 if spec.pool_prefix or not len(prefix) else len(self._before)

    def read(self, texts: Sequence[str]) -> list[Windows]:
        """Windows of each text."""
        if self._spec.lower_case:
            texts = [text.lower() for text in texts]
        # with the prefix, since a byte-level tokenizer tells a word after it from one at the start
        ids = tokenise(self._tokenizer, [self._spec.prefix + text for text in texts])
        return [self._windows(text[self._n_prefix :]) for text in ids]

    def read_each(self, texts: Sequence[str]) -> list[Windows | Exception]:
        """As ``read``, but a text that the tokenizer fails on gives its error and no other text suffers."""
        try:
            return list(self.read(texts))
        except Exception:
            return [self._read_one(text) for text in texts]

    def _read_one(self, text: str) -> Windows | Exception:
        try:
            return self.read([text])[0]
        except Exception as error:
            return error

    def _windows(self, ids: np.ndarray) -> Windows:
        room = self._spec.max_tokens - len(self._before) - len(self._after)
        cut = cut_windows(ids, room, self._spec.overlap_tokens)
        return Windows(
            rows=[np.concatenate([self._before, window, self._after]) for window in cut],
            weights=np.array([max(len(window), 1) for window in cut], dtype=np.int64),
            n_tokens=len(ids),
        )
