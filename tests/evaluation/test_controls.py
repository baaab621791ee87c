"""What has to come to nothing does: random or shuffled text, shuffled labels."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from optuna.storages import InMemoryStorage
from worlds import fit_first, telling_world

from hcf_spark.evaluation.blocks import ScoredHoldout
from hcf_spark.evaluation.candidate import Search
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.comparison import compare
from hcf_spark.evaluation.evaluate import evaluate
from hcf_spark.evaluation.fused import FusedCandidate
from hcf_spark.evaluation.probe import probe

OTHERS = [*sorted(set(CLOSED_FORM) - {"popularity"}), "fused"]
FUSED = FusedCandidate(CLOSED_FORM, replace(CLOSED_FORM["ae"], name="text_dae"), 256)  # the network needs processes


def random_vectors(usage, text, random):
    return usage, random.standard_normal(text.shape).astype(np.float32)


def shuffled_text(usage, text, random):
    return usage, random.permutation(text)


def shuffled_labels(usage, text, random):
    """Each product goes to as many companies as before, but to any."""
    return random.permuted(usage, axis=0), text


def fit(name, train, spoil):
    """A model of ``train``; the fused one with settings that were tuned on another world of its kind."""
    if name == "fused":
        return FUSED.fit(train, tune_fused(spoil), seed=0)
    return fit_first(CLOSED_FORM[name], train)


@cache
def tune_fused(spoil):
    return FUSED.tune(*telling_world(50, spoil), Search(3, 20, 0, InMemoryStorage())).settings


def over(other, name, regime, spoil=None):
    """NDCG@20 of a model less another's, with its interval, over the judged companies of three worlds."""
    figures = {other: [], name: []}
    for seed in range(3):
        train, holdouts = telling_world(seed, spoil)
        for model, found in figures.items():
            scored = ScoredHoldout.of(fit(model, train, spoil), getattr(holdouts, regime))
            found.append(evaluate(scored, 20, threshold=0.5).per_company["ndcg_at_20"])
    pooled = {model: {"ndcg": np.concatenate(found)} for model, found in figures.items()}
    return compare(pooled, other, seed=0)[name]["over_baseline"]["ndcg"]


@pytest.mark.parametrize(
    ("name", "regime"), [("ae", "cold"), ("ae", "warm"), ("ease", "warm"), ("fused", "cold"), ("fused", "warm")]
)
def test_in_the_world_as_it_is_there_is_much_to_gain(name, regime):
    assert over("popularity", name, regime)["low"] > 0.03


@pytest.mark.parametrize("spoil", [random_vectors, shuffled_text])
@pytest.mark.parametrize("name", OTHERS)
def test_text_that_tells_nothing_gains_nothing_for_cold_companies(name, spoil):
    assert over("popularity", name, "cold", spoil)["low"] <= 0


@pytest.mark.parametrize("spoil", [random_vectors, shuffled_text])
@pytest.mark.parametrize(("without", "name"), [("ease", "ease_text"), ("item_knn", "hybrid_knn")])
def test_numbers_that_tell_nothing_gain_nothing_beside_known_products(without, name, spoil):
    assert over(without, name, "warm")["low"] > 0, "as the world is, its text helps"
    assert over(without, name, "warm", spoil)["low"] <= 0


def test_vectors_of_random_text_say_no_more_to_the_probe_than_popularity():
    auc = {"as it is": [], "random": []}
    for seed in range(3):
        for spoil, found in zip((None, random_vectors), auc.values(), strict=True):
            train, holdouts = telling_world(seed, spoil)
            models = (fit(name, train, spoil) for name in ("ae", "popularity"))
            ae, popularity = (
                probe(model, train, holdouts.warm, model, train, holdouts.warm, 20).summary["auc"] for model in models
            )
            found.append(ae - popularity)
    assert np.mean(auc["as it is"]) > 0.03
    assert np.mean(auc["random"]) < 0.005


@pytest.mark.parametrize("regime", ["warm", "cold"])
@pytest.mark.parametrize("name", OTHERS)
def test_shuffled_labels_bring_every_model_down_to_popularity(name, regime):
    found = over("popularity", name, regime, shuffled_labels)
    assert found["low"] <= 0
    assert found["high"] >= (0 if name == "fused" else -0.05), "the others are not tuned, and learn chance by heart"
