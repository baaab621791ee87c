"""The entry point of every training process."""

import os
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from hcf_spark.errors import TrainingError
from hcf_spark.log import configure_logging
from hcf_spark.train.halving import halve
from hcf_spark.train.loop import Trainer
from hcf_spark.train.plan import TrainPlan

PROBLEM = "problem.txt"


def run_worker(plans: Sequence[dict[str, Any]], threads: int | None = None) -> list[list[dict[str, float]]]:
    """Train (see ``halve``) as the process that RANK, LOCAL_RANK and WORLD_SIZE say (alone, if they are not set).

    Args:
        plans: fields of a ``TrainPlan`` each.
        threads: of this process; None for an even share of the machine's.

    Returns:
        The ``Progress.history`` of each plan; the weights are in its folder.

    Raises:
        TrainingError: training cannot start or the first plan gives no usable model; the message is also left in its
            folder, since nothing but the end of a failed process's log reaches the driver.
    """
    rank, ranks = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    local_rank, local_ranks = int(os.environ.get("LOCAL_RANK", 0)), int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    todo = [TrainPlan(**plan) for plan in plans]
    first = todo[0]
    if "RANK" in os.environ:
        configure_logging("info" if rank == 0 else "warning")
        _end_with_parent()
    if first.use_gpu:
        device = torch.device("cuda", local_rank)
        torch.cuda.set_device(device)  # raises if there is none
    else:
        device = torch.device("cpu")
        share = max(1, (os.cpu_count() or 1) // max(ranks, local_ranks))
        torch.set_num_threads(share if threads is None else threads)
    if ranks > 1:
        backend = "nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend, timeout=timedelta(seconds=first.timeout_seconds))
    try:
        progress = halve(todo, lambda plan: Trainer(plan, rank, ranks, device).run())
    except TrainingError as error:
        (Path(first.folder) / PROBLEM).write_text(str(error), encoding="utf-8")
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
    return [each.history for each in progress]


def _end_with_parent() -> None:
    """End this process when its parent is gone; in a session of its own, a signal to the job does not reach it."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
