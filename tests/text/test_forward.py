"""Windows packed without padding give the vectors of padded ones, for every pooling."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from tiny_bert import WORDS, encoder_settings, save_tiny_bert

from hcf_spark.text.encoder import Encoder
from hcf_spark.text.spec import resolve_encoder

RANDOM = np.random.default_rng(0)
TEXTS = [" ".join(RANDOM.choice(WORDS, size=size)) for size in RANDOM.integers(1, 80, size=40)]


def attend(query, key, value, starts, key_starts, longest, key_longest, scale=None):
    """What ``varlen_attn`` does on a GPU, a sequence at a time."""
    assert query.shape[0] == starts[-1]
    assert starts.diff().max() == longest
    parts = [
        torch.nn.functional.scaled_dot_product_attention(
            *(states[start:stop].transpose(0, 1) for states in (query, key, value)), scale=scale
        )
        for start, stop in pairwise(starts)
    ]
    return torch.cat(parts, dim=1).transpose(0, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny_bert(tmp_path_factory.mktemp("models") / "tiny")


@pytest.mark.parametrize("pooling", ["mean", "cls", "lasttoken"])
def test_packed_equals_padded(folder, pooling):
    spec = resolve_encoder(encoder_settings(folder, pooling=pooling, batch_tokens=300))
    padded, packed = Encoder(spec), Encoder(spec)
    assert packed.pack(attend)
    packed.take_effort()
    np.testing.assert_allclose(packed.encode(TEXTS).vectors, padded.encode(TEXTS).vectors, atol=1e-6)
    effort = packed.take_effort()
    assert effort.padded_tokens == effort.tokens == padded.effort.tokens < padded.effort.padded_tokens


def test_a_model_that_gives_other_vectors_packed_stays_padded(folder, caplog):
    caplog.set_level("INFO", logger="hcf_spark")
    encoder = Encoder(resolve_encoder(encoder_settings(folder)))
    before = encoder.encode(TEXTS).vectors
    assert not encoder.pack(lambda query, *others, **named: query * 0 + torch.arange(16).view(1, 2, 8) % 3)
    assert not encoder.pack(lambda *positional, **named: 1 / 0)
    assert "cannot be packed (cosine with the padded vectors" in caplog.messages[0]
    assert "cannot be packed (ZeroDivisionError: division by zero)" in caplog.messages[1]
    np.testing.assert_array_equal(encoder.encode(TEXTS).vectors, before)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_bf16_without_padding_on_a_gpu_is_near_fp32():
    packed = Encoder(resolve_encoder(encoder_settings("all-MiniLM-L6-v2", overlap_tokens=32, batch_tokens=None)))
    exact = Encoder(resolve_encoder(encoder_settings("all-MiniLM-L6-v2", overlap_tokens=32, precision="float32")))
    texts = [f"{text}. We build clouds." * (1 + number % 30) for number, text in enumerate(TEXTS)]
    cosine = np.sum(packed.encode(texts).vectors * exact.encode(texts).vectors, axis=1)
    assert cosine.min() >= 0.999
    assert packed.effort.padded_tokens == packed.effort.tokens
