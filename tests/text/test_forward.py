"""Windows packed without padding give the vectors of padded ones, for every pooling."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from tiny_bert import WORDS, encoder_settings, save_tiny_bert
from transformers import BertConfig, BertModel, ModernBertConfig, ModernBertModel

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


SMALL = {
    "vocab_size": 21, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 128, "pad_token_id": 0,
}  # fmt: skip
PARTIAL = {
    "ModernBertAttention": lambda: ModernBertModel(
        ModernBertConfig(
            **SMALL, local_attention=120, global_attn_every_n_layers=2, bos_token_id=2, cls_token_id=2, eos_token_id=3,
            sep_token_id=3, initializer_range=0.5,
        )
    ),
    "BertSelfAttention": lambda: BertModel(BertConfig(**SMALL, is_decoder=True, initializer_range=0.001)),
}  # fmt: skip


@pytest.mark.parametrize("name", PARTIAL)
def test_a_model_that_attends_to_a_part_of_a_window_stays_padded(tmp_path, caplog, name):
    """Both give nearly the padded vectors on the few short texts that packing is tried on."""
    caplog.set_level("INFO", logger="hcf_spark")
    torch.manual_seed(0)
    PARTIAL[name]().save_pretrained(save_tiny_bert(tmp_path, max_positions=128))
    encoder = Encoder(resolve_encoder(encoder_settings(tmp_path)))
    assert not encoder.pack(attend)
    assert f"(NotImplementedError: {name} attends to a part of a window)" in caplog.text


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_bf16_without_padding_on_a_gpu_is_near_fp32():
    packed = Encoder(resolve_encoder(encoder_settings("all-MiniLM-L6-v2", overlap_tokens=32, batch_tokens=None)))
    exact = Encoder(resolve_encoder(encoder_settings("all-MiniLM-L6-v2", overlap_tokens=32, precision="float32")))
    texts = [f"{text}. We build clouds." * (1 + number % 30) for number, text in enumerate(TEXTS)]
    cosine = np.sum(packed.encode(texts).vectors * exact.encode(texts).vectors, axis=1)
    assert cosine.min() >= 0.999
    assert packed.effort.padded_tokens == packed.effort.tokens
