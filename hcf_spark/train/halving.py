"""Which of several settings trains best, most of them trained for a short while only (successive halving)."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from hcf_spark.errors import TrainingError
from hcf_spark.train.plan import TrainPlan
from hcf_spark.train.progress import Progress

logger = logging.getLogger(__name__)

_SHORT = 0.2
_FINALISTS = 2


def halve(plans: Sequence[TrainPlan], train: Callable[[TrainPlan], Progress]) -> list[Progress]:
    """Train the first plan to its end, the others for a fifth of the epochs that it was best after, then the best two.

    Successive halving (Jamieson and Talwalkar 2016) in two rounds. A run that was broken off comes to the same end if
    ``train`` goes on where it was.

    Args:
        plans: which differ in their settings; all but the first may turn out not to be trainable.
        train: trains a plan, as far as it has not been trained.

    Returns:
        How each came along, in the plans' order: of those that were left early no more than that; nothing of those
        whose numbers ceased to be finite.

    Raises:
        TrainingError: the first plan cannot be trained.
    """
    first = train(plans[0])
    short = math.ceil(_SHORT * first.best_epoch)
    rivals = [_try(plan, number, len(plans), short, train) for number, plan in enumerate(plans[1:], start=2)]
    ranked = sorted(range(len(rivals)), key=lambda number: -rivals[number].best_score)
    for number in ranked[:_FINALISTS]:
        if rivals[number].history:
            rivals[number] = _try(plans[1 + number], 2 + number, len(plans), plans[0].epochs, train)
    return [first, *rivals]


def _try(plan: TrainPlan, number: int, of: int, epochs: int, train: Callable[[TrainPlan], Progress]) -> Progress:
    logger.info("settings %d of %d, up to epoch %d", number, of, epochs)
    try:
        return train(replace(plan, epochs=epochs)).until(epochs)
    except TrainingError as error:
        logger.warning("settings %d of %d are left out: %s", number, of, error)
        return Progress()
