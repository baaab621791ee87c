"""The closed-form models as candidates, with the settings to try."""

from functools import partial

from hcf_spark.evaluation.candidate import Fit, GridCandidate
from hcf_spark.models.companies import Companies
from hcf_spark.models.ease import EaseStatistics
from hcf_spark.models.popularity import Popularity
from hcf_spark.models.text_ridge import TextRidgeStatistics

RIDGE_GRID = [{"strength": strength} for strength in (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)]
EASE_GRID = [{"strength": strength} for strength in (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)]


def _popularity(train: Companies, seed: int) -> Fit:
    return partial(Popularity.fit, train)


def _ae(train: Companies, seed: int) -> Fit:
    return TextRidgeStatistics.of(train).fit


def _ease(train: Companies, seed: int) -> Fit:
    return partial(EaseStatistics.of(train).fit, seed=seed)


CLOSED_FORM = {
    candidate.name: candidate
    for candidate in (
        GridCandidate("popularity", _popularity, [{}]),
        GridCandidate("ae", _ae, RIDGE_GRID),
        GridCandidate("ease", _ease, EASE_GRID),
    )
}
