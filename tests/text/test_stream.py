"""Texts that come in batches of any size, encoded as one stream."""

import threading
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from tiny_bert import WORDS, encoder_settings, save_tiny_bert

from hcf_spark.text.ahead import run_ahead
from hcf_spark.text.encoder import Encoder
from hcf_spark.text.spec import resolve_encoder
from hcf_spark.text.stream import encode_stream


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    return resolve_encoder(encoder_settings(save_tiny_bert(tmp_path_factory.mktemp("models") / "tiny")))


def random_texts(count, longest):
    random = np.random.default_rng(0)
    return [" ".join(random.choice(WORDS, size=random.integers(1, longest))) for _ in range(count)]


def batches(texts, *sizes):
    start = 0
    for size in sizes:
        yield [f"k{number}" for number in range(start, start + size)], texts[start : start + size]
        start += size
    assert start == len(texts)


@pytest.mark.parametrize("sizes", [(80,), (0, 1, 0, 79), (1,) * 80])
def test_order_and_vectors_do_not_depend_on_the_batches(spec, sizes):
    texts = random_texts(80, 90)
    blocks = list(encode_stream(Encoder(spec), batches(texts, *sizes)))
    assert [key for block in blocks for key in block.keys] == [f"k{number}" for number in range(80)]
    assert len(blocks) > 2
    vectors = np.concatenate([block.encoded.vectors for block in blocks])
    np.testing.assert_allclose(vectors, Encoder(spec).encode(texts).vectors, atol=1e-6)


def test_batches_of_one_text_are_padded_no_more_than_one_large_batch(spec):
    texts = random_texts(150, 28)
    efforts = []
    for sizes in ((150,), (1,) * 150):
        encoder = Encoder(spec)
        list(encode_stream(encoder, batches(texts, *sizes)))
        efforts.append(encoder.take_effort())
    assert efforts[0].padded_tokens == efforts[1].padded_tokens < 1.2 * efforts[0].tokens


def test_no_texts(spec):
    assert list(encode_stream(Encoder(spec), [])) == []
    assert list(encode_stream(Encoder(spec), [([], [])])) == []


def test_only_what_is_needed_next_is_read(spec):
    read = []

    def endless():
        while True:
            read.append(None)
            yield ["k"], ["cloud bank data"]

    encoder = Encoder(spec)
    blocks = encode_stream(encoder, endless())
    for _ in range(3):
        next(blocks)
    texts_per_block = 16 * encoder.effort.batch_tokens / 5
    assert len(read) <= (3 + 3) * (texts_per_block + 1)
    blocks.close()


def test_a_text_that_the_tokenizer_fails_on_is_told_and_the_others_are_encoded(spec, monkeypatch):
    encoder = Encoder(spec)
    read = encoder.reader.read

    def fail(texts):
        if "boom" in texts:
            raise ValueError("no\ntokens")
        return read(texts)

    monkeypatch.setattr(encoder.reader, "read", fail)
    (block,) = encode_stream(encoder, [(["a", "b", "c"], ["cloud", "boom", "bank"])])
    assert block.keys == ["a", "c"]
    assert block.failed == [("b", "ValueError: no tokens")]
    assert len(block.encoded.vectors) == 2


@contextmanager
def memory_watched():
    """Gives most_bytes: by how much the process grew, at its largest."""
    process, done, found = psutil.Process(), threading.Event(), SimpleNamespace(most_bytes=0)
    before = process.memory_info().rss

    def watch():
        while not done.wait(0.005):
            found.most_bytes = max(found.most_bytes, process.memory_info().rss - before)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


def test_ten_megabytes_of_text_take_a_few_times_their_size_in_memory(tmp_path):
    settings = encoder_settings(save_tiny_bert(tmp_path / "tiny", max_positions=128), batch_tokens=4096)
    encoder = Encoder(resolve_encoder(settings))
    encoder.encode(["cloud"])
    words = [*WORDS[:8], *(word * 6 for word in WORDS[:8])]
    text = " ".join(np.random.default_rng(0).choice(words, 700_000))[:10_000_000]
    assert len(text) == 10_000_000
    with memory_watched() as memory:
        blocks = list(encode_stream(encoder, [(["a", "b", "c"], ["cloud", text, "cloud"])]))
    assert [key for block in blocks for key in block.keys] == ["a", "b", "c"]
    first, long, last = np.concatenate([block.encoded.vectors for block in blocks])
    np.testing.assert_allclose(np.linalg.norm(long), 1, rtol=1e-5)
    np.testing.assert_allclose(first, last, atol=1e-6)
    assert blocks[0].encoded.n_tokens[1] > 600_000
    assert memory.most_bytes < 10 * len(text), "read whole it takes 80 times its size"


def test_effort_counts_what_was_done(spec):
    encoder = Encoder(spec)
    assert encoder.effort.load_seconds > 0
    list(encode_stream(encoder, [(["a", "b"], ["cloud bank", "shop " * 40])]))
    effort = encoder.take_effort()
    windows = [4, 32, 16]
    assert (effort.texts, effort.tokens, effort.padded_tokens) == (2, sum(windows), 2 * 32 + 4)
    weights = 2 * (4 * 16 * 16 + 2 * 16 * 32)
    assert effort.flops == sum(2 * weights * n + 4 * 2 * 16 * n * n for n in windows)
    assert effort.model_seconds + effort.wait_seconds <= effort.total_seconds
    assert effort.tokenise_seconds > 0
    assert effort.mfu is None
    again = encoder.take_effort()
    assert (again.texts, again.load_seconds, again.batch_tokens) == (0, 0, 64)


def test_an_error_ahead_is_raised_after_what_came_before_it():
    def items():
        yield 1
        raise OSError("gone")

    found = run_ahead(items(), depth=2)
    assert next(found) == 1
    with pytest.raises(OSError, match="gone"):
        next(found)
