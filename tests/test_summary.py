import json

import numpy as np
import pytest
from tiny_snapshot import Company, write_snapshot
from worlds import checkerboard

from hcf_spark.evaluation.candidate import Search
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.harness import run_harness
from hcf_spark.models.package import About, ModelPackage
from hcf_spark.models.popularity import Popularity
from hcf_spark.models.registry import model_class
from hcf_spark.summary import (
    DESCRIPTIONS,
    count_split,
    describe,
    format_table,
    format_winners,
    make_examples,
    make_metrics,
    pick_examples,
    product_counts,
)
from hcf_spark.train.snapshot import read_snapshot

SHARDS = [
    [Company(0, [1.0, 0.0], [0, 3], [1]), Company(1, [0.0, 1.0], [2]), Company(2, [1.0, 1.0], [], [0], cold=True)]
]
TEST = [
    Company(0, [1.0, 0.0], [0, 1, 3], [2]),
    Company(1, [0.0, 0.0], [2], [0]),
    Company(7, [0.5, 0.5], [], [1, 3], cold=True),
    Company(8, [0.0, 0.0], [], [0], cold=True),
]
METRICS = {
    "models": {
        name: {
            regime: {"recall_at_5": recall, "ndcg_at_5": 0.5, "auc": 0.75, "average_precision": 0.125, "precision": 0.1}
            for regime, recall in (("warm", warm), ("cold", 0.0))
        }
        for name, warm in (("popularity", 0.25), ("ease+ae", 1.0))
    },
    "champion": "ease+ae",
}


@pytest.fixture
def snapshot(tmp_path):
    return read_snapshot(tmp_path, write_snapshot(tmp_path, SHARDS, TEST, n_products=4), 100, 100, seed=0)


@pytest.fixture
def package():
    """Ranks B, A, D, C for everyone."""
    about = About(("description",), {}, "tiny@1", 2, "snapshot 1", 3)
    shares = np.array([0.75, 1.0, 0.25, 0.5], np.float32)
    return ModelPackage(Popularity(shares), ["a", "b", "c", "d"], ["A", "B", "C", "D"], ["c0", "c1", "c2"], about)


def test_metrics_are_what_the_harness_found_and_can_be_written():
    inner, full = checkerboard(seed=1), checkerboard(seed=2)
    candidates = [CLOSED_FORM["popularity"], CLOSED_FORM["ae"]]
    result = run_harness(candidates, *inner, *full, Search(trials=2, cutoff=3, seed=0), progress=False)
    metrics = make_metrics({"companies": 24}, result, seed=4)
    assert metrics["dataset"] == {"companies": 24}
    assert (metrics["champion"], metrics["seed"]) == (result.champion, 4)
    assert list(metrics["models"])[:2] == ["popularity", "ae"]
    assert metrics["models"]["ae"]["warm"] == result.models["ae"].warm.summary
    assert metrics["winners"] == {"validation": result.winners, "test": result.leaders_on_test}
    assert metrics["baselines"] == {"warm": "ae", "cold": "ae"}
    assert json.loads(json.dumps(metrics)) == metrics
    assert [line.split(",")[0] for line in format_winners(metrics, 3).splitlines()] == ["warm: ae", "cold: ae"]
    table = format_table(metrics, 3)
    assert table.count("\n") == len(metrics["models"])


def test_every_model_has_its_sentence_and_a_pair_that_of_its_parts():
    for name in DESCRIPTIONS:
        assert model_class(name).name == name
        assert describe(name) == DESCRIPTIONS[name]
    assert describe("ease+ae") == (
        "Two models in one: ease for companies with known products, ae for companies without."
    )


def test_table_for_the_terminal():
    assert format_table(METRICS, 5).splitlines() == [
        "            warm Recall@5  warm NDCG@5  warm AUC  warm AP  cold Recall@5  cold NDCG@5  cold AUC  cold AP",
        "popularity          0.250        0.500     0.750    0.125          0.000        0.500     0.750    0.125",
        "ease+ae             1.000        0.500     0.750    0.125          0.000        0.500     0.750    0.125"
        "  <- champion",
    ]


def test_winners_for_the_terminal():
    row = {
        "cold": {"ndcg_at_5": 0.5},
        "warm": {"ndcg_at_5": 0.25},
        "interval": {regime: {"ndcg_at_5": {"low": 0.2, "high": 0.6}} for regime in ("warm", "cold")},
        "over_baseline": {
            "warm": {"baseline": "ease", "ndcg_at_5": {"difference": 0.05, "low": 0.01, "high": 0.09}},
            "cold": {"baseline": "ae", "ndcg_at_5": {"difference": 0.05, "low": -0.01, "high": 0.11}},
        },
    }
    metrics = {"models": {"hcf": row}, "winners": {"validation": {"warm": "hcf", "cold": "hcf"}}}
    assert format_winners(metrics, 5).splitlines() == [
        "warm: hcf, chosen by validation, has NDCG@5 0.2500 on test (0.2000 to 0.6000); against ease, the "
        "simple method that was best on validation: +0.0500 (+0.0100 to +0.0900).",
        "cold: hcf, chosen by validation, has NDCG@5 0.5000 on test (0.2000 to 0.6000); against ae, the "
        "simple method that was best on validation: no difference (-0.0100 to +0.1100).",
    ]


def test_the_split_in_numbers(snapshot):
    assert count_split(snapshot) == {
        "training companies": 3,
        "training interactions": 5,
        "validation: companies with hidden products": 1,
        "validation: companies held out": 1,
        "test: companies with hidden products": 2,
        "test: hidden products of those": 2,
        "test: companies held out": 2,
        "test: products of those": 3,
    }
    assert product_counts(snapshot) == ([3, 1, 1], [2, 1, 1, 1])


def test_examples_are_drawn_by_seed_among_companies_with_text(tmp_path):
    test = [
        Company(index, [float(index % 3 > 0), 0.0], [0], [1], cold=cold)
        for cold in (False, True) for index in range(30)
    ]  # fmt: skip
    snapshot = read_snapshot(tmp_path, write_snapshot(tmp_path, SHARDS, test, n_products=4), 100, 100, seed=0)
    chosen = pick_examples(snapshot, 3, seed=0)
    assert chosen.keys() == {"warm", "cold"}
    for rows in chosen.values():
        assert len(rows) == len(set(rows.tolist())) == 3
        assert rows.tolist() == sorted(rows.tolist())
        assert (rows % 3 > 0).all()
    assert {part: rows.tolist() for part, rows in pick_examples(snapshot, 3, seed=0).items()} == {
        part: rows.tolist() for part, rows in chosen.items()
    }
    assert any((pick_examples(snapshot, 3, seed=seed)["warm"] != chosen["warm"]).any() for seed in (1, 2, 3))
    assert len(pick_examples(snapshot, 99, seed=0)["cold"]) == 20


def test_examples_show_what_was_known_recommended_and_hidden(snapshot, package):
    chosen = {"warm": np.array([0]), "cold": np.array([0])}
    identities = {
        "warm": [{"company_id": "w", "name": "Warm Ltd", "text": "x" * 5000}],
        "cold": [{"company_id": "c", "name": None, "text": None}],
    }
    warm, cold = make_examples(snapshot, chosen, identities, package, cutoff=3)
    assert (warm.company_id, warm.name, warm.regime, len(warm.text)) == ("w", "Warm Ltd", "warm", 600)
    assert warm.known_products == ["A", "B", "D"]
    assert warm.recommendations == [("C", 0.25, True, "popular (+0.25)")]
    assert warm.hidden_products == ["C"]
    assert (cold.company_id, cold.name, cold.regime, cold.text) == ("c", "c", "cold", None)
    assert cold.known_products == []
    assert cold.recommendations == [
        ("B", 1.0, True, "popular (+1.00)"), ("A", 0.75, False, "popular (+0.75)"), ("D", 0.5, True, "popular (+0.50)"),
    ]  # fmt: skip
    assert cold.hidden_products == ["B", "D"]


def test_no_examples_where_no_company_has_text(tmp_path, package):
    blind = [Company(company.index, [0.0, 0.0], company.known, company.held, company.cold) for company in TEST]
    snapshot = read_snapshot(tmp_path, write_snapshot(tmp_path, SHARDS, blind, n_products=4), 100, 100, seed=0)
    chosen = pick_examples(snapshot, 3, seed=0)
    assert make_examples(snapshot, chosen, {"warm": [], "cold": []}, package, cutoff=3) == []
