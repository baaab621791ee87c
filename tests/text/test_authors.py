"""What a model's own files say, against sentence-transformers reading the same folder."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from tiny_bert import WORDS, encoder_settings, save_tiny_bert

from hcf_spark.errors import ConfigError
from hcf_spark.text.authors import read_intended
from hcf_spark.text.encoder import Encoder
from hcf_spark.text.spec import resolve_encoder

FLAGS = {"cls": "pooling_mode_cls_token", "mean": "pooling_mode_mean_tokens", "lasttoken": "pooling_mode_lasttoken"}
TEXTS = [
    "cloud",
    "We sell steel, farms; a b c d",
    " ".join(WORDS[:8] * 3),
    "Data-cloud bank\n\tmakes",
    "unknown wörds only",
]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return save_tiny_bert(tmp_path_factory.mktemp("saved") / "tiny")


@pytest.fixture
def folder(saved, tmp_path):
    return Path(shutil.copytree(saved, tmp_path / "tiny"))


def write_modules(folder, pooling, normalize=True, length=None, prompts=None, others=()):
    """The files that sentence-transformers writes beside a model."""
    parts = [("", "Transformer"), ("1_Pooling", "Pooling"), *(("2_Normalize", "Normalize"),) * normalize, *others]
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (path, kind) in enumerate(parts)
    ]
    write(folder / "modules.json", modules)
    write(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": 16, **pooling})
    write(folder / "sentence_bert_config.json", {"max_seq_length": 32, "do_lower_case": False, **(length or {})})
    write(folder / "config_sentence_transformers.json", {"prompts": prompts or {}, "default_prompt_name": None})


def write(path, content):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))


def ours(folder, **changes):
    return Encoder(resolve_encoder(encoder_settings(folder, **changes))).encode(TEXTS).vectors


def assert_same(ours, theirs):
    cosine = np.sum(ours * theirs, axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    assert cosine.min() >= 0.9999
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), np.linalg.norm(theirs, axis=1), rtol=1e-5)


@pytest.mark.parametrize("pooling", FLAGS)
@pytest.mark.parametrize("normalize", [True, False])
def test_pooling_and_length_of_vectors(folder, pooling, normalize):
    write_modules(folder, {flag: name == pooling for name, flag in FLAGS.items()}, normalize)
    theirs = SentenceTransformer(str(folder), device="cpu").encode(TEXTS)
    assert_same(ours(folder), theirs)
    spec = resolve_encoder(encoder_settings(folder))
    assert (spec.pooling, spec.normalize) == (pooling, normalize)
    assert f"/{pooling}/window=32" in spec.encoder_id
    assert spec.encoder_id.endswith("/any length") != normalize


@pytest.mark.parametrize("include_prompt", [True, False])
def test_prefixes_of_passages_and_queries(folder, include_prompt):
    prompts = {"query": "shop: ", "document": "we make: "}
    write_modules(folder, {"pooling_mode": "mean", "include_prompt": include_prompt}, prompts=prompts)
    theirs = SentenceTransformer(str(folder), device="cpu")
    assert_same(ours(folder), theirs.encode_document(TEXTS))
    assert_same(ours(folder, prompt="query"), theirs.encode_query(TEXTS))
    assert_same(ours(folder, prefix="bank "), theirs.encode(TEXTS, prompt="bank "))
    assert_same(ours(folder, prefix=""), theirs.encode(TEXTS, prompt=""))
    ids = {resolve_encoder(encoder_settings(folder, prompt=prompt)).encoder_id for prompt in ("query", "passage")}
    assert len(ids) == 2


def test_lower_case(folder):
    """Only where neither the tokenizer nor its settings lower anything does the file beside the weights count."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["normalizer"]["lowercase"] = False
    write(folder / "tokenizer.json", tokenizer)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    write(folder / "tokenizer_config.json", {**settings, "do_lower_case": False})
    vectors = {}
    for lower_case in (False, True):
        write_modules(folder, {"pooling_mode": "mean"}, length={"do_lower_case": lower_case})
        vectors[lower_case] = ours(folder, prefix="BANK Cloud ")
        theirs = SentenceTransformer(str(folder), device="cpu").encode(TEXTS, prompt="BANK Cloud ")
        assert_same(vectors[lower_case], theirs)
    assert not np.allclose(vectors[False], vectors[True], atol=1e-3)


@pytest.mark.parametrize("family", ["roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"])
def test_the_window_by_the_names_of_other_families(folder, family):
    write_modules(folder, {"pooling_mode": "mean"}, length={"max_seq_length": 20})
    (folder / "sentence_bert_config.json").rename(folder / f"sentence_{family}_config.json")
    assert SentenceTransformer(str(folder), device="cpu").max_seq_length == 20
    assert resolve_encoder(encoder_settings(folder)).max_tokens == 20


def test_settings_take_the_place_of_the_files(folder):
    write_modules(folder, {"pooling_mode": "mean"})
    spec = resolve_encoder(encoder_settings(folder, pooling="cls", normalize=False, max_tokens=16))
    assert (spec.pooling, spec.normalize, spec.max_tokens) == ("cls", False, 16)


def test_a_folder_without_such_files(folder):
    spec = resolve_encoder(encoder_settings(folder))
    assert (spec.pooling, spec.normalize, spec.prefix) == ("mean", True, "")


def test_each_window_of_a_long_text_begins_with_the_prefix(folder):
    encoder = Encoder(resolve_encoder(encoder_settings(folder, prefix="bank: ")))
    windows = encoder.reader.read(["cloud " * 60])[0]
    assert windows.n_tokens == 60
    starts = {tuple(row[:3]) for row in windows.rows}
    assert len(starts) == 1
    assert len(windows.rows) == 3
    assert sum(windows.weights) == 60 + 2 * 4


def message(folder):
    with pytest.raises(ConfigError) as error:
        resolve_encoder(encoder_settings(folder))
    return str(error.value)


def test_what_is_not_done_here_is_refused(folder):
    write_modules(folder, {"pooling_mode": "mean"}, others=(("3_Dense", "Dense"),))
    assert message(folder) == (
        f"encoder folder {folder}: modules.json asks for Dense, which is not done here: "
        "give an encoder that is made of Transformer, Pooling and Normalize"
    )
    write_modules(folder, {"pooling_mode_max_tokens": True})
    assert message(folder) == (
        f"encoder folder {folder} asks for pooling max, which is not done here: "
        "set encoder.pooling to one of mean, cls, lasttoken, or give another encoder"
    )
    write_modules(folder, {"pooling_mode": ["mean", "cls"]})
    assert message(folder).startswith(f"encoder folder {folder}: the vectors are mean and cls side by side, which is")


def test_files_that_are_broken_or_missing(folder):
    write_modules(folder, {"pooling_mode": "mean"})
    (folder / "1_Pooling" / "config.json").unlink()
    assert message(folder) == (
        f"encoder folder {folder} lacks 1_Pooling/config.json, which modules.json names; fetch the folder again"
    )
    (folder / "modules.json").write_text('{"a": 1}')
    assert message(folder) == f"encoder folder {folder}: modules.json is not a list of modules; fetch it again"
    (folder / "modules.json").unlink()
    (folder / "sentence_bert_config.json").write_text("<html>")
    assert message(folder) == f"encoder folder {folder}: sentence_bert_config.json is not JSON; fetch it again"


def test_the_packaged_model():
    folder = Path(resolve_encoder(encoder_settings("all-MiniLM-L6-v2")).folder)
    intended = read_intended(folder)
    assert (intended.pooling, intended.normalize, intended.max_tokens) == ("mean", True, 256)
