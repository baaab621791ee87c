"""The models that need no training processes, as candidates, with the settings to try."""

from functools import partial

import numpy as np
from optuna.distributions import FloatDistribution, IntDistribution

from hcf_spark.evaluation.search import Fit, SearchCandidate
from hcf_spark.evaluation.sum_candidate import SumCandidate
from hcf_spark.models import product_weights
from hcf_spark.models.companies import Companies
from hcf_spark.models.ease import EaseStatistics
from hcf_spark.models.ease_text import EaseTextStatistics
from hcf_spark.models.hybrid_knn import HybridKnn
from hcf_spark.models.ials import Ials, mean_cells
from hcf_spark.models.item_knn import ItemKnnStatistics
from hcf_spark.models.popularity import Popularity
from hcf_spark.models.reference import Reference
from hcf_spark.models.text_knn import TextKnn, TextNeighbours
from hcf_spark.models.text_knn_words import TextKnnWords
from hcf_spark.models.text_ridge import TextRidgeStatistics
from hcf_spark.models.word_reference import WordReference

_MOST_NEIGHBOURS = 600
REMEMBERED_NEIGHBOURS = 30_000_000


def _popularity(train: Companies, seed: int) -> Fit:
    return partial(Popularity.fit, train)


def _ae(train: Companies, seed: int) -> Fit:
    return TextRidgeStatistics.of(train).fit


def _ease(train: Companies, seed: int) -> Fit:
    return partial(EaseStatistics.of(train).fit, seed=seed)


def _item_knn(train: Companies, seed: int) -> Fit:
    return partial(ItemKnnStatistics.of(train).fit, seed=seed)


def _text_knn(train: Companies, seed: int) -> Fit:
    neighbours = TextNeighbours(Reference.of(train), _MOST_NEIGHBOURS, REMEMBERED_NEIGHBOURS)
    return partial(TextKnn.fit, train, neighbours, seed)


def _text_knn_words(train: Companies, seed: int) -> Fit:
    neighbours = TextNeighbours(WordReference.of(train), _MOST_NEIGHBOURS, REMEMBERED_NEIGHBOURS)
    return partial(TextKnnWords.fit, train, neighbours, seed)


def _ease_text(train: Companies, seed: int) -> Fit:
    return partial(EaseTextStatistics.of(train).fit, seed=seed)


def _ials(train: Companies, seed: int) -> Fit:
    return partial(Ials.fit, train, seed)


def _hybrid_knn(train: Companies, seed: int) -> Fit:
    return partial(HybridKnn.fit, train, Reference.of(train), seed)


def _ease_units(train: Companies) -> dict[str, float]:
    """The mean number of companies of the products that take part in a closed form."""
    counts = np.sort(train.known.getnnz(axis=0))[-product_weights.MOST_DIRECT :]
    return {"strength": float(counts.mean())}


def _ials_units(train: Companies) -> dict[str, float]:
    """With the square root in ``Ials.fit`` the ridge is in units of alpha times ``mean_cells``."""
    return {"regularization": mean_cells(train) ** 0.5}


_RIDGE = FloatDistribution(0.1, 300, log=True)
_EASE_RIDGE = FloatDistribution(0.1, 100, log=True)
_SHARPNESS = FloatDistribution(1, 40, log=True)
_NEIGHBOURS = IntDistribution(10, _MOST_NEIGHBOURS, log=True)

_EASE_TEXT_CANDIDATE = SearchCandidate(
    "ease_text", _ease_text, {"strength": 3.0, "text_strength": 10.0, "cold_strength": 10.0},
    {"strength": _EASE_RIDGE, "text_strength": _RIDGE, "cold_strength": _RIDGE},
    only_cold=["cold_strength"], units=_ease_units,
)  # fmt: skip
_IALS_CANDIDATE = SearchCandidate(
    "ials", _ials, {"factors": 128, "regularization": 0.1, "alpha": 40.0, "iterations": 15},
    {
        "factors": IntDistribution(32, 256, log=True),
        "regularization": FloatDistribution(0.03, 0.6, log=True),
        "alpha": FloatDistribution(3, 200, log=True),
    },
    units=_ials_units,
)  # fmt: skip

CLOSED_FORM = {
    candidate.name: candidate
    for candidate in (
        SearchCandidate("popularity", _popularity, {}, {}),
        SearchCandidate(
            "item_knn", _item_knn, {"k": 100, "shrinkage": 10.0, "exponent": 0.5},
            {
                "k": IntDistribution(5, 1000, log=True),
                "shrinkage": FloatDistribution(0.1, 300, log=True),
                "exponent": FloatDistribution(0.2, 0.8),
            },
        ),
        SearchCandidate(
            "ease", _ease, {"strength": 3.0}, {"strength": _EASE_RIDGE}, units=_ease_units
        ),
        _IALS_CANDIDATE,
        SearchCandidate("ae", _ae, {"strength": 10.0}, {"strength": _RIDGE}),
        SearchCandidate(
            "text_knn", _text_knn, {"k": 100, "sharpness": 10.0}, {"k": _NEIGHBOURS, "sharpness": _SHARPNESS}
        ),
        SearchCandidate(
            "text_knn_words", _text_knn_words, {"k": 100, "sharpness": 10.0},
            {"k": _NEIGHBOURS, "sharpness": _SHARPNESS},
        ),
        SearchCandidate(
            "hybrid_knn", _hybrid_knn, {"k": 100, "sharpness": 10.0, "text_share": 0.5},
            {"k": _NEIGHBOURS, "sharpness": _SHARPNESS, "text_share": FloatDistribution(0, 1)},
        ),
        _EASE_TEXT_CANDIDATE,
        SumCandidate(_EASE_TEXT_CANDIDATE, _IALS_CANDIDATE),
    )
}  # fmt: skip
