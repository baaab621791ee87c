"""Models applied to so many companies at a time that memory stays bounded, whatever the number of companies."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Self

import numpy as np

from hcf_spark.errors import TrainingError
from hcf_spark.models.base import Model
from hcf_spark.models.companies import Companies, Holdout
from hcf_spark.models.ranking import csr_rows

_CELLS = 4_000_000
_CELLS_KEPT = 100_000_000

Blocks = Iterator[tuple[Holdout, np.ndarray]]


def _row_blocks(companies: Companies) -> Iterator[slice]:
    rows = max(1, _CELLS // companies.known.shape[1])
    return (slice(start, start + rows) for start in range(0, len(companies), rows))


def score_blocks(model: Model, holdout: Holdout) -> Blocks:
    """Blocks of the holdout, each with its (B, P) float32 scores, -inf at known products.

    Raises:
        TrainingError: a score is not finite.
    """
    for rows in _row_blocks(holdout.companies):
        block = holdout.take(rows)
        scores = np.array(model.score(block.companies), np.float32)
        _require_finite(scores, model.name, "scores")
        known = block.companies.known
        scores[csr_rows(known), known.indices] = -np.inf
        yield block, scores


class ScoredHoldout:
    """Scores of a holdout, to be gone through more than once.

    Each pass gives blocks as of ``score_blocks``, to be left as they are. They are worked out once and kept where all
    of them take 400 MB at most, else worked out again on each pass.

    Args:
        holdout: the companies.
        make_blocks: works the blocks out.

    Raises:
        TrainingError: a score is not finite.
    """

    def __init__(self, holdout: Holdout, make_blocks: Callable[[], Blocks]) -> None:
        self.holdout = holdout
        self._make_blocks = make_blocks
        fits = holdout.hidden.shape[0] * holdout.hidden.shape[1] <= _CELLS_KEPT
        self._kept = list(make_blocks()) if fits else None

    @classmethod
    def of(cls, model: Model, holdout: Holdout) -> Self:
        """Scored by a model."""
        return cls(holdout, partial(score_blocks, model, holdout))

    def map(self, function: Callable[[np.ndarray, Companies], np.ndarray]) -> Self:
        """With other scores made from these, but at known products."""
        return type(self)(self.holdout, lambda: (self._mapped(function, *each) for each in self))

    def __iter__(self) -> Blocks:
        return self._make_blocks() if self._kept is None else iter(self._kept)

    @staticmethod
    def _mapped(
        function: Callable[[np.ndarray, Companies], np.ndarray], block: Holdout, scores: np.ndarray
    ) -> tuple[Holdout, np.ndarray]:
        known = block.companies.known
        mapped = function(scores, block.companies)
        mapped[csr_rows(known), known.indices] = -np.inf
        return block, mapped


def embed_by_blocks(model: Model, companies: Companies) -> np.ndarray:
    """(C, d) float32 company vectors.

    Raises:
        TrainingError: a number in them is not finite.
    """
    vectors = np.concatenate([model.embed(companies.take(rows)) for rows in _row_blocks(companies)])
    _require_finite(vectors, model.name, "vectors")
    return vectors


def _require_finite(numbers: np.ndarray, model: str, what: str) -> None:
    n_bad = numbers.size - np.count_nonzero(np.isfinite(numbers))
    if n_bad:
        raise TrainingError(
            f"model {model}: {n_bad} of {numbers.size} {what} are not finite; lower its learning rate or leave it out"
        )
