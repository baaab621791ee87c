"""The models that need no training processes, as candidates, with the settings to try."""

from functools import partial

from optuna.distributions import FloatDistribution

from hcf_spark.evaluation.search import Fit, SearchCandidate
from hcf_spark.models.companies import Companies
from hcf_spark.models.ease import EaseStatistics
from hcf_spark.models.popularity import Popularity
from hcf_spark.models.text_ridge import TextRidgeStatistics


def _popularity(train: Companies, seed: int) -> Fit:
    return partial(Popularity.fit, train)


def _ae(train: Companies, seed: int) -> Fit:
    return TextRidgeStatistics.of(train).fit


def _ease(train: Companies, seed: int) -> Fit:
    return partial(EaseStatistics.of(train).fit, seed=seed)


CLOSED_FORM = {
    candidate.name: candidate
    for candidate in (
        SearchCandidate("popularity", _popularity, {}, {}),
        SearchCandidate("ae", _ae, {"strength": 10.0}, {"strength": FloatDistribution(0.1, 300, log=True)}),
        SearchCandidate("ease", _ease, {"strength": 3.0}, {"strength": FloatDistribution(0.1, 100, log=True)}),
    )
}
