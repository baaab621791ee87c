"""The only module that joins Spark and training: stage 2 as a candidate of the harness, by TorchDistributor."""

import logging
from pathlib import Path

import numpy as np
import torch
from pyspark.ml.torch.distributor import TorchDistributor
from pyspark.sql import SparkSession

from hcf_spark.config import TrainSettings
from hcf_spark.errors import TrainingError
from hcf_spark.evaluation.candidate import Choice, Search, SettingsByRegime, judge_trial
from hcf_spark.models.base import Model
from hcf_spark.models.companies import Companies, Regimes, text_mean
from hcf_spark.models.hcf import Dcf, Hcf
from hcf_spark.models.text_dae import TextDae
from hcf_spark.nn.checkpoint import load_tensors, save_tensors
from hcf_spark.train.loop import BEST, START
from hcf_spark.train.manifest import Manifest
from hcf_spark.train.plan import TrainPlan
from hcf_spark.train.worker import PROBLEM, run_worker

logger = logging.getLogger(__name__)

_NETWORK = (
    "hidden_size", "depth", "dropout", "learning_rate", "weight_decay", "company_l2",
    "loss", "huber_delta", "positive_weight", "batch_companies",
)  # fmt: skip


class DistributedCandidate:
    """A network: tuned by early stopping on validation, then trained on everything for as many epochs.

    What it has trained once it does not train again, whoever asks for it.

    Args:
        kind: the class of its models; what is trained goes by its name.
        spark: the session whose cluster trains.
        snapshot: folder of the snapshot.
        work: folder for checkpoints, seen by all nodes.
        settings: of training.
    """

    def __init__(
        self, kind: type[Hcf | TextDae], spark: SparkSession, snapshot: Path, work: Path, settings: TrainSettings
    ) -> None:
        self._kind, self._spark, self._settings = kind, spark, settings
        self._snapshot, self._work = snapshot, work
        self._trained: dict[str, tuple[Model, dict]] = {}
        self.history: list[dict[str, float]] = []

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._kind.name

    def tune(self, inner: Companies, validation: Regimes, search: Search) -> Choice:
        """Train with early stopping; the number of epochs is what is chosen.

        Raises:
            TrainingError: a training process fails.
        """
        model, outcome = self._train(inner, search.cutoff, search.seed, self._settings.max_epochs, use_validation=True)
        self.history = outcome["history"]
        settings = {"epochs": outcome["best_epoch"], **{name: getattr(self._settings, name) for name in _NETWORK}}
        trial = judge_trial(settings, model, validation, search.cutoff)
        return Choice({"warm": settings, "cold": settings}, model, [trial])

    def fit(self, full: Companies, settings: SettingsByRegime, seed: int) -> Model:
        """Train on all companies and interactions for ``settings["warm"]["epochs"]``.

        Raises:
            TrainingError: a training process fails.
        """
        return self._train(full, 1, seed, settings["warm"]["epochs"], use_validation=False)[0]

    def _train(
        self, companies: Companies, cutoff: int, seed: int, epochs: int, use_validation: bool
    ) -> tuple[Model, dict]:
        chosen = self._settings.model_dump(include={*_NETWORK, "patience_steps", "timeout_seconds", "use_gpu"})
        part = "inner" if use_validation else "full"
        plan = TrainPlan(
            snapshot=str(self._snapshot), folder=str(self._work / f"{self.name}-{part}"),
            network=self.name, use_validation=use_validation, epochs=epochs, cutoff=cutoff, seed=seed,
            **chosen,
        )  # fmt: skip
        if plan.identity() in self._trained:
            return self._trained[plan.identity()]
        shares = np.asarray(companies.known.mean(axis=0), np.float32).ravel()
        start = {"text_mean": torch.from_numpy(text_mean(companies.text)), "product_shares": torch.from_numpy(shares)}
        save_tensors(Path(plan.folder) / START, start, {})
        outcome = self._distribute(plan)
        weights, _ = load_tensors(Path(plan.folder) / BEST)
        model = self._kind.from_arrays({name: tensor.numpy() for name, tensor in weights.items()})
        self._trained[plan.identity()] = model, outcome
        return model, outcome

    def _distribute(self, plan: TrainPlan) -> dict:
        Manifest.read(self._snapshot).files_of_rank(0, self._settings.processes)
        problem = Path(plan.folder) / PROBLEM
        problem.unlink(missing_ok=True)
        local = self._settings.local_mode
        if local is None:
            local = self._spark.conf.get("spark.master", "").partition("[")[0] == "local"
        logger.info(
            "%s: %d training process(es) %s",
            self.name,
            self._settings.processes,
            "on the driver" if local else "on executors",
        )
        distributor = TorchDistributor(
            num_processes=self._settings.processes, local_mode=local, use_gpu=self._settings.use_gpu
        )
        try:
            return distributor.run(run_worker, plan.to_dict())
        except Exception as error:
            if problem.exists():
                raise TrainingError(f"training {self.name}: {problem.read_text(encoding='utf-8')}") from error
            last = [line for line in str(error).splitlines() if line.strip()][-1:]
            raise TrainingError(
                f"training {self.name} failed in a process ({' '.join(last)}); its log is above"
            ) from error


DEEP = {kind.name: kind for kind in (Dcf, Hcf, TextDae)}
