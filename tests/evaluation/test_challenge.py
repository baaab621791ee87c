import pytest
from worlds import telling_world

from hcf_spark.evaluation.candidate import Search
from hcf_spark.evaluation.challenge import gain_over, ndcg_by_regime
from hcf_spark.evaluation.closed_form import CLOSED_FORM
from hcf_spark.evaluation.evaluate import company_ndcg
from hcf_spark.evaluation.harness import run_harness
from hcf_spark.models.package import About, ModelPackage
from hcf_spark.models.popularity import Popularity
from hcf_spark.models.translated import Translated

ABOUT = About(
    text_columns=("description",), encoder={}, encoder_id="tiny@1", text_dimension=16, snapshot_id="abc", top_k=3
)


@pytest.fixture(scope="module")
def world():
    return telling_world(0)


@pytest.fixture(scope="module")
def result(world):
    search = Search(trials=1, cutoff=5, seed=0)
    return run_harness([CLOSED_FORM["ease_text"]], *telling_world(1), *world, search, progress=False)


def as_champion(model, n_companies, n_products):
    """The model as it is packaged, asked in the vocabulary that it was made with."""
    companies, products = (
        [f"{prefix}{number}" for number in range(count)] for prefix, count in (("c", n_companies), ("p", n_products))
    )
    package = ModelPackage(model, products, products, companies, ABOUT)
    return Translated.of(package, companies, products)


def found(result):
    champion = result.models[result.champion]
    return {regime: getattr(champion, regime).per_company["ndcg_at_5"] for regime in ("warm", "cold")}


def test_the_same_model_gains_nothing_for_certain(world, result):
    champion = as_champion(result.champion_model, 400, 60)
    gains = gain_over(ndcg_by_regime(champion, world[1], 5), found(result), seed=0)
    nothing = {"difference": 0.0, "low": 0.0, "high": 0.0}
    assert gains == {"warm": nothing, "cold": nothing}


def test_a_weaker_champion_is_beaten_in_both_regimes_on_the_same_companies(world, result):
    champion = as_champion(Popularity.fit(world[0]), 400, 60)
    challenger = result.models[result.champion]
    gains = gain_over(ndcg_by_regime(champion, world[1], 5), found(result), seed=0)
    for regime, gain in gains.items():
        holdout = getattr(world[1], regime)
        expected = getattr(challenger, regime).summary["ndcg_at_5"] - company_ndcg(champion, holdout, 5).mean()
        assert gain["difference"] == pytest.approx(expected)
        assert 0 < gain["low"] < gain["difference"] < gain["high"]
