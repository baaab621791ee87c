"""Tables of models and the words around their intervals."""

import doctest

import pytest
from test_report import NO_CHARTS, Page, make_data

from hcf_spark.report import evidence
from hcf_spark.report.detail_tables import build_detail_tables
from hcf_spark.report.evidence import winner_sentence
from hcf_spark.report.formats import ABSENT
from hcf_spark.report.metric_table import build_metric_table, build_probe_table
from hcf_spark.report.page import render_report


def row(ndcg, baseline="ease", difference=None):
    over = {"baseline": baseline}
    if difference is not None:
        value, low, high = difference
        over["ndcg_at_20"] = {"difference": value, "low": low, "high": high}
    return {
        "warm": {"ndcg_at_20": ndcg, "auc": 0.75},
        "interval": {"warm": {"ndcg_at_20": {"low": ndcg - 0.1, "high": ndcg + 0.1}}},
        "over_baseline": {"warm": over},
    }


MODELS = {
    "ease": row(0.5, difference=(0, 0, 0)),
    "hcf": row(0.51, difference=(0.01, -0.01, 0.03)),
    "fused": row(0.6, difference=(0.1, 0.05, 0.15)),
    "old": {"warm": {"ndcg_at_20": 0.25, "auc": 0.5}},
}


def texts(table):
    return {name: [cell.text for cell in cells] for name, cells in table.rows.items()}


def test_the_documented_examples_hold():
    assert doctest.testmod(evidence) == (0, 3)


def test_a_metric_has_its_difference_to_the_baseline_beside_it():
    table = build_metric_table(MODELS, "warm", 20)
    assert table.columns == ["NDCG@20", "against ease", "AUC"]
    assert texts(table) == {
        "ease": ["0.5000", "baseline", "0.7500"],
        "hcf": ["0.5100", "no difference (-0.0100 to +0.0300)", "0.7500"],
        "fused": ["0.6000", "+0.1000 (+0.0500 to +0.1500)", "0.7500"],
        "old": ["0.2500", ABSENT, "0.5000"],
    }
    assert [[cell.is_best for cell in cells] for cells in table.rows.values()] == [
        [False, False, True], [False, False, True], [True, False, True], [False, False, False],
    ]  # fmt: skip


def test_without_a_baseline_there_is_no_column_for_it():
    table = build_metric_table({"hcf": row(0.5, baseline=None)}, "warm", 20)
    assert table.columns == ["NDCG@20", "AUC"]
    assert build_metric_table(MODELS, "companies_warm", 20) is None


def test_gains_of_the_probe_stand_beside_its_metrics():
    bpdm = {"precision": 0.25, "recall": 0.5, "auc": 0.75, "company_auc": 0.7}
    gains = {
        "precision": {"gain": 0.28, "low": 0.2, "high": 0.36},
        "company_auc": {"gain": 0, "low": -0.1, "high": 0.1},
    }
    table = build_probe_table({"ae": {"bpdm": bpdm, "bpdm_gain": {}}, "hcf": {"bpdm": bpdm, "bpdm_gain": gains}}, 20)
    over = "gain over text alone"
    assert table.columns == ["Precision", over, "Recall", "AUC per company", over, "AUC"]
    assert texts(table)["ae"] == ["0.2500", ABSENT, "0.5000", "0.7000", ABSENT, "0.7500"]
    assert texts(table)["hcf"][1] == "+28.0% (+20.0% to +36.0%)"
    assert texts(table)["hcf"][4] == "no difference (-10.0% to +10.0%)"


def test_details_show_other_cutoffs_what_is_shown_and_slices():
    figures = {"companies": 1200, "ndcg_at_20": 0.4, "recall_at_20": 0.6}
    model = {
        "cold": {"ndcg_at_5": 0.3, "company_auc": 0.9},
        "companies_cold": {"precision_at_50": 0.2},
        "over_baseline": {
            "cold": {"baseline": "popularity", "ndcg_at_5": {"difference": 0.1, "low": 0.05, "high": 0.15}},
        },
        "exposure": {"cold": {"coverage_at_20": 0.5, "gini_at_20": 0.8, "novelty_at_20": 4.0}},
        "slices": {
            "cold": {
                "known_products": {"1-2": figures}, "popularity": {"tail": figures},
                "told_products": {"0": figures}, "text_tokens": {"1-64": figures},
            }
        },
    }  # fmt: skip
    sliced = ["1-2 known (1,200)", "0 told (1,200)", "1-64 tokens (1,200)", "tail (1,200)"]
    tables = build_detail_tables({"ae": model}, "cold", 20)
    assert {title: (table.columns, texts(table)["ae"]) for title, table in tables.items()} == {
        "at other cut-offs": (["NDCG@5", "against popularity"], ["0.3000", "+0.1000 (+0.0500 to +0.1500)"]),
        "companies for a product, at other cut-offs": (["Precision@50"], ["0.2000"]),
        "within each company, mean over companies": (["AUC"], ["0.9000"]),
        "the 20 products shown to each company": (
            ["Coverage", "Gini index", "Novelty in bits"], ["0.5000", "0.8000", "4.0000"],
        ),
        "NDCG@20 in slices": (sliced, ["0.4000"] * 4),
        "Recall@20 in slices": (sliced, ["0.6000"] * 4),
    }  # fmt: skip
    assert not any(cell.is_best for cell in tables["the 20 products shown to each company"].rows["ae"])
    assert tables["NDCG@20 in slices"].rows["ae"][0].is_best


def test_a_winner_is_named_with_its_intervals():
    assert winner_sentence(MODELS, "fused", "warm", 20) == (
        "fused, chosen by validation, has NDCG@20 0.6000 on test (0.5000 to 0.7000); against ease, the simple "
        "method that was best on validation: +0.1000 (+0.0500 to +0.1500)."
    )
    assert winner_sentence(MODELS, "ease", "warm", 20).endswith(
        "; it is itself the simple method that was best on validation."
    )
    assert winner_sentence({"hcf": row(0.5, baseline=None)}, "hcf", "warm", 20).endswith("(0.4000 to 0.6000).")
    assert winner_sentence(MODELS, "old", "warm", 20) is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"model": "own", "prior": {}}, "fused, chosen"),
        ({"model": "ease"}, "fused (here ease, as its guard decided), chosen"),
        ({"model": "ease", "prior": {}}, "fused (here ease with a prior, as its guard decided), chosen"),
    ],
)
def test_what_the_guard_kept_is_named(settings, said):
    models = {**MODELS, "fused": {**MODELS["fused"], "settings": {"warm": settings}}}
    assert winner_sentence(models, "fused", "warm", 20).startswith(f"{said} by validation, has ")


def test_the_page_says_what_may_be_chance():
    data = make_data(models=MODELS, winners_validation={"warm": "hcf"}, winners_test={"warm": "fused"}, **NO_CHARTS)
    sections = Page(render_report(data)).sections
    assert "hcf, chosen by validation, has NDCG@20 0.5100 on test (0.4100 to 0.6100)" in sections["result"]
    assert "no difference (-0.0100 to +0.0300)" in sections["result"]
    assert "“No difference” means that the interval holds 0" in sections["models"]
    assert "28% more precision" not in sections["models"]
    gains = {"precision": {"gain": 0.28, "low": 0.2, "high": 0.36}}
    models = {"hcf": {"bpdm": {"precision": 0.5}, "bpdm_gain": gains}}
    section = Page(render_report(make_data(models=models, **NO_CHARTS))).sections["models"]
    assert "hcf champion 0.5000 +28.0% (+20.0% to +36.0%)" in section
    assert "The paper reports 28% more precision and 11% more recall" in section
