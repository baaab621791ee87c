"""What a study found, in tables and charts."""

import re

import pandas as pd
import pytest

from hcf_spark.errors import ConfigError
from hcf_spark.report.formats import ABSENT
from hcf_spark.report.study import render_study

FIGURES = {"NDCG cold": "cold.ndcg_at_20", "Gain": "bpdm_gain.precision.gain"}


def result(*values):
    """A point's result, a (NDCG, gain) for each of ae and hcf."""
    models = {
        name: {
            "cold": {"ndcg_at_20": ndcg}, "fit_seconds": 1.5,
            "bpdm_gain": {} if gain is None else {"precision": {"gain": gain, "low": 0.0, "high": 1.0}},
        }
        for name, (ndcg, gain) in zip(("ae", "hcf"), values, strict=True)
    }  # fmt: skip
    return {"dataset": {"companies": 9, "products": 4, "interactions": 12, "density": 1 / 3}, "models": models}


LABELS = [{"loss": loss, "seed": seed} for loss in ("mse", "bce") for seed in (0, 1)]
RESULTS = [
    result((0.1, None), (0.2, 0.3)), result((0.1, None), (0.4, 0.5)),
    result((0.1, None), (0.6, 0.1)), result((0.1, None), (0.8, 0.1)),
]  # fmt: skip


def test_the_table_has_a_row_for_each_point_and_model():
    table = render_study(LABELS, RESULTS, FIGURES).table
    sizes = ["companies", "products", "interactions", "density"]
    assert table.columns.tolist() == ["loss", "seed", *sizes, "model", "NDCG cold", "Gain", "fit_seconds"]
    assert len(table) == 8
    hcf = table[table["model"] == "hcf"]
    assert hcf[["loss", "seed", "NDCG cold", "Gain"]].values.tolist() == [
        ["mse", 0, 0.2, 0.3], ["mse", 1, 0.4, 0.5], ["bce", 0, 0.6, 0.1], ["bce", 1, 0.8, 0.1],
    ]  # fmt: skip
    assert table["Gain"][table["model"] == "ae"].isna().all()


def test_markdown_has_means_over_seeds_and_how_far_they_go():
    assert render_study(LABELS, RESULTS, FIGURES).markdown.splitlines() == [
        "| loss | model | NDCG cold | Gain |",
        "|---|---|---|---|",
        f"| mse | ae | 0.1000 (0.1000 to 0.1000) | {ABSENT} |",
        "| mse | hcf | 0.3000 (0.2000 to 0.4000) | 0.4000 (0.3000 to 0.5000) |",
        f"| bce | ae | 0.1000 (0.1000 to 0.1000) | {ABSENT} |",
        "| bce | hcf | 0.7000 (0.6000 to 0.8000) | 0.1000 (0.1000 to 0.1000) |",
    ]


def test_one_seed_has_no_range():
    lines = render_study(LABELS[::2], RESULTS[::2], FIGURES).markdown.splitlines()
    assert lines[3] == "| mse | hcf | 0.2000 | 0.3000 |"


def test_a_chart_for_each_figure_says_what_it_shows():
    charts = render_study(LABELS, RESULTS, FIGURES).charts
    assert list(charts) == ["ndcg-cold.svg", "gain.svg"]
    assert 'aria-label="NDCG cold at mse, bce: ae 0.1000, 0.1000; hcf 0.3000, 0.7000."' in charts["ndcg-cold.svg"]
    assert f'aria-label="Gain at mse, bce: ae {ABSENT}, {ABSENT}; hcf 0.4000, 0.1000."' in charts["gain.svg"]
    for chart in charts.values():
        assert chart.startswith("<svg xmlns=")
        assert set(re.findall(r">(ae|hcf)<", chart)) == {"ae", "hcf"}


def test_seeds_alone_give_one_chart_over_the_figures():
    labels = [{"seed": seed} for seed in (0, 1)]
    study = render_study(labels, RESULTS[:2], FIGURES)
    assert list(study.charts) == ["figures.svg"]
    assert f"Figures at NDCG cold, Gain: ae 0.1000, {ABSENT}; hcf 0.3000, 0.4000." in study.charts["figures.svg"]
    assert study.markdown.splitlines()[0] == "| model | NDCG cold | Gain |"


def test_one_point_without_axes():
    study = render_study([{}], RESULTS[:1], FIGURES)
    assert study.markdown.splitlines()[-1] == "| hcf | 0.2000 | 0.3000 |"


def test_files_hold_what_was_found(tmp_path):
    study = render_study(LABELS, RESULTS, FIGURES)
    written = study.write(tmp_path / "study")
    assert sorted(path.name for path in written) == sorted(path.name for path in (tmp_path / "study").iterdir())
    for read, name in ((pd.read_csv, "table.csv"), (pd.read_parquet, "table.parquet")):
        pd.testing.assert_frame_equal(read(tmp_path / "study" / name), study.table, check_dtype=False)
    assert (tmp_path / "study" / "table.md").read_text(encoding="utf-8") == study.markdown + "\n"


def test_a_figure_that_no_model_has_is_told():
    with pytest.raises(ConfigError) as caught:
        render_study(LABELS, RESULTS, {"x": "cold.ndcg_at_7"})
    assert str(caught.value) == (
        "study.figures: no model has cold.ndcg_at_7; a figure is named as in metrics.json, beginning with one of "
        "cold, fit_seconds"
    )
