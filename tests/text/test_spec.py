"""What is settled and refused on the driver, before any weight is loaded."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tiny_bert import encoder_settings, save_tiny_bert

from hcf_spark.errors import ConfigError
from hcf_spark.text.encoder import Encoder
from hcf_spark.text.spec import resolve_encoder

CURE = "give the folder of a BERT-type encoder, a name on the Hugging Face hub, or all-MiniLM-L6-v2"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return save_tiny_bert(tmp_path_factory.mktemp("saved") / "tiny")


@pytest.fixture
def folder(saved, tmp_path):
    return Path(shutil.copytree(saved, tmp_path / "tiny"))


def message(model, **changes):
    with pytest.raises(ConfigError) as error:
        resolve_encoder(encoder_settings(model, **changes))
    return str(error.value)


def test_the_default_encoder_comes_with_pip():
    spec = resolve_encoder(encoder_settings("all-MiniLM-L6-v2", overlap_tokens=32))
    assert spec.encoder_id == f"all-MiniLM-L6-v2@{spec.fingerprint}/mean/window=256/overlap=32"
    assert (spec.max_tokens, spec.dimension) == (256, 384)


def test_a_spec_is_small_and_travels(folder):
    spec = resolve_encoder(encoder_settings(folder))
    assert (spec.dimension, spec.max_tokens, spec.overlap_tokens, spec.batch_tokens, spec.threads) == (16, 32, 4, 64, 1)
    assert pickle.loads(pickle.dumps(spec)) == spec  # noqa: S301 - our own
    assert len(pickle.dumps(spec)) < 1000


def test_the_id_changes_with_all_that_vectors_depend_on(folder, tmp_path):
    ids = [
        resolve_encoder(encoder_settings(folder)).encoder_id,
        resolve_encoder(encoder_settings(folder, overlap_tokens=5)).encoder_id,
        resolve_encoder(encoder_settings(folder, max_tokens=16)).encoder_id,
        resolve_encoder(encoder_settings(save_tiny_bert(tmp_path / "other" / "tiny", seed=1))).encoder_id,
    ]
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["normalizer"]["lowercase"] = not tokenizer["normalizer"]["lowercase"]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    ids.append(resolve_encoder(encoder_settings(folder)).encoder_id)
    assert len(set(ids)) == len(ids)


def test_the_id_does_not_change_with_place_or_speed(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "elsewhere" / "tiny")
    spec = resolve_encoder(encoder_settings(folder))
    assert resolve_encoder(encoder_settings(copy, batch_tokens=128, threads_per_task=2)).encoder_id == spec.encoder_id


def test_the_authors_window_is_taken_within_what_the_model_can(folder):
    lengths = []
    for length in (20, 500):
        (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": length}))
        lengths.append(resolve_encoder(encoder_settings(folder)).max_tokens)
    assert lengths == [20, 32]


def test_positions_that_start_after_padding_are_not_for_tokens(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "roberta", "pad_token_id": 1}))
    assert resolve_encoder(encoder_settings(folder)).max_tokens == 30


def test_no_folder():
    assert message("/no/such/model") == f"encoder.model '/no/such/model': no folder at /no/such/model; {CURE}"


def test_neither_folder_nor_hub(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    text = message("nobody/no-such-model")
    assert text.startswith(f"encoder.model 'nobody/no-such-model': no folder at {Path.cwd()}/nobody/no-such-model, and")
    assert "not to be had from the hub (LocalEntryNotFoundError: " in text
    assert text.endswith(CURE)
    assert "\n" not in text


def test_a_hub_name_is_read_from_the_local_copy(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    copy = tmp_path / "hub" / "models--some--tiny"
    shutil.copytree(folder, copy / "snapshots" / ("a" * 40))
    (copy / "refs").mkdir()
    (copy / "refs" / "main").write_text("a" * 40)
    spec = resolve_encoder(encoder_settings("some/tiny"))
    assert spec.encoder_id == resolve_encoder(encoder_settings(folder)).encoder_id


def test_an_empty_folder(tmp_path):
    assert message(tmp_path) == f"encoder folder {tmp_path} lacks config.json; found nothing; {CURE}"


def test_no_tokenizer(folder):
    for name in ("tokenizer.json", "vocab.txt"):
        (folder / name).unlink()
    assert message(folder) == (
        f"encoder folder {folder} lacks the tokenizer (one of tokenizer.json, vocab.txt, vocab.json, tokenizer.model, "
        "sentencepiece.bpe.model, spiece.model); found config.json, model.safetensors, tokenizer_config.json; "
        "copy it from where the model comes from, or save it there with tokenizer.save_pretrained"
    )


def test_weights_of_the_old_kind_only(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert message(folder) == (
        f"encoder folder {folder} lacks model.safetensors; found config.json, pytorch_model.bin, tokenizer.json, "
        "tokenizer_config.json, vocab.txt; weights are read as safetensors only: "
        "save them there with model.save_pretrained"
    )


def test_a_git_lfs_pointer_in_place_of_weights(folder):
    weights = folder / "model.safetensors"
    weights.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 90868376\n")
    text = message(folder)
    assert text.startswith(f"encoder weights {weights} (70 bytes) are no whole safetensors file (")
    assert text.endswith("fetch the file again (with git, git-lfs has to be installed)")


def test_a_shard_is_missing(folder):
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert message(folder).startswith(
        f"encoder folder {folder} lacks model-00002-of-00002.safetensors; found config.json"
    )


def test_a_config_that_transformers_cannot_read(folder):
    (folder / "config.json").write_text("{}")
    text = message(folder)
    assert text.startswith(f"encoder folder {folder}: transformers cannot read its config.json and tokenizer (")
    assert text.endswith("give the folder of a BERT-type encoder")


def test_a_tokenizer_of_another_model(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": 7}))
    assert message(folder) == (
        f"encoder folder {folder} holds a model of type bert for 7 tokens, but its tokenizer has 21: "
        "give the folder of a BERT-type encoder"
    )


def test_weights_of_another_shape_than_config_says(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "hidden_size": 32}))
    assert message(folder) == (
        f"encoder weights in {folder} have 35 tensors of other shapes than config.json asks for, such as "
        "embeddings.LayerNorm.bias (16,) where (32,) is asked for: config.json and weights are not of the same model; "
        "fetch the folder again"
    )


def test_weights_that_lack_what_config_asks_for(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    assert message(folder) == (
        f"encoder weights in {folder} lack 16 tensors that config.json asks for, such as "
        "encoder.layer.2.attention.output.LayerNorm.bias: config.json and weights are not of the same model; "
        "fetch the folder again"
    )


def test_weights_with_a_head_and_names_of_an_old_version(folder):
    tensors = load_file(folder / "model.safetensors")
    old = {f"bert.{name}".replace("LayerNorm.weight", "LayerNorm.gamma"): array for name, array in tensors.items()}
    kept = {name: array for name, array in old.items() if "pooler" not in name}
    head = {"cls.predictions.bias": np.zeros(21, dtype=np.float32)}
    save_file({**kept, **head}, folder / "model.safetensors", metadata={"format": "pt"})
    assert np.isfinite(Encoder(resolve_encoder(encoder_settings(folder))).encode(["cloud"]).vectors).all()


@pytest.mark.parametrize("overlap", [30, 31])
def test_overlap_of_a_whole_window(folder, overlap):
    assert message(folder, overlap_tokens=overlap) == (
        f"encoder.overlap_tokens is {overlap}, but a window of {folder} has room for 30 tokens of text "
        "(32 with special ones): set it below 30, better below 15"
    )


def test_windows_longer_than_the_model_takes(folder):
    assert message(folder, max_tokens=64) == (
        f"encoder.max_tokens is 64, but the model in {folder} takes at most 32: "
        "set 32 or less, or null for the model's own; longer texts are read in several windows"
    )
