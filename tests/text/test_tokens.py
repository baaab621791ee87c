import numpy as np
import pytest
from tiny_bert import WORDS, save_tiny_bert

from hcf_spark.text.tokens import cut_groups, cut_pieces, load_tokenizer, tokenise


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return load_tokenizer(save_tiny_bert(tmp_path_factory.mktemp("models") / "tiny"))


def test_a_text_in_pieces_has_the_same_tokens(tokenizer):
    text = " ".join(np.random.default_rng(0).choice(WORDS[:11], size=40_000))
    assert len(list(cut_pieces(text))) > 2
    whole = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    assert tokenise(tokenizer, ["cloud", text, ""])[1].tolist() == whole


def test_pieces_are_the_text():
    for text in ("x" * 25, "a b c d e f g h i j k l m", "", "  ", "0123456789 0123456789 0"):
        pieces = list(cut_pieces(text, size=10))
        assert "".join(pieces) == text
        assert max(map(len, pieces)) <= 10


def test_lone_surrogates_and_nul_bytes_are_tokenised(tokenizer):
    ids = tokenise(tokenizer, ["cloud \ud800 bank", "\x00", "a\udfffb"])
    assert [len(found) for found in ids] == [2, 0, 1]


def test_groups_hold_everything_once_within_the_limit():
    sizes = [5, 1, 1, 1, 9, 0, 0, 4]
    groups = list(cut_groups(sizes, limit=7))
    assert [size for group in groups for size in sizes[group]] == sizes
    assert [sizes[group] for group in groups] == [[5, 1, 1], [1], [9], [0, 0, 4]]
    assert list(cut_groups([], limit=7)) == []
    assert [sizes[group] for group in cut_groups([0], limit=7)] == [[5]]
