"""The page is read as a browser would: parsed, and looked at by its tags and text."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import matplotlib
import pytest

from hcf_spark.report.data import Example, Recommendation, ReportData, RunFacts
from hcf_spark.report.formats import ABSENT
from hcf_spark.report.page import render_plots, render_report

SECTIONS = [
    "about", "result", "gate", "data", "filter", "quarantine", "split", "text", "models", "slices", "calibration",
    "curves", "map", "examples", "cost", "provenance",
]  # fmt: skip
VOID = {"meta", "br", "hr", "img", "link", "input"}
EVIL = "<script>alert('x')</script>"


def metrics(ndcg, cutoff=20):
    return {
        f"recall_at_{cutoff}": ndcg + 0.2,
        f"ndcg_at_{cutoff}": ndcg,
        "auc": 0.8,
        "average_precision": 0.1,
        "precision": 0.2,
        "recall": 0.3,
        "threshold": 7.0,
    }


def check(name, found, problem=None, note=None):
    return {"name": name, "found": found, "problem": problem, "is_comparison": True, "note": note}


def make_run(**changes):
    facts = RunFacts(
        run_id="run-1",
        seed=0,
        created_at="2026-01-02 03:04 UTC",
        settings_yaml="seed: 0\n",
        model_name="catalog.schema.hcf",
        model_version=7,
        model_aliases=("challenger", "champion"),
        git_commit="0123abc",
        table_versions={"companies": 3, "csv": None},
        package_versions={"pyspark": "4.0.5"},
    )
    return replace(facts, **changes)


def make_data(**changes):
    bpdm = {"precision": 0.4, "recall": 0.3, "auc": 0.7, "average_precision": 0.2}
    data = ReportData(
        title="Report",
        run=make_run(),
        dataset={"companies": 16_980, "products": 5_551, "interactions": 204_986, "density": 0.002175},
        cutoff=20,
        models={
            "popularity": {"warm": metrics(0.3), "cold": metrics(0.25), "bpdm": bpdm, "fit_seconds": 0.01},
            "ease": {"warm": metrics(0.45), "cold": metrics(0.25), "bpdm": bpdm, "settings": {}},
            "hcf": {"warm": metrics(0.4), "cold": metrics(0.35), "fit_seconds": 61.26, "settings": {"depth": 1}},
        },
        champion="hcf",
        winners_validation={"warm": "hcf", "cold": "hcf"},
        winners_test={"warm": "ease", "cold": "hcf"},
        model_descriptions={"hcf": "Starts at the text vectors."},
        steps=[
            {"step": "before the filter", "companies": 1000, "products": 50, "interactions": 500, "density": 0.01},
            {"step": "round 1", "companies": 900, "products": 10, "interactions": 450, "density": 0.05},
        ],
        quarantine={"usage": {"unknown company": 1204, "weight is not finite": 0}, "products": {}},
        split={"training_companies": 13_584},
        text={"companies with text": 16_800, "encoder": "all-MiniLM-L6-v2"},
        products_per_company=[1, 2, 2, 3, 40],
        companies_per_product=[900, 40, 7, 3, 3, 0],
        curves={
            "hcf": [
                {"loss": 0.5, "validation_warm_ndcg": 0.1, "validation_cold_ndcg": 0.1},
                {"loss": 0.4, "validation_warm_ndcg": 0.2, "validation_cold_ndcg": 0.3},
            ],
            "dcf": [{"loss": 0.6}],
        },
        examples=[
            Example(
                "c-1", "Acme", "warm", "Acme makes anvils.", ["Slack"],
                [Recommendation("Jira", 0.9, True, "uses Slack (+0.70)"), Recommendation("Zoom", 0.5, False, "")],
                ["Jira", "Trello"],
            ),
            Example("c-2", "Newco", "cold", None, [], [Recommendation("Slack", 0.4, False, "its description (+0.40)")]),
        ],
    )  # fmt: skip
    return replace(data, **changes)


EMPTY = ReportData(title="Empty", run=RunFacts("run-0", 0, "today", ""), dataset={}, cutoff=20, models={})


NO_CHARTS = {"steps": [], "curves": {}, "products_per_company": [], "companies_per_product": []}


@pytest.fixture(scope="module")
def full():
    return render_report(make_data())


class Page(HTMLParser):
    """Tags in order, ids, and the text of each section; fails on a tag that is not closed where it should be."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.ids, self.sections, self._open = [], [], {}, []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self._note(tag, attrs)
        if tag not in VOID:
            self._open.append((tag, dict(attrs).get("id")))

    def handle_startendtag(self, tag, attrs):
        self._note(tag, attrs)

    def handle_endtag(self, tag):
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        for tag, name in self._open:
            if tag == "section":
                self.sections[name] = " ".join(f"{self.sections.get(name, '')} {data}".split())

    def _note(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]


def bold_cells(html, model):
    row = re.search(rf'<th scope="row">{model}.*?</tr>', html[html.index("Warm: companies") :], re.DOTALL).group()
    return re.findall(r"<strong>(.*?)</strong>", row)


@pytest.mark.parametrize("is_empty", [False, True], ids=["full", "empty"])
def test_page_is_well_formed_and_has_every_section(full, is_empty):
    page = Page(render_report(EMPTY) if is_empty else full)

    assert list(page.sections) == SECTIONS
    assert len(page.ids) == len(set(page.ids))
    assert ("html", {"lang": "en"}) in page.tags
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    targets = {attrs["href"][1:] for tag, attrs in page.tags if tag == "a"}
    assert targets == set(SECTIONS)


def test_charts_are_inside_and_described(full):
    page = Page(full)

    charts = [attrs for tag, attrs in page.tags if tag == "svg"]
    assert len(charts) == 8  # two of NDCG, two of usage, density, three curves
    assert all(chart["role"] == "img" and chart["aria-label"] for chart in charts)
    assert "Density at each filter step: 1.000% before, 5.000% after the last step." in [
        c["aria-label"] for c in charts
    ]
    used = {attrs["href"][1:] for tag, attrs in page.tags if tag == "use"}
    assert used
    assert used <= set(page.ids)


def test_table_headers_have_a_scope(full):
    page = Page(full)
    assert {attrs.get("scope") for tag, attrs in page.tags if tag == "th"} == {"row", "col"}


def test_nothing_is_loaded_from_elsewhere():
    html = render_report(make_data(examples=[Example("c", "http://name.test", "cold", "https://text.test", [], [])]))

    attributes = [(name, value or "") for _, attrs in Page(html).tags for name, value in attrs.items()]
    links = [value for name, value in attributes if name in ("src", "href", "xlink:href", "srcset", "data", "action")]
    assert all(link.startswith("#") for link in links)
    assert all(url.startswith("#") for url in re.findall(r"url\(([^)]*)\)", html))
    assert "@import" not in html
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in Page(html).tags}


def test_user_text_is_escaped_everywhere():
    record = {"loss": 0.5, "validation_warm_ndcg": 0.1, "validation_cold_ndcg": 0.2}
    data = make_data(
        title=EVIL,
        run=make_run(
            run_id=EVIL, created_at=EVIL, settings_yaml=f"output: {EVIL}", model_name=EVIL, model_version=EVIL,
            model_aliases=(EVIL,), serving=EVIL, drift={EVIL: 1}, git_commit=EVIL,
            gate={"promoted": False, "reason": EVIL, "mode": "on", "checks": [check(EVIL, {EVIL: EVIL}, EVIL)]},
            table_versions={EVIL: EVIL}, package_versions={EVIL: EVIL},
        ),
        dataset={EVIL: 1},
        models={EVIL: {"warm": metrics(0.1), "cold": metrics(0.1), "bpdm": metrics(0.1), "settings": {EVIL: EVIL}}},
        champion=EVIL,
        winners_validation={"warm": "a" + EVIL, "cold": EVIL},
        winners_test={"warm": EVIL, "cold": EVIL},
        model_descriptions={EVIL: EVIL},
        steps=[{"step": EVIL, "companies": 1, "products": 1, "interactions": 1, "density": 1.0}],
        quarantine={EVIL: {EVIL: 1}},
        split={EVIL: 1},
        text={EVIL: EVIL},
        curves={EVIL: [record, record]},
        examples=[Example(EVIL, EVIL, "warm", EVIL, [EVIL], [Recommendation(EVIL, 1.0, True, EVIL)], [EVIL])],
    )  # fmt: skip

    html = render_report(data)

    assert "<script" not in html
    assert "script" not in {tag for tag, _ in Page(html).tags}
    assert Page(html).sections["examples"].count(EVIL) == 7


def test_best_value_of_a_column_is_bold_and_others_are_not(full):
    assert bold_cells(full, "ease")[:2] == ["0.6500", "0.4500"]
    assert "0.4000" not in bold_cells(full, "hcf")
    assert "0.3000" in bold_cells(full, "popularity")  # recall, equal for all three: all are best


def test_threshold_is_no_column_and_missing_values_are_dashes(full):
    models = {"a": {"warm": {"ndcg_at_20": 0.25, "auc": float("nan")}}, "b": {"warm": {"ndcg_at_20": None, "auc": 0.5}}}
    section = Page(render_report(make_data(models=models, champion=None, **NO_CHARTS))).sections["models"]

    assert f"Model NDCG@20 AUC a 0.2500 {ABSENT} b {ABSENT} 0.5000" in section
    assert "hreshold" not in Page(full).sections["models"]


def test_another_cutoff():
    models = {"hcf": {"warm": metrics(0.4, cutoff=5), "cold": metrics(0.35, cutoff=5)}}
    html = render_report(make_data(models=models, cutoff=5, winners_test={"warm": "hcf", "cold": "hcf"}))

    assert "NDCG@5 0.4000 and Recall@5 0.6000" in Page(html).sections["result"]
    assert "@20" not in html


def test_headline_says_when_validation_pointed_elsewhere(full):
    text = Page(full).sections["result"]

    assert (
        "Champion hcf Starts at the text vectors. Registered as catalog.schema.hcf, version 7, alias challenger,"
        in text
    )
    assert "The champion is first on the test set for cold companies, not for warm ones." in text
    assert (
        "ease is first on the test set, with NDCG@20 0.4500 and Recall@20 0.6500. On validation "
        "hcf was chosen, which is not the best on test. For comparison, NDCG@20 is 0.4000 for hcf "
        "and 0.3000 for popularity."
    ) in text
    assert "hcf is first on the test set, with NDCG@20 0.3500 and Recall@20 0.5500. Validation chose it, too." in text


CHECKS = [
    check("baseline_warm", {"other": "ease", "difference": -0.02, "low": -0.03, "high": -0.01}, "worse than ease"),
    check("champion", {"other": "3", "compared": False}, note="not compared with champion 3"),
    check("vectors", {"numbers": 40, "not_finite": 0}),
]


@pytest.mark.parametrize(
    ("serving", "still"), [("3", "version 3 is still the champion"), (None, "no version is the champion")]
)
def test_a_version_that_the_gate_kept_out_is_no_champion(serving, still):
    gate = {"promoted": False, "reason": "worse than ease", "mode": "on", "checks": CHECKS}
    html = render_report(make_data(run=make_run(gate=gate, serving=serving)))
    sections = Page(html).sections
    kept_out = f"Kept out: worse than ease; {still}."
    assert kept_out in sections["result"]
    assert "Challenger hcf" in sections["result"]
    assert "The challenger is first on the test set for cold companies" in sections["result"]
    assert kept_out in sections["gate"]
    for row in (
        "Baseline warm worse than ease other: ease, difference: -0.02, low: -0.03, high: -0.01",
        "Champion not compared with champion 3 other: 3, compared: False",
        "Vectors passed numbers: 40, not_finite: 0",
    ):
        assert row in sections["gate"]
    assert '<span class="tag">champion</span>' not in html
    assert not any("The champion" in text for name, text in sections.items() if name != "about")


def test_a_version_that_passed_the_gate_is_the_champion_and_its_drift_is_told():
    gate = {"promoted": True, "reason": "passed 1 checks", "mode": "dry_run", "checks": CHECKS[2:]}
    drift = {"companies": 1_200, "mean_cosine": 0.98765, "relative_residual": 0.1}
    sections = Page(render_report(make_data(run=make_run(gate=gate, serving="7", drift=drift)))).sections
    assert "Champion hcf" in sections["result"]
    assert "Kept out" not in sections["result"]
    assert "Promoted: passed 1 checks. Version 7 is the champion. The gate was a dry run" in sections["gate"]
    assert "Companies 1,200 Mean cosine 0.9877 Relative residual 0.1" in sections["gate"]


def test_champion_made_of_two_models_is_level_with_its_parts():
    both = {"warm": metrics(0.45), "cold": metrics(0.35), "settings": {"warm": {"ridge": 100.0}, "cold": {}}}
    data = make_data(models={**make_data().models, "ease+hcf": both}, champion="ease+hcf", **NO_CHARTS)
    sections = Page(render_report(replace(data, winners_validation={"warm": "ease", "cold": "hcf"}))).sections

    assert "The champion is first on the test set for warm and for cold companies." in sections["result"]
    assert "For comparison, NDCG@20 is 0.3000 for popularity." in sections["result"]
    assert f"warm: (ridge: 100), cold: ({ABSENT})" in sections["models"]


@pytest.mark.parametrize(
    ("winners", "sentence"),
    [
        ({"warm": "hcf", "cold": "hcf"}, "The champion is first on the test set for warm and for cold companies."),
        ({"warm": "ease", "cold": "ease"}, "The champion is not first on the test set for warm or for cold companies."),
        ({"cold": "hcf"}, "The champion is first on the test set for cold companies."),
    ],
)
def test_verdict_on_the_champion(winners, sentence):
    assert sentence in Page(render_report(make_data(winners_test=winners, **NO_CHARTS))).sections["result"]


def test_numbers_are_written_for_people(full):
    sections = Page(full).sections

    assert "Companies 16,980 Products 5,551 Interactions 204,986 Density 0.217%" in sections["data"]
    assert "Density went from 1.000% to 5.000%." in sections["filter"]
    assert "usage unknown company 1,204" in sections["quarantine"]
    assert "weight is not finite" not in sections["quarantine"]
    assert "Training companies 13,584" in sections["split"]
    assert "hcf Starts at the text vectors. depth: 1" in sections["models"]
    assert f"hcf {ABSENT} {ABSENT} 61.3" in sections["cost"]


def test_examples_mark_what_was_hidden(full):
    section = Page(full).sections["examples"]

    assert (
        "Recommended: 1 of 2 hidden products found # Product Score "
        "1 Jira ✓ was hidden uses Slack (+0.70) 0.9000 2 Zoom 0.5000"
    ) in section
    assert (
        "Newco c-2 cold No text. Uses, and the model was told None of its products. Recommended # Product Score 1 Slack"
        in section
    )


def test_long_lists_and_texts_are_cut():
    example = Example("c-1", "Acme", "warm", "word " * 1000, [f"product {i}" for i in range(60)], [])
    section = Page(render_report(make_data(examples=[example], **NO_CHARTS))).sections["examples"]

    assert section.count("word") < 100
    assert "product 23 and 36 more" in section


def test_empty_sections_say_so():
    sections = Page(render_report(EMPTY)).sections

    assert sections["result"].endswith("No champion was chosen. No model was judged on a test set.")
    assert sections["gate"].endswith("No version was given to the gate.")
    assert sections["quarantine"].endswith("No bad row was found.")
    assert sections["curves"].endswith("No model of this run was trained in epochs.")
    assert sections["examples"].endswith("No example company was chosen.")
    assert "None" not in sections["provenance"].replace("None was recorded.", "")


def test_same_data_give_the_same_page_whatever_the_user_set_in_matplotlib(full):
    with matplotlib.rc_context({"font.size": 30, "axes.grid": False, "svg.fonttype": "path"}):
        second = render_report(make_data())
        assert matplotlib.rcParams["font.size"] == 30

    assert full == second


@pytest.mark.parametrize(
    ("products", "companies"),
    [([3], [1]), ([0, 0], [0, 0]), ([5] * 100, [7] * 100), (list(range(5000)), list(range(5000)))],
)
def test_usage_of_any_shape_is_drawn(products, companies):
    html = render_report(make_data(products_per_company=products, companies_per_product=companies))
    assert "Histogram of products per company" in html
    assert len(html) < 250_000


def test_gaps_in_curves_are_left_out():
    curves = {"a": [{"loss": 0.5}, {"loss": float("nan")}, {"loss": 0.25}], "b": []}
    html = render_report(make_data(curves=curves))

    assert "Training loss by epoch, first to last: a from 0.5000 to 0.2500." in html
    assert "Validation NDCG" not in Page(html).sections["curves"]


def test_plots_are_whole_svg_files_with_their_colours():
    plots = render_plots(make_data())
    assert {"density.svg", "ndcg_warm.svg", "ndcg_cold.svg", "training_1.svg"} <= set(plots)
    for svg in plots.values():
        root = ElementTree.fromstring(svg)  # noqa: S314 our own
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "--accent: #" in svg
