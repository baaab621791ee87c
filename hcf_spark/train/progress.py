"""How far a training run has come."""

import math
from dataclasses import dataclass, field
from typing import Self


@dataclass
class Progress:
    """One record per epoch, with the mean loss and, where there is validation, its NDCG by regime."""

    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """The first of the best mean validation NDCG; the last without validation; 0 before any."""
        scores = [_score(epoch, record) for epoch, record in enumerate(self.history, start=1)]
        return 1 + scores.index(max(scores)) if scores else 0

    @property
    def best_score(self) -> float:
        """Mean validation NDCG of the best epoch; minus infinity before any."""
        return _score(self.best_epoch, self.history[self.best_epoch - 1]) if self.history else -math.inf

    def until(self, epoch: int) -> Self:
        """As it was after that epoch."""
        return type(self)(self.history[:epoch])


def _score(epoch: int, record: dict[str, float]) -> float:
    if "validation_warm_ndcg" not in record:
        return epoch
    return (record["validation_warm_ndcg"] + record["validation_cold_ndcg"]) / 2
