"""Texts to token ids, whole: no truncation, special tokens kept apart."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHARACTERS_AT_ONCE = 500_000
_PIECE_CHARACTERS = 100_000
_LAST_BREAK = re.compile(r"\s(?=\S*\Z)")


def load_tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    """The tokenizer of a model folder; nothing is fetched and no code of the folder is run."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def tokenise(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str]) -> list[np.ndarray]:
    """All tokens of each text, without special ones; (n,) int32 each.

    A long text goes through the tokenizer in pieces that end before white space, since a tokenizer takes many times
    the memory of the text it reads.
    """
    pieces = [list(cut_pieces(as_unicode(text))) for text in texts]
    flat = [piece for text in pieces for piece in text]
    ids = [
        np.array(found, dtype=np.int32)
        for group in cut_groups([len(piece) for piece in flat], CHARACTERS_AT_ONCE)
        for found in tokenizer(
            flat[group], add_special_tokens=False, truncation=False, padding=False, return_attention_mask=False,
            return_token_type_ids=False, verbose=False,
        )["input_ids"]
    ]  # fmt: skip
    ends = np.cumsum([len(text) for text in pieces])
    return [np.concatenate(ids[end - len(text) : end]) for text, end in zip(pieces, ends, strict=True)]


def cut_groups(sizes: Iterable[int], limit: int) -> Iterator[slice]:
    """Neighbours in groups that add up to at most ``limit``; what is larger is a group of its own.

    >>> list(cut_groups([3, 4, 9, 1], limit=8))
    [slice(0, 2, None), slice(2, 3, None), slice(3, 4, None)]
    """
    start, end, total = 0, -1, 0
    for end, size in enumerate(sizes):
        if end > start and total + size > limit:
            yield slice(start, end)
            start, total = end, 0
        total += size
    if end >= start:
        yield slice(start, end + 1)


def as_unicode(text: str) -> str:
    """``text`` with each lone surrogate, which no tokenizer takes, replaced.

    >>> as_unicode("caf\\u00e9 \\ud83d")
    'café �'
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def cut_pieces(text: str, size: int = _PIECE_CHARACTERS) -> Iterator[str]:
    """``text`` in pieces of at most ``size`` characters, cut before white space where there is any.

    >>> list(cut_pieces("one two three", size=8))
    ['one two', ' three']
    """
    start = 0
    while len(text) - start > size:
        found = _LAST_BREAK.search(text, start + 1, start + size + 1)
        end = found.start() if found else start + size
        yield text[start:end]
        start = end
    yield text[start:]


def special_tokens(tokenizer: "PreTrainedTokenizerBase") -> tuple[list[int], list[int]]:
    """The tokens that the model wants before and after a text: ([CLS], [SEP]) for BERT."""
    encoded = tokenizer("a", return_special_tokens_mask=True)
    ids, is_special = encoded["input_ids"], encoded["special_tokens_mask"]
    before = is_special.index(0)
    after = is_special[::-1].index(0)
    return ids[:before], ids[len(ids) - after :]
