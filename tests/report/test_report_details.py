"""For whom the champion works, whether its probabilities hold, the map, and the cost."""

import re

import numpy as np
import pytest
from test_report import ABSENT, EVIL, NO_CHARTS, Page, make_data

from hcf_spark.report.cost import Cost, build_costs, total_seconds
from hcf_spark.report.data import Community, CompanyMap
from hcf_spark.report.map_chart import NUMBERED, draw_map
from hcf_spark.report.page import render_report
from hcf_spark.report.reliability import build_calibration_table, draw_reliability, find_bins
from hcf_spark.report.slice_charts import draw_slices

BINS = [{"cells": 9000, "foretold": 0.005, "came": 0.0}, {"cells": 120, "foretold": 0.25, "came": 0.3}]

TRIALS = [
    {"settings": {"ridge": 10.0}, "warm": 0.25, "cold": 0.125}, {"settings": {}, "warm": 0.5, "cold": 0.0},
]  # fmt: skip


def row(recall, baseline="ease", error=0.01):
    parts = {name: {"companies": 1200, "recall_at_20": recall, "ndcg_at_20": 0.1} for name in ("1-2", "3-5")}
    slices = {"warm": {"known_products": parts}, "cold": {"known_products": {}, "told_products": parts}}
    return {
        "slices": slices,
        "over_baseline": {regime: {"baseline": baseline} for regime in slices},
        "calibration": {regime: {"error": error, "bins": BINS} for regime in slices},
        "trials": TRIALS, "tune_seconds": 50.0, "fit_seconds": 10.0,
    }  # fmt: skip


MODELS = {"ease": row(0.5), "hcf": row(0.6, error=0.02), "old": {}}
MAP = CompanyMap(
    np.arange(2 * (NUMBERED + 2), dtype=np.float32).reshape(-1, 2),
    np.arange(NUMBERED + 2),
    [Community(1, [EVIL, "Jira"])] + [Community(1, [])] * (NUMBERED + 1),
)


def described(charts):
    return [re.search('aria-label="(.*?)"', chart).group(1) for chart in charts]


@pytest.fixture(scope="module")
def page():
    return Page(render_report(make_data(models=MODELS, champion="hcf", winners_test={}, company_map=MAP, **NO_CHARTS)))


def test_slices_of_the_champion_stand_beside_those_of_the_baseline():
    assert described(draw_slices(MODELS, "hcf", "warm", 20)) == [
        "Warm: Recall@20 by number of known products, 1-2, 3-5: hcf 0.6000, 0.6000; ease 0.5000, 0.5000."
    ]
    assert described(draw_slices(MODELS, "hcf", "cold", 20)) == [
        "Cold: Recall@20 by number of products told, 1-2, 3-5: hcf 0.6000, 0.6000; ease 0.5000, 0.5000."
    ]
    chart = draw_slices(MODELS, "hcf", "warm", 20)[0]
    assert {"hcf", "ease", "1-2", "(1,200)"} <= set(re.findall(r">([^<>\n]+)</text>", chart))


@pytest.mark.parametrize("champion", ["ease", "hcf"])
def test_slices_of_one_model_alone(champion):
    models = {"ease": row(0.5), "hcf": row(0.5, baseline=None)}
    [description] = described(draw_slices(models, champion, "warm", 20))
    assert description.endswith(f"3-5: {champion} 0.5000, 0.5000.")


@pytest.mark.parametrize("champion", [None, "old", "gone"])
def test_without_slices_there_is_no_chart(champion):
    assert draw_slices(MODELS, champion, "warm", 20) == []


def test_calibration_errors_of_all_models():
    table = build_calibration_table(MODELS)
    assert table.columns == ["Error, warm", "Error, cold"]
    assert {name: [cell.text for cell in cells] for name, cells in table.rows.items()} == {
        "ease": ["0.0100"] * 2, "hcf": ["0.0200"] * 2,
    }  # fmt: skip
    assert not any(cell.is_best for cells in table.rows.values() for cell in cells)
    assert build_calibration_table({"old": {}}) is None


def test_reliability_is_the_champions():
    assert find_bins(MODELS, "hcf") == {"warm": BINS, "cold": BINS}
    assert find_bins(MODELS, "old") == find_bins(MODELS, None) == {}
    assert described([draw_reliability(BINS, "warm")]) == [
        "Warm: foretold and in use, bin by bin: 0.500% 0.000%, 25.0% 30.0%."
    ]


def test_the_map_numbers_the_largest_communities_and_greys_the_others():
    chart = draw_map(MAP)
    assert re.findall(r">(\d+)</text>", chart) == [str(number) for number in range(1, NUMBERED + 1)]
    points = re.findall(r"<use [^>]*>", chart)
    assert len(points) == NUMBERED + 2
    assert sum("var(--rest)" in point for point in points) == 2
    assert described([chart]) == [f"{NUMBERED + 2} companies on a map, in {NUMBERED + 2} communities."]


def test_costs_count_a_pair_by_its_parts():
    costs = build_costs({**MODELS, "ease+hcf": row(0.5)})
    assert costs == {"ease": Cost(2, 50.0, 10.0), "hcf": Cost(2, 50.0, 10.0), "old": Cost(None, None, None)}
    assert total_seconds(costs) == 120


def test_the_page_has_it_all(page):
    sections = page.sections
    assert "Recall@20 by number of known products" in sections["slices"]
    assert "hcf champion 0.0200 0.0200" in sections["calibration"]
    assert "Warm: foretold Share in use Pairs 0.500% 0.000% 9,000 25.0% 30.0% 120" in sections["calibration"]
    assert "grey dots are in 2 smaller ones." in sections["map"]
    assert f"1 1 {EVIL}, Jira 2 1 {ABSENT}" in sections["map"]
    assert f"{NUMBERED} 1 {ABSENT}" in sections["map"]
    assert f" {NUMBERED + 1} 1 {ABSENT}" not in sections["map"]
    assert "Together 120.0 seconds" in sections["cost"]
    assert "ease 2 50.0 10.0" in sections["cost"]
    assert "Trials of hcf" in sections["cost"]
    assert f"1 ridge: 10 0.2500 0.1250 2 {ABSENT} 0.5000 {ABSENT}" in sections["cost"]
    assert "script" not in {tag for tag, _ in page.tags}
    assert len(page.ids) == len(set(page.ids))


def test_what_is_missing_is_said():
    sections = Page(render_report(make_data(models={"old": {}}, champion="old", **NO_CHARTS))).sections
    assert sections["slices"].endswith("The champion was not judged in slices.")
    assert sections["calibration"].endswith("No model was calibrated.")
    assert sections["map"].endswith("vectors tell no company from another.")
