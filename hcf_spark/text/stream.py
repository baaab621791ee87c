"""Any number of texts through an encoder: tokenised ahead in a thread, batched across the batches they come in."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from hcf_spark.text.ahead import run_ahead
from hcf_spark.text.encoder import Encoded, Encoder
from hcf_spark.text.reader import Windows
from hcf_spark.text.tokens import CHARACTERS_AT_ONCE, cut_groups

_BATCHES_PER_BLOCK = 16
_BLOCKS_AHEAD = 1


@dataclass(frozen=True)
class EncodedBlock:
    """Vectors of some texts, and why others have none.

    Attributes:
        keys: of the texts that were encoded, in the order given.
        encoded: their vectors.
        failed: key and reason of each text that the tokenizer could not read.
    """

    keys: list[str]
    encoded: Encoded
    failed: list[tuple[str, str]]


@dataclass
class _Block:
    keys: list[str] = field(default_factory=list)
    texts: list[Windows] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    n_tokens: int = 0

    def add(self, key: str, found: Windows | Exception) -> None:
        if isinstance(found, Exception):
            reason = " ".join(f"{type(found).__name__}: {found}".split())
            self.failed.append((key, reason[:200]))
            return
        self.keys.append(key)
        self.texts.append(found)
        self.n_tokens += sum(map(len, found.rows))


def encode_stream(encoder: Encoder, batches: Iterable[tuple[Sequence[str], Sequence[str]]]) -> Iterator[EncodedBlock]:
    """Encode texts in the order given.

    Texts are gathered into blocks of 16 forward passes; within a block windows are sorted by length. At most three
    blocks are in memory, one in the model, one ready, one being read, besides the batches of the caller; a text longer
    than a block is a block of its own.

    Args:
        encoder: its ``effort`` is counted up.
        batches: keys and texts, read in another thread.
    """
    start = time.perf_counter()
    blocks = run_ahead(_read_blocks(encoder, batches), _BLOCKS_AHEAD)
    while True:
        asked = time.perf_counter()
        block = next(blocks, None)
        encoder.effort.wait_seconds += time.perf_counter() - asked
        if block is None:
            break
        yield EncodedBlock(block.keys, encoder.encode_windows(block.texts), block.failed)
    encoder.effort.total_seconds += time.perf_counter() - start


def _read_blocks(encoder: Encoder, batches: Iterable[tuple[Sequence[str], Sequence[str]]]) -> Iterator[_Block]:
    block = _Block()
    for keys, texts in batches:
        for group in cut_groups(map(len, texts), CHARACTERS_AT_ONCE):
            start = time.perf_counter()
            found = encoder.reader.read_each(texts[group])
            encoder.effort.tokenise_seconds += time.perf_counter() - start
            for key, windows in zip(keys[group], found, strict=True):
                block.add(key, windows)
                if block.n_tokens >= _BATCHES_PER_BLOCK * encoder.effort.batch_tokens:
                    yield block
                    block = _Block()
    if block.keys or block.failed:
        yield block
