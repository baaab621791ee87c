import numpy as np
import pytest
from scipy.stats import bootstrap

from hcf_spark.evaluation.comparison import best_baseline, compare, compare_cells, probe_gains
from hcf_spark.evaluation.intervals import RESAMPLES, interval, resampled_sums


def noisy(seed, shift=0.0, n=300):
    return np.clip(np.random.default_rng(seed).random(n) + shift, 0, None)


def test_resampled_means_spread_as_scipy_has_them():
    values = noisy(0)
    found = interval(resampled_sums(values[:, None], seed=1)[:, 0] / len(values))
    expected = bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(2))
    assert found["low"] == pytest.approx(expected.confidence_interval.low, abs=0.003)
    assert found["high"] == pytest.approx(expected.confidence_interval.high, abs=0.003)


def test_all_columns_are_summed_over_the_same_draws_and_the_seed_repeats_them():
    values = np.column_stack([noisy(0), 2 * noisy(0), np.ones(300)])
    sums = resampled_sums(values, seed=1)
    assert sums.shape == (RESAMPLES, 3)
    np.testing.assert_allclose(sums[:, 1], 2 * sums[:, 0])
    assert (sums[:, 2] == 300).all()
    assert (sums == resampled_sums(values, seed=1)).all()
    assert (sums[:, 0] != resampled_sums(values, seed=2)[:, 0]).any()


def test_a_small_gain_that_every_company_has_is_a_difference_however_much_companies_differ():
    figures = {"base": {"ndcg": noisy(0)}, "better": {"ndcg": noisy(0) + noisy(1) / 100}}
    found = compare(figures, "base", seed=0)
    over = found["better"]["over_baseline"]
    assert over["baseline"] == "base"
    assert 0 < over["ndcg"]["low"] < over["ndcg"]["difference"] < over["ndcg"]["high"] < 0.01
    assert found["better"]["interval"]["ndcg"]["low"] < noisy(0).mean() < found["better"]["interval"]["ndcg"]["high"]


def test_models_that_differ_by_chance_alone_are_told_apart_in_one_case_of_twenty():
    random = np.random.default_rng(0)
    figures = {"base": {str(case): random.random(200) for case in range(400)}}
    figures["other"] = {case: random.random(200) for case in figures["base"]}
    over = compare(figures, "base", seed=0)["other"]["over_baseline"]
    told_apart = [not over[case]["low"] <= 0 <= over[case]["high"] for case in figures["base"]]
    assert 0.02 < np.mean(told_apart) < 0.09


def test_the_baseline_and_a_model_of_the_same_figures_differ_by_exactly_nothing():
    figures = {name: {"ndcg": noisy(0), "recall": noisy(1)} for name in ("a", "b", "c")}
    for row in compare(figures, "b", seed=0).values():
        assert row["over_baseline"]["ndcg"] == {"difference": 0.0, "low": 0.0, "high": 0.0}


def test_without_a_baseline_there_are_intervals_only():
    found = compare({"hcf": {"ndcg": noisy(0)}}, None, seed=0)["hcf"]
    assert found["over_baseline"] == {"baseline": None}
    assert found["interval"].keys() == {"ndcg"}


def test_the_best_baseline_is_the_best_simple_candidate_on_validation():
    validation = {"popularity": 0.1, "ease": 0.3, "ae": 0.3, "hcf": 0.5, "fused": 0.6, "ease+fused": 0.6}
    assert best_baseline(["popularity", "ease", "ae", "hcf", "fused"], validation) == "ease"
    assert best_baseline(["hcf", "fused"], validation) is None


def probed(hits, predicted=10, auc=0.5):
    n = 200
    return {
        "hits": np.full(n, hits), "predicted": np.full(n, predicted), "hidden": np.full(n, 8),
        "company_auc": np.full(n, auc), "company_average_precision": noisy(3, n=n),
    }  # fmt: skip


def test_gains_of_the_probe_are_shares_of_what_text_alone_gives():
    found = probe_gains({"ae": probed(2), "hcf": probed(4, predicted=16, auc=0.75)}, seed=0)
    assert found.keys() == {"hcf"}
    assert found["hcf"]["precision"] == {"gain": 0.25, "low": pytest.approx(0.25), "high": pytest.approx(0.25)}
    assert found["hcf"]["recall"]["gain"] == 1.0
    assert found["hcf"]["f1"]["gain"] == pytest.approx((2 * 4 / (16 + 8)) / (2 * 2 / (10 + 8)) - 1)
    assert found["hcf"]["company_auc"]["gain"] == 0.5
    assert found["hcf"]["company_average_precision"]["gain"] == 0.0


def test_figures_over_all_cells_are_those_of_their_sums_and_a_model_is_no_better_than_itself():
    random = np.random.default_rng(0)
    counts = {name: random.integers(1, 9, 200) for name in ("hits", "predicted", "hidden")}
    counts["predicted"] += counts["hits"]
    counts["hidden"] += counts["hits"]
    better = counts | {"hits": counts["hits"] * 1.5}
    found = compare_cells({"base": counts, "better": better}, "base", seed=0)
    precision, recall = (counts["hits"].sum() / counts[name].sum() for name in ("predicted", "hidden"))
    over = found["better"]["over_baseline"]
    assert over["precision"]["difference"] == pytest.approx(precision / 2)
    assert over["recall"]["difference"] == pytest.approx(recall / 2)
    assert 0 < over["f1"]["low"] < over["f1"]["difference"] < over["f1"]["high"]
    assert found["base"]["interval"]["recall"]["low"] < recall < found["base"]["interval"]["recall"]["high"]
    assert found["base"]["over_baseline"]["f1"] == {"difference": 0.0, "low": 0.0, "high": 0.0}
    assert compare_cells({"base": counts}, None, seed=0)["base"]["over_baseline"] == {}


def test_intervals_of_gains_hold_the_gain_and_go_by_the_cells_not_by_the_companies():
    random = np.random.default_rng(0)
    ae, hcf = (
        probed(0) | {"hits": random.integers(0, most, 200), "predicted": random.integers(5, 20, 200)} for most in (4, 7)
    )
    found = probe_gains({"ae": ae, "hcf": hcf}, seed=0)["hcf"]["precision"]
    expected = hcf["hits"].sum() / hcf["predicted"].sum() / (ae["hits"].sum() / ae["predicted"].sum()) - 1
    assert found["gain"] == pytest.approx(expected)
    assert 0 < found["low"] < found["gain"] < found["high"]


def test_no_gain_over_nothing():
    found = probe_gains({"ae": probed(0, predicted=0), "hcf": probed(4)}, seed=0)["hcf"]
    assert found.keys() == {"company_auc", "company_average_precision"}
    assert probe_gains({"hcf": probed(4)}, seed=0) == {}
