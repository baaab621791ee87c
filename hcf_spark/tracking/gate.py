"""The first, simple gate between challenger and champion."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.tracking import MlflowClient

from hcf_spark.tracking.registry import CHAMPION, find_alias

logger = logging.getLogger(__name__)

_SCORE_TAG = "gate.validation_ndcg"
_DATA_TAG = "gate.snapshot_id"
_LINEAGE_TAG = "gate.lineage"
_VERDICT_TAG = "gate.verdict"
_DROP_ALLOWED = 0.02
_REASON_SHOWN = 300


@dataclass(frozen=True)
class Verdict:
    """Whether a version becomes champion, and why."""

    promoted: bool
    reason: str


def run_gate(
    name: str,
    version: str,
    rows: Mapping[str, Mapping[str, Any]],
    chosen: str,
    snapshot_id: str,
    lineage: str,
    example: pd.DataFrame,
) -> Verdict:
    """Decide on a challenger, write the verdict on the version and move the alias ``champion`` if it passes.

    It passes if it loads and answers the example with finite scores, is not worse than popularity, and not worse
    than the present champion was on its own validation set: at all on the same snapshot, by more than 2% on another.
    "Worse" is by the mean of warm and cold validation NDCG. A champion of another lineage is no measure: it ranks other
    products.

    Args:
        name: of the registered model.
        version: the challenger.
        rows: of all models in the harness.
        chosen: which of them the challenger is.
        snapshot_id: of the data it was chosen on.
        lineage: names where those data come from, night after night.
        example: input to try it with.
    """
    client = MlflowClient()
    score = _score(rows[chosen])
    client.set_model_version_tag(name, version, _SCORE_TAG, repr(score))
    client.set_model_version_tag(name, version, _DATA_TAG, snapshot_id)
    client.set_model_version_tag(name, version, _LINEAGE_TAG, lineage)
    problem = (
        (None if math.isfinite(score) else f"validation NDCG is {score}")
        or _load_problem(name, version, example)
        or _popularity_problem(score, rows)
        or _champion_problem(client, name, score, snapshot_id, lineage)
    )
    verdict = Verdict(problem is None, problem or f"validation NDCG {score:.4f}, no worse than the champion before")
    client.set_model_version_tag(
        name, version, _VERDICT_TAG, f"{'promoted' if verdict.promoted else 'kept out'}: {verdict.reason}"
    )
    if verdict.promoted:
        client.set_registered_model_alias(name, CHAMPION, version)
    logger.log(
        logging.INFO if verdict.promoted else logging.WARNING,
        "gate: %s version %s %s: %s", name, version,
        "is the champion" if verdict.promoted else "does not become champion", verdict.reason,
    )  # fmt: skip
    return verdict


def _score(row: Mapping[str, Any]) -> float:
    return (row["validation"]["warm"] + row["validation"]["cold"]) / 2


def _load_problem(name: str, version: str, example: pd.DataFrame) -> str | None:
    try:
        answer = mlflow.pyfunc.load_model(f"models:/{name}/{version}").predict(example)
    except Exception as error:
        reason = " ".join(str(error).split())[:_REASON_SHOWN]
        return f"it does not load and answer: {type(error).__name__}: {reason}"
    if len(answer) != len(example) or not all(np.isfinite(scores).all() for scores in answer["scores"]):
        return "its answer to the input example is not a row of finite scores per company"
    return None


def _popularity_problem(score: float, rows: Mapping[str, Mapping[str, Any]]) -> str | None:
    if "popularity" in rows and score < _score(rows["popularity"]):
        return f"validation NDCG {score:.4f} is below popularity's {_score(rows['popularity']):.4f}"
    return None


def _champion_problem(client: MlflowClient, name: str, score: float, snapshot_id: str, lineage: str) -> str | None:
    version = find_alias(name, CHAMPION)
    if version is None:
        return None
    tags = client.get_model_version(name, version).tags
    if _SCORE_TAG not in tags or tags.get(_LINEAGE_TAG) != lineage:
        return None
    least = float(tags[_SCORE_TAG]) * (1.0 if tags.get(_DATA_TAG) == snapshot_id else 1.0 - _DROP_ALLOWED)
    if score < least:
        return f"validation NDCG {score:.4f} is below {least:.4f}, what champion version {version} asks for"
    return None
