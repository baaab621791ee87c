"""Does a registered version load where nothing is loaded yet, and say there what the job says here?"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.exceptions import MlflowException

from hcf_spark.tracking.fresh_process import FreshProcessError, ask_in_fresh_process
from hcf_spark.tracking.gate import Check

_TOLERANCE = 1e-3
_REASON_SHOWN = 300


@dataclass(frozen=True)
class Sample:
    """Companies to ask about, and the scores that the job has for them.

    Attributes:
        question: input of the model by column, plain values, a row for each of B companies.
        scores: (B, P) float32.
        product_ids: the P ids.
        top_k: products in an answer.
    """

    question: dict[str, list[Any]]
    scores: np.ndarray
    product_ids: Sequence[str]
    top_k: int

    def sizes(self) -> list[int]:
        """Products that the answer has for each company: known ones are left out."""
        return [min(self.top_k, len(self.product_ids) - len(known)) for known in self.question["products"]]


def check_load(name: str, version: str, sample: Sample) -> Check:
    """Load a version in a fresh process and compare its answers with the job's own scores.

    They agree where no score of an answer is farther from the job's than a thousandth of the range of the job's scores.

    Args:
        name: of the registered model.
        version: of it.
        sample: what to ask.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            model = mlflow.artifacts.download_artifacts(f"models:/{name}/{version}", dst_path=folder)
            answer = ask_in_fresh_process(Path(model), sample.question)
    except (FreshProcessError, MlflowException, OSError) as error:
        return Check("load", {}, f"it does not load and answer: {' '.join(str(error).split())[:_REASON_SHOWN]}")
    return compare_answer(answer["product_ids"], answer["scores"], sample)


def compare_answer(product_ids: Sequence[Sequence[str]], scores: Sequence[Sequence[float]], sample: Sample) -> Check:
    """Whether an answer has the scores of the sample, as many for each company as it asks for where there are so many.

    Args:
        product_ids: for each company, those recommended.
        scores: their scores.
        sample: what was asked.
    """
    position = {product: column for column, product in enumerate(sample.product_ids)}
    cells = [(row, position.get(product)) for row, products in enumerate(product_ids) for product in products]
    given = np.array([score for own in scores for score in own], np.float64)
    found = {"companies": len(sample.scores), "scores": len(given)}
    is_whole = [len(own) for own in product_ids] == sample.sizes() and all(column is not None for _, column in cells)
    if not (is_whole and len(given) == len(cells) and np.isfinite(given).all()):
        return Check(
            "load",
            found,
            "its answer is not finite scores of as many products as asked for, for each company of the sample",
        )
    rows, columns = np.array(cells, np.int64).reshape(-1, 2).T
    distance = np.abs(given - sample.scores[rows, columns]).max(initial=0.0)
    farthest = float(distance / max(np.ptp(sample.scores), np.finfo(np.float32).tiny))
    problem = None
    if farthest > _TOLERANCE:
        problem = (
            f"its scores of the sample differ from the job's by up to {farthest:.2g} of their range; "
            "if texts have changed since, run embed_companies and train_model again"
        )
    return Check("load", {**found, "farthest": farthest}, problem)
