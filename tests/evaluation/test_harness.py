import json
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from worlds import checkerboard, random_world

from hcf_spark.errors import DataError
from hcf_spark.evaluation.blocks import ScoredHoldout
from hcf_spark.evaluation.calibration import calibrate
from hcf_spark.evaluation.candidate import Search
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.evaluate import evaluate, ndcg_and_threshold
from hcf_spark.evaluation.harness import run_harness
from hcf_spark.evaluation.search import SearchCandidate
from hcf_spark.models.companies import Holdout, Regimes
from hcf_spark.models.popularity import Popularity

CANDIDATES = tuple(CLOSED_FORM[name] for name in ("popularity", "ae", "ease"))


def run(candidates=CANDIDATES, inner=None, full=None, cutoff=3):
    inner, validation = inner or checkerboard(seed=1)
    full, test = full or checkerboard(seed=2)
    search = Search(trials=4, cutoff=cutoff, seed=0)
    return run_harness(candidates, inner, validation, full, test, search, progress=False)


def figures(result):
    return {
        name: {key: value for key, value in row.items() if not key.endswith("seconds")}
        for name, row in result.rows.items()
    }


def spoil(regimes):
    """The same companies, but what was to be found is now anything else."""
    return Regimes(
        *(
            Holdout(holdout.companies, sp.csr_matrix(1 - holdout.companies.known.toarray() - holdout.hidden.toarray()))
            for holdout in (regimes.warm, regimes.cold)
        )
    )


class Rule:
    """A model without settings whose scores follow a rule."""

    folds_in = True

    def __init__(self, name, rule):
        self.name, self._rule = name, rule

    def score(self, companies):
        return self._rule(companies).astype(np.float32)

    def embed(self, companies):
        return np.ones((len(companies), 1), np.float32)


def rule(name, function):
    return SearchCandidate(name, lambda train, seed: lambda: Rule(name, function), {}, {})


def same_parity(companies):
    products = np.arange(companies.known.shape[1])
    return companies.text[:, :1] * np.where(products % 2 == 0, 1, -1)


def only_warm(companies):
    return same_parity(companies) * np.where(companies.known.getnnz(axis=1)[:, None] > 0, 1, -1)


def only_cold(companies):
    return -only_warm(companies)


def test_rows_hold_every_figure_and_can_be_written_as_json():
    result = run()
    assert list(result.rows)[:3] == ["popularity", "ae", "ease"]
    for row in json.loads(json.dumps(result.rows)).values():
        assert row.keys() == {
            "warm", "cold", "companies_warm", "companies_cold", "by_vectors", "bpdm", "bpdm_gain", "exposure", "slices",
            "calibration", "interval", "over_baseline", "validation", "settings", "trials",
            "tune_seconds", "fit_seconds",
        }  # fmt: skip
        for part in ("warm", "cold", "bpdm"):
            assert row[part].keys() >= {"recall_at_3", "ndcg_at_3", "auc", "average_precision", "precision", "recall"}
    assert len(result.rows["ease"]["trials"]) == 4


def test_models_are_tuned_on_inner_and_judged_fitted_on_full():
    inner, full = random_world(1), random_world(2)
    result = run([CLOSED_FORM["popularity"]], inner, full, cutoff=5)
    fitted = Popularity.fit(inner[0])
    calibrated = calibrate(fitted, inner[1], cutoff=5, seed=0)
    ndcg, threshold = ndcg_and_threshold(calibrated(fitted), inner[1].cold, 5)
    expected = evaluate(ScoredHoldout.of(calibrated(Popularity.fit(full[0])), full[1].cold), 5, threshold)
    assert result.models["popularity"].validation["cold"] == ndcg.mean()
    assert result.models["popularity"].cold.summary == expected.summary
    assert (result.champion_model.model.shares == Popularity.fit(full[0]).shares).all()


def test_every_model_is_compared_with_the_simple_candidate_that_is_best_on_validation():
    result = run(
        [rule("bad", lambda companies: -same_parity(companies)), rule("x", only_warm), rule("fused", same_parity)]
    )
    assert result.baselines == {"warm": "x", "cold": "bad"}
    rows = result.rows
    over = rows["fused"]["over_baseline"]
    assert over.keys() == {"warm", "cold", "companies_warm", "companies_cold"}
    assert over["warm"]["ndcg_at_3"] == {"difference": 0.0, "low": 0.0, "high": 0.0}
    cold = rows["fused"]["cold"]["ndcg_at_3"] - rows["bad"]["cold"]["ndcg_at_3"]
    assert over["cold"]["baseline"] == over["companies_cold"]["baseline"] == "bad"
    assert over["cold"]["ndcg_at_3"]["difference"] == cold > 0
    assert over["cold"]["ndcg_at_3"].keys() == over["companies_cold"]["recall_at_3"].keys()
    assert rows["bad"]["interval"]["warm"]["recall_at_3"] == {"low": 0.0, "high": 0.0}
    f1 = over["cold"]["f1"]
    assert f1["low"] <= f1["difference"] <= f1["high"]
    assert f1["difference"] == pytest.approx(rows["fused"]["cold"]["f1"] - rows["bad"]["cold"]["f1"])
    assert rows["fused"]["interval"]["companies_warm"].keys() >= {"precision_at_5", "ndcg_at_50"}


def test_the_gain_of_company_vectors_is_over_those_of_the_text_alone():
    inner, full = random_world(1), random_world(2)
    rows = run([CLOSED_FORM["popularity"], CLOSED_FORM["ae"]], inner, full, cutoff=5).rows
    assert rows["ae"]["bpdm_gain"] == {}
    gain = rows["popularity"]["bpdm_gain"]["precision"]
    assert gain["gain"] == pytest.approx(rows["popularity"]["bpdm"]["precision"] / rows["ae"]["bpdm"]["precision"] - 1)
    assert gain["low"] <= gain["gain"] <= gain["high"]
    assert run([CLOSED_FORM["popularity"]], inner, full, cutoff=5).rows["popularity"]["bpdm_gain"] == {}


def test_companies_are_found_for_products_and_the_test_is_cut_in_slices():
    rows = run([rule("good", same_parity), rule("bad", lambda companies: -same_parity(companies))]).rows
    good = rows["good"]["companies_cold"]
    assert [good[key] for key in ("products", "recall_at_3", "ndcg_at_3", "ndcg_at_50")] == [12, 1.0, 1.0, 1.0]
    assert rows["bad"]["companies_cold"]["ndcg_at_3"] < 1
    assert rows["good"]["slices"]["warm"]["known_products"]["3-5"]["companies"] == 24
    assert rows["good"]["slices"]["cold"].keys() == {"known_products", "popularity", "told_products"}
    assert rows["good"]["exposure"]["warm"].keys() == {"coverage_at_3", "gini_at_3", "novelty_at_3"}


def test_one_model_that_wins_both_regimes_is_the_champion_alone():
    result = run([rule("good", same_parity), rule("bad", lambda companies: -same_parity(companies))])
    assert result.winners == {"warm": "good", "cold": "good"}
    assert result.champion == result.champion_model.model.name == "good"
    assert list(result.models) == ["good", "bad"]


def test_two_winners_make_a_champion_judged_like_the_others():
    result = run([rule("x", only_warm), rule("y", only_cold)])
    assert result.winners == {"warm": "x", "cold": "y"}
    assert result.champion == result.champion_model.model.name == "x+y"
    pair = result.models["x+y"]
    assert pair.warm.summary == result.models["x"].warm.summary
    assert pair.cold.summary == result.models["y"].cold.summary
    assert pair.validation == {"warm": 1.0, "cold": 1.0}
    assert pair.settings == {"warm": {}, "cold": {}}


def test_a_model_as_good_as_the_winner_of_the_other_regime_is_not_paired_with_it():
    result = run([rule("cold_only", only_cold), rule("both", same_parity)])
    assert result.champion == "both"
    assert result.winners == {"warm": "both", "cold": "both"}


def test_a_model_as_good_as_a_pair_of_winners_is_the_champion_alone():
    result = run([rule("x", only_warm), rule("y", only_cold), rule("both", same_parity)])
    assert result.champion == result.champion_model.model.name == "both"


def mistaken(share):
    """The parity turned round for so large a share of the companies."""
    return lambda companies: same_parity(companies) * np.where(companies.index % 100 < 100 * share, -1, 1)[:, None]


@pytest.mark.parametrize(("share", "champion"), [(0.02, "fused"), (0.5, "good")])
def test_the_guarded_model_stays_where_no_other_is_better_by_more_than_chance(share, champion):
    result = run([rule("fused", mistaken(share)), rule("good", same_parity)])
    assert result.models["fused"].validation["warm"] < result.models["good"].validation["warm"]
    assert result.winners == {"warm": champion, "cold": champion}
    assert result.champion == result.champion_model.model.name == champion


def test_a_model_that_is_better_in_one_regime_is_paired_with_the_guarded_one():
    result = run([rule("fused", only_cold), rule("good", only_warm)])
    assert result.champion == "good+fused"


def test_everything_is_chosen_on_validation_and_test_only_names_its_leader():
    inner, (full, test) = random_world(1), random_world(2)
    fair, poisoned = (run(inner=inner, full=(full, holdouts), cutoff=5) for holdouts in (test, spoil(test)))
    assert fair.champion == poisoned.champion
    assert fair.winners == poisoned.winners
    for name, row in figures(fair).items():
        other = figures(poisoned)[name]
        for key in ("settings", "trials", "validation"):
            assert row[key] == other[key]
        for part in ("warm", "cold", "bpdm"):
            assert row[part]["threshold"] == other[part]["threshold"]
            assert row[part]["ndcg_at_5"] != other[part]["ndcg_at_5"]


def test_the_leader_on_test_is_named_even_if_another_is_champion():
    inner, (full, test) = checkerboard(), checkerboard()
    good, bad = rule("good", same_parity), rule("bad", lambda companies: -same_parity(companies))
    result = run([good, bad], inner, (full, spoil(test)))
    assert result.champion == "good"
    assert result.leaders_on_test == {"warm": "bad", "cold": "bad"}


def test_the_same_seed_gives_the_same_figures_to_the_last_digit():
    assert figures(run()) == figures(run())


def test_every_candidate_gets_the_seed():
    seeds = []
    train, _ = checkerboard()

    def prepare(companies, seed):
        seeds.append(seed)
        return lambda: Popularity.fit(train)

    run([SearchCandidate("popularity", prepare, {}, {})])
    assert seeds == [0, 0]


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize(
    ("regime", "cure"),
    [
        ("warm", "raise split.warm_share or lower split.min_products_to_hide, or bring more data"),
        ("cold", "raise split.cold_share, or bring more data"),
    ],
)
def test_a_regime_without_companies_names_the_setting(regime, cure, split):
    train, holdouts = checkerboard()
    empty = replace(holdouts, **{regime: getattr(holdouts, regime).take(slice(0))})
    place = "inner" if split == "validation" else "full"
    with pytest.raises(DataError) as caught:
        run(**{place: (train, empty)})
    assert str(caught.value) == f"no company to judge in the {regime} regime of the {split} split: {cure}"
