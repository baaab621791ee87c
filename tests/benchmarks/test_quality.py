"""The quality benchmark, over two splits."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import SMALL
from optuna.storages import InMemoryStorage
from worlds import random_world

from benchmarks import quality
from benchmarks.command import run_benchmark
from benchmarks.kept_splits import OTHER_WAY, describe_split
from hcf_spark.config import load_config
from hcf_spark.errors import ConfigError, DataError
from hcf_spark.evaluation.candidate import Search
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.fused import FusedCandidate
from hcf_spark.evaluation.harness import run_harness

MODELS = ["popularity", "ae", "fused"]
FUSED = FusedCandidate(CLOSED_FORM, replace(CLOSED_FORM["ae"], name="text_dae"), 256)  # the network needs processes


@pytest.fixture
def config(tmp_path):
    return load_config(overrides=[*SMALL, f"output={tmp_path}", f"evaluation.models={MODELS}", "evaluation.cutoff=3"])


@pytest.fixture
def measured(monkeypatch):
    """Seeds of the splits that were measured, in place of a session's."""
    seeds = []

    def measure(spark, config, seed, folder, first):
        assert (first is None) == (seed == quality.FIRST_SEED)
        seeds.append(seed)
        inner, full = random_world(seed), random_world(seed + 1)
        search = Search(2, config.evaluation.cutoff, seed, InMemoryStorage())
        candidates = [CLOSED_FORM["popularity"], CLOSED_FORM["ae"], FUSED]
        result = run_harness(candidates, *inner, *full, search, progress=False)
        ids = {regime: [str(row) for row in range(20)] for regime in ("warm", "cold")}
        judged = result.models["fused"]
        for part in OTHER_WAY:
            ids[part] = [str(product) for product in range(getattr(judged, part).summary["products"])]
        return describe_split(config, result, ids, np.ones(20, np.int64))

    monkeypatch.setattr(quality, "_measure", measure)
    monkeypatch.setattr(quality, "get_session", lambda *_: None)
    monkeypatch.setattr(quality.load_tables, "run", lambda *_: None)
    return seeds


def test_figures_are_of_all_splits_so_far(config, measured):
    first, both = quality.run(config, 2)
    assert measured == first["seeds"] + both["seeds"][1:] == [300, 301]
    assert list(both["warm"]) == list(both["bpdm"]) == MODELS
    for regime in ("warm", "cold", *OTHER_WAY):
        assert both[regime]["fused"]["fused_over_it"]["difference"] == 0
        gain = both[regime]["popularity"]["fused_over_it"]
        assert gain["by_split"][0] == first[regime]["popularity"]["fused_over_it"]["difference"]
        means = [both[regime][name]["ndcg_at_3"] for name in ("fused", "popularity")]
        assert gain["difference"] == pytest.approx(means[0] - means[1], abs=1e-12)
    quality.print_table(both)


def test_a_run_that_was_stopped_goes_on_after_the_last_whole_split(config, measured):
    run = quality.run(config, 3)
    next(run)
    run.close()
    resumed = list(quality.run(config, 2))
    assert measured == [300, 301]
    assert list(quality.run(config, 2)) == resumed
    assert measured == [300, 301]


@pytest.mark.parametrize(("change", "again"), [({"seed": 1}, True), ({"log_level": "error"}, False)])
def test_splits_of_other_settings_are_not_taken(config, measured, change, again):
    next(quality.run(config, 1))
    next(quality.run(config.model_copy(update=change), 1))
    assert measured == [300, 300][: 1 + again]


def test_splits_of_other_files_are_not_taken(config, measured, tmp_path):
    source = config.input.model_copy(update={"source": "csv", "folder": str(tmp_path)})
    own = config.model_copy(update={"input": source})
    for text in ("a", "b", "c"):
        (tmp_path / "usage.csv").write_text(text)
        next(quality.run(own, 1))
    assert measured == [300, 300, 300]


def test_the_folder_to_keep_is_the_same_wherever_a_process_runs(monkeypatch, tmp_path):
    folders = []

    def measure(config):
        folders.append(config.output)
        yield {}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["quality", "--keep", "007 # kept", "--out", str(tmp_path / "found.json")])
    run_benchmark("about", measure, lambda found: None, can_go_on=True)
    assert folders == [str(tmp_path / "007 # kept")]


@pytest.mark.parametrize(("error", "code"), [(DataError("no rows"), 1), (ConfigError("no such setting"), 2)])
def test_what_the_user_can_mend_is_one_line(error, code, monkeypatch, capsys):
    def measure(config):
        yield {}
        raise error

    monkeypatch.setattr("sys.argv", ["quality.py"])
    with pytest.raises(SystemExit) as ended:
        run_benchmark("about", measure, lambda found: None)
    assert ended.value.code == code
    assert capsys.readouterr().err.splitlines()[-1] == f"quality.py: error: {error}"


@pytest.mark.slow
@pytest.mark.parametrize("large", [0, quality.LARGE], ids=["settings of the first split", "settings of its own"])
def test_splits_from_the_tables_on_are_the_same_after_a_stop(spark, config, monkeypatch, large, tmp_path):
    monkeypatch.setattr(quality, "LARGE", large)
    models = config.evaluation.model_copy(update={"models": ["popularity", "ae", "text_dae", "fused"]})
    config = config.model_copy(update={"evaluation": models})
    stopped = config.model_copy(update={"output": str(tmp_path / "stopped")})
    next(quality.run(stopped, 1))
    *_, found = quality.run(stopped, 2)
    *_, expected = quality.run(config, 2)
    assert found["seeds"] == [300, 301]
    assert list(found["cold"]) == models.models
    assert {**found, "seconds": None} == {**expected, "seconds": None}
