"""What has to come to nothing does: random or shuffled text when cold, shuffled labels in both regimes."""

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


def over_popularity(name, regime, spoil=None):
    """NDCG@20 of a model less popularity's, with its interval, over the judged companies of three worlds."""
    figures = {"popularity": [], name: []}
    for seed in range(3):
        train, holdouts = telling_world(seed, spoil)
        for model, found in figures.items():
            scored = ScoredHoldout.of(fit(model, train, spoil), getattr(holdouts, regime))
            found.append(evaluate(scored, 20, threshold=0.5).per_company["ndcg_at_20"])
    pooled = {model: {"ndcg": np.concatenate(found)} for model, found in figures.items()}
    return compare(pooled, "popularity", seed=0)[name]["over_baseline"]["ndcg"]


@pytest.mark.parametrize(
    ("name", "regime"), [("ae", "cold"), ("ae", "warm"), ("ease", "warm"), ("fused", "cold"), ("fused", "warm")]
)
def test_in_the_world_as_it_is_there_is_much_to_gain(name, regime):
    assert over_popularity(name, regime)["low"] > 0.03


@pytest.mark.parametrize("spoil", [random_vectors, shuffled_text])
@pytest.mark.parametrize("name", OTHERS)
def test_text_that_tells_nothing_gains_nothing_for_cold_companies(name, spoil):
    assert over_popularity(name, "cold", spoil)["low"] <= 0


@pytest.mark.parametrize("regime", ["warm", "cold"])
@pytest.mark.parametrize("name", OTHERS)
def test_shuffled_labels_bring_every_model_down_to_popularity(name, regime):
    assert over_popularity(name, regime, shuffled_labels)["low"] <= 0
