"""Folders that are there while a block runs; see test_score.py and test_embed.py for frames kept in them."""

import pytest

from hcf_spark.spark.staging import own_folder


def test_a_folder_of_ones_own_goes_and_what_others_keep_beside_it_stays(tmp_path):
    (tmp_path / "scoring" / "of another run").mkdir(parents=True)
    with own_folder(tmp_path / "scoring") as folder:
        (folder / "model").write_text("weights")
    assert [path.name for path in (tmp_path / "scoring").iterdir()] == ["of another run"]


def test_the_parent_goes_with_the_last_folder_and_a_failure_leaves_none(tmp_path):
    with pytest.raises(KeyError), own_folder(tmp_path / "scoring"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []
