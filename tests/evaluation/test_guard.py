"""Which steps the guard climbs; what it does for the fused model is in test_fused.py."""

import numpy as np
import pytest
import scipy.sparse as sp

from hcf_spark.evaluation.candidate import Search, Trial
from hcf_spark.evaluation.guard import OWN, Part, climb, guard
from hcf_spark.models.companies import Companies, Holdout


@pytest.mark.parametrize(("gain", "errors", "kept"), [(1.5, 1.0, "b"), (1.5, 2.0, "a"), (2.5, 2.0, "b")])
def test_a_step_has_to_gain_more_than_its_standard_errors(gain, errors, kept):
    """The gains have mean g and standard deviation 1 over 400 companies: 0.05 is one standard error of the mean."""
    gains = np.tile([-1.0, 1.0], 200) + 0.05 * gain
    assert climb({"a": np.zeros(400), "b": gains}, {"a": 1.0, "b": errors}) == kept


def test_a_step_below_one_that_was_not_taken_is_not_taken_either():
    """b is above a by too little to be taken, c surely above a, but below b."""
    noise = np.tile([-1.0, 1.0], 200)
    ndcg = {"a": np.zeros(400), "b": noise + 0.09, "c": np.full(400, 0.08)}
    assert climb(ndcg, {"a": 1.0, "b": 2.0, "c": 1.0}) == "a"
    assert climb(ndcg, {"a": 1.0, "c": 1.0}) == "c"


class Knows:
    """Ranks the one product that all companies use first for those that it knows, told by the first number of text."""

    name = "knows"

    def __init__(self, knows):
        self.knows = knows

    def score(self, companies):
        knows = self.knows[companies.text[:, 0].astype(int)]
        return np.column_stack([knows, ~knows]).astype(np.float32)


def better(won, lost):
    """Knows, of 400 companies, 200 but for the ``lost`` first, and ``won`` others."""
    knows = np.arange(400) < 200 + won
    knows[:lost] = False
    return knows


def kept(regime, own_on_validation, own_on_inner):
    """Which step is kept where the rivals know 200 of the 400 companies for validation, and of the 400 inner ones."""
    rival, own = (Knows(np.concatenate(both)) for both in ([better(0, 0)] * 2, [own_on_validation, own_on_inner]))
    models = {"popularity": Knows(np.zeros(800, bool)), "ease_text_ials": rival, "text_knn": rival, OWN: own}
    ids = np.arange(800)
    uses = sp.csr_matrix(np.tile(np.array([1, 0], np.float32), (400, 1)))
    text = np.column_stack([ids, np.ones(800)]).astype(np.float32)
    inner = Companies(text[400:], uses, ids[:400])
    holdout = Holdout(Companies(text[:400], sp.csr_matrix((400, 2), dtype=np.float32), ids[:400]), uses)
    found = {
        "popularity": [Trial({}, 0.0, 0.0)],
        "ease_text_ials": [Trial({}, 0.5, 0.4)],
        "text_knn": [Trial({}, 0.4, 0.5)],
    }
    own_part = Part({"model": OWN}, own)
    part = guard(
        regime, own_part, found, lambda train, choice: models[choice["model"]], inner, holdout, Search(1, 1, seed=0)
    )
    return part.choice["model"]


@pytest.mark.parametrize(("won", "lost", "step"), [(60, 45, "ease_text_ials"), (70, 40, OWN)])
def test_warm_the_own_model_has_to_gain_two_standard_errors(won, lost, step):
    """Of 400 companies 60 won and 45 lost are 1.5 standard errors, 70 and 40 are 2.9; inner ones do not count."""
    assert kept("warm", better(won, lost), better(0, 100)) == step


@pytest.mark.parametrize(("won", "lost", "step"), [(60, 45, OWN), (45, 60, "text_knn")])
def test_cold_training_companies_held_out_in_turn_count_as_well(won, lost, step):
    """On validation alone the own model gains 1.5 standard errors, more than the one that is asked for."""
    assert kept("cold", better(60, 45), better(won, lost)) == step
