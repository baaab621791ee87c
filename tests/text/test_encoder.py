"""The encoder against sentence-transformers, against hand-made pooling, and against itself in other batches."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch
from tiny_bert import WORDS, encoder_settings, save_tiny_bert
from transformers import AutoModel, AutoTokenizer

from hcf_spark.errors import ConfigError
from hcf_spark.text.encoder import Encoder
from hcf_spark.text.spec import resolve_encoder

SHORT_TEXTS = [
    "Cloud monitoring for banks.",
    "We bake bread.",
    "A family-owned maker of industrial valves, pumps and fittings since 1921; Łódź, 東京, São Paulo 🚀.",
    "x",
    "Remote-first! " * 20,
]


@pytest.fixture(scope="module")
def minilm():
    return Encoder(resolve_encoder(encoder_settings("all-MiniLM-L6-v2", overlap_tokens=32, batch_tokens=4096)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny_bert(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def tiny(folder):
    return Encoder(resolve_encoder(encoder_settings(folder)))


def random_texts(count, longest, seed=0):
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS[:11], size=random.integers(1, longest))) for _ in range(count)]


def test_vectors_are_those_of_sentence_transformers(minilm):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    theirs = sentence_transformers.SentenceTransformer(minilm.spec.folder, device="cpu").encode(
        SHORT_TEXTS, normalize_embeddings=True, show_progress_bar=False
    )
    ours = minilm.encode(SHORT_TEXTS)
    assert np.sum(ours.vectors * theirs, axis=1).min() >= 0.9999
    assert ours.n_windows.tolist() == [1] * len(SHORT_TEXTS)


def test_shapes_types_and_counts(tiny):
    encoded = tiny.encode(["cloud data", "we sells " + "bank " * 40])
    assert encoded.vectors.shape == (2, 16)
    assert (encoded.vectors.dtype, encoded.n_tokens.dtype, encoded.n_windows.dtype) == (np.float32, np.int32, np.int32)
    assert encoded.n_tokens.tolist() == [2, 43]
    assert encoded.n_windows.tolist() == [1, 2]
    np.testing.assert_allclose(np.linalg.norm(encoded.vectors, axis=1), 1, rtol=1e-6)


def test_a_long_text_is_pooled_by_hand(folder, tiny):
    text = " ".join(np.random.default_rng(3).choice(WORDS[:11], size=75))
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    ids = tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text))
    windows = [ids[0:30], ids[26:56], ids[52:75]]
    total = np.zeros(16)
    for window in windows:
        with torch.no_grad():
            hidden = model(torch.tensor([[tokenizer.cls_token_id, *window, tokenizer.sep_token_id]])).last_hidden_state
        total += len(window) * hidden[0].mean(dim=0).numpy()
    encoded = tiny.encode([text])
    np.testing.assert_allclose(encoded.vectors[0], total / np.linalg.norm(total), atol=1e-6)
    assert encoded.n_windows[0] == 3


def test_the_end_of_a_long_text_is_read(minilm):
    start = "The company runs a chain of bakeries. " * 150
    plain, different = minilm.encode([start, start + "It also builds rockets and satellites. " * 20]).vectors
    rockets = minilm.encode(["Rockets and satellites."]).vectors[0]
    assert different @ rockets > plain @ rockets + 0.05


def test_a_vector_does_not_depend_on_the_others_in_its_batch(minilm):
    together = minilm.encode(SHORT_TEXTS).vectors
    alone = np.concatenate([minilm.encode([text]).vectors for text in SHORT_TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_order_is_restored(tiny):
    texts = random_texts(50, 90)
    order = np.random.default_rng(1).permutation(len(texts))
    vectors = tiny.encode(texts).vectors
    np.testing.assert_allclose(tiny.encode([texts[i] for i in order]).vectors, vectors[order], atol=1e-6)


def test_the_budget_changes_no_vector(tiny):
    texts = random_texts(30, 90)
    reference = tiny.encode(texts).vectors
    for budget in (1, 40, 10_000):
        other = Encoder(dataclasses.replace(tiny.spec, batch_tokens=budget))
        np.testing.assert_allclose(other.encode(texts).vectors, reference, atol=1e-6)


def test_a_text_without_a_token(tiny):
    encoded = tiny.encode(["\x00\x01", "cloud"])
    assert encoded.n_tokens.tolist() == [0, 1]
    assert encoded.n_windows.tolist() == [1, 1]
    np.testing.assert_allclose(np.linalg.norm(encoded.vectors, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(encoded.vectors[0], tiny.encode(["\x02"]).vectors[0], atol=1e-6)


def test_no_texts(tiny):
    encoded = tiny.encode([])
    assert (encoded.vectors.shape, encoded.n_tokens.shape, encoded.n_windows.shape) == ((0, 16), (0,), (0,))


def test_nothing_is_printed(folder, capfd):
    Encoder(resolve_encoder(encoder_settings(folder))).encode(["cloud " * 2000])
    assert capfd.readouterr() == ("", "")


def test_settings_of_the_process_are_left_as_they_were(tiny):
    from transformers.utils import logging

    threads, verbosity, bars = torch.get_num_threads(), logging.get_verbosity(), logging.is_progress_bar_enabled()
    Encoder(dataclasses.replace(tiny.spec, threads=1)).encode(["cloud"])
    assert (torch.get_num_threads(), logging.get_verbosity(), logging.is_progress_bar_enabled()) == (
        threads,
        verbosity,
        bars,
    )


def test_weights_on_a_worker_that_lack_what_config_asks_for(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    broken = shutil.copytree(folder, tmp_path / "broken")
    spec = resolve_encoder(encoder_settings(broken))
    tensors = load_file(broken / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if "layer.1.output" not in name}
    save_file(kept, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError) as error:
        Encoder(spec)
    assert str(error.value) == (
        f"encoder weights in {broken} lack 4 tensors that config.json asks for, such as "
        "encoder.layer.1.output.LayerNorm.bias: config.json and weights are not of the same model; "
        "fetch the folder again"
    )


def test_a_worker_with_another_disk_finds_its_own_copy_and_only_the_same_model(folder, tmp_path, tiny):
    moved = dataclasses.replace(tiny.spec, folder="/only/on/the/driver")
    np.testing.assert_array_equal(Encoder(moved).encode(["cloud"]).vectors, tiny.encode(["cloud"]).vectors)
    other = save_tiny_bert(tmp_path / "tiny", seed=1)
    with pytest.raises(ConfigError) as error:
        Encoder(dataclasses.replace(moved, model=str(other)))
    assert str(error.value) == (
        f"encoder folder {other} on this worker differs from /only/on/the/driver on the driver: "
        "put the model where all nodes see it, or install the same version of it on all nodes"
    )
