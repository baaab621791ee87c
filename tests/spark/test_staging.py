"""Folders that are there while a block runs; see test_score.py and test_embed.py for frames kept in them."""

import os
import time

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


def test_what_a_killed_run_left_a_week_ago_goes(tmp_path):
    for name, days in (("old", 8), ("running", 6)):
        (tmp_path / "encoding" / name).mkdir(parents=True)
        touched = time.time() - days * 24 * 3600
        os.utime(tmp_path / "encoding" / name, (touched, touched))
    with own_folder(tmp_path / "encoding"):
        pass
    assert [path.name for path in (tmp_path / "encoding").iterdir()] == ["running"]
