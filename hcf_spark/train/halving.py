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


def halve(plans: Sequence[TrainPlan], train: Callable[[TrainPlan], Progress]) -> list[Progress]:
    """Train the first plan to its end, the others for a fifth of the epochs it was best after, the best of them on.

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
    progress = {0: train(plans[0])}
    short = math.ceil(_SHORT * progress[0].best_epoch)

    def attempt(number: int, epochs: int) -> None:
        logger.info("settings %d of %d, up to epoch %d", number + 1, len(plans), epochs)
        try:
            progress[number] = train(replace(plans[number], epochs=epochs)).until(epochs)
        except TrainingError as error:
            logger.warning("settings %d of %d are left out: %s", number + 1, len(plans), error)
            progress[number] = Progress()

    rivals = range(1, len(plans))
    for number in rivals:
        attempt(number, short)
    for number in sorted(rivals, key=lambda number: -progress[number].best_score):
        if progress[number].history:
            attempt(number, plans[number].epochs)
            if progress[number].history:
                break
    return [progress[number] for number in range(len(plans))]
