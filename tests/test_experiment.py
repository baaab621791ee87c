"""Candidates judged with a search that is kept in a file."""

import sqlite3
from dataclasses import replace

import optuna
import pytest
from worlds import telling_world

from hcf_spark.config import load_config
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.experiment import judge, make_candidates
from hcf_spark.train.snapshot import Snapshot


class BrokenError(Exception):
    pass


def break_off(train, seed):
    raise BrokenError


def test_a_search_that_was_broken_off_goes_on_from_the_file(tmp_path, monkeypatch):
    """The database is written elsewhere, as on a volume none can be; what is in the file is always whole."""
    train, holdouts = telling_world(0)
    snapshot = Snapshot(train, holdouts, train, holdouts, {})
    config = load_config(overrides=["evaluation.trials=3"])
    file = tmp_path / "studies.db"
    last = replace(CLOSED_FORM["ae"], prepare=break_off)
    with pytest.raises(BrokenError):
        judge([CLOSED_FORM["popularity"], CLOSED_FORM["ease"], last], snapshot, config, file)
    assert [path.name for path in tmp_path.iterdir()] == ["studies.db"]
    assert sqlite3.connect(file).execute("pragma integrity_check").fetchone() == ("ok",)
    names = optuna.get_all_study_names(f"sqlite:///{file}")
    assert [name.split(",")[0] for name in names] == ["popularity", "ease"]

    tried = []
    first = CLOSED_FORM["ease"]
    counted = replace(first, prepare=lambda train, seed: count_fits(first.prepare(train, seed), tried))
    result = judge([CLOSED_FORM["popularity"], counted, CLOSED_FORM["ae"]], snapshot, config, file)
    assert list(result.models)[:3] == ["popularity", "ease", "ae"]
    assert len(tried) <= 4, "fitted with the settings that were chosen, on part and all of the companies, and no more"
    assert len(optuna.get_all_study_names(f"sqlite:///{file}")) == 3


def test_parts_that_are_switched_off_are_so_in_fused(tmp_path):
    config = load_config(overrides=["evaluation.models=[fused]", "fused.left_out=[guard, prior]"])
    (fused,) = make_candidates(None, config, tmp_path, tmp_path)
    assert fused._left_out == ["guard", "prior"]


def count_fits(fit, tried):
    def counting(**settings):
        tried.append(settings)
        return fit(**settings)

    return counting
