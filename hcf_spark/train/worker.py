"""The entry point of every training process."""

import os
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from hcf_spark.errors import TrainingError
from hcf_spark.log import configure_logging
from hcf_spark.train.loop import Trainer
from hcf_spark.train.plan import TrainPlan

PROBLEM = "problem.txt"


def run_worker(plan: dict[str, Any]) -> dict[str, Any]:
    """Train as the process that RANK, LOCAL_RANK and WORLD_SIZE say (alone, if they are not set).

    Args:
        plan: fields of a ``TrainPlan``.

    Returns:
        ``history`` (a dict per epoch) and ``best_epoch``; the weights are in the plan's folder.

    Raises:
        TrainingError: training cannot start or gives no usable model; the message is also left in the plan's folder,
            since nothing but the end of a failed process's log reaches the driver.
    """
    rank, ranks = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    local_rank, local_ranks = int(os.environ.get("LOCAL_RANK", 0)), int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    todo = TrainPlan(**plan)
    if "RANK" in os.environ:
        configure_logging("info")
        _end_with_parent()
    if todo.use_gpu:
        device = torch.device("cuda", local_rank)
        torch.cuda.set_device(device)  # raises if there is none
    else:
        device = torch.device("cpu")
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // max(ranks, local_ranks)))
    if ranks > 1:
        backend = "nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend, timeout=timedelta(seconds=todo.timeout_seconds))
    try:
        progress = Trainer(todo, rank, ranks, device).run()
    except TrainingError as error:
        (Path(todo.folder) / PROBLEM).write_text(str(error), encoding="utf-8")
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
    return {"history": progress.history, "best_epoch": progress.best_epoch}


def _end_with_parent() -> None:
    """End this process when its parent is gone; in a session of its own, a signal to the job does not reach it."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
