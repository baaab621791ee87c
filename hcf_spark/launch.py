"""The only module that joins Spark and training: stage 2 as a candidate of the harness, by TorchDistributor."""

import hashlib
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from optuna.distributions import FloatDistribution
from pyspark.ml.torch.distributor import TorchDistributor
from pyspark.sql import SparkSession

from hcf_spark.config import TrainSettings
from hcf_spark.errors import TrainingError
from hcf_spark.evaluation.candidate import Choice, Search, SettingsByRegime, Trial
from hcf_spark.evaluation.search import run_study, settings_to_try
from hcf_spark.models.base import Model, Settings
from hcf_spark.models.companies import Companies, Regimes, text_mean
from hcf_spark.models.hcf import Dcf, Hcf
from hcf_spark.models.text_dae import TextDae
from hcf_spark.nn.checkpoint import load_tensors, save_tensors
from hcf_spark.spark.encode import task_resources
from hcf_spark.train.loop import BEST, START
from hcf_spark.train.manifest import Manifest
from hcf_spark.train.plan import TrainPlan
from hcf_spark.train.progress import Progress
from hcf_spark.train.worker import PROBLEM, run_worker

logger = logging.getLogger(__name__)

_NETWORK = (
    "hidden_size", "depth", "dropout", "learning_rate", "weight_decay", "company_l2",
    "loss", "huber_delta", "positive_weight", "batch_companies",
)  # fmt: skip


class DistributedCandidate:
    """A network: settings looked for on validation (``halve``), then trained on everything for as many epochs.

    What it has trained once it does not train again, whoever asks for it.

    Args:
        kind: the class of its models; what is trained goes by its name.
        spark: the session whose cluster trains; None to train in this process, a Spark task's.
        snapshot: folder of the snapshot.
        work: folder for checkpoints, seen by all nodes.
        settings: of training; those of the network are tried first.
        max_judged: while training, validation looks at about so many companies of all.
        factors: setting of the network to f: from 1/f to f times its value is tried (of dropout not more than half way
            to 1); a value of 0 stays.
    """

    def __init__(
        self, kind: type[Hcf | TextDae], spark: SparkSession | None, snapshot: Path, work: Path,
        settings: TrainSettings, max_judged: int, factors: Mapping[str, float],
    ) -> None:  # fmt: skip
        self._kind, self._spark, self._settings, self._factors = kind, spark, settings, factors
        self._snapshot, self._work, self._max_judged = snapshot, work, max_judged
        self._progress: dict[str, Progress] = {}
        self._models: dict[str, Model] = {}
        self.history: list[dict[str, float]] = []

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._kind.name

    def tune(self, inner: Companies, validation: Regimes, search: Search) -> Choice:
        """Choose settings and the number of epochs, by the mean validation NDCG@K of both regimes.

        Raises:
            TrainingError: a training process fails.
        """
        first = {name: getattr(self._settings, name) for name in _NETWORK}
        space = {name: _around(name, first[name], factor) for name, factor in self._factors.items() if first[name]}
        tried, epochs = settings_to_try([first], space, search), self._settings.max_epochs
        asked = [self._plan(settings, self._work, epochs, search.seed, search.cutoff) for settings in tried]
        key = _name_search(asked)
        plans = [
            replace(plan, folder=str(self._work / f"{self.name}-inner" / key / str(number)))
            for number, plan in enumerate(asked)
        ]

        @cache
        def train_all() -> list[Progress]:
            if not self._progress.keys() >= {plan.identity() for plan in plans}:
                progress = self._train(inner, plans)
                self._progress.update({plan.identity(): own for plan, own in zip(plans, progress, strict=True)})
            return [self._progress[plan.identity()] for plan in plans]

        def judge(settings: Settings) -> Trial:
            return _best_of(train_all()[tried.index(settings)], settings)

        trials = run_study(f"{self.name} {key}", [first], space, judge, search)
        best = max(range(len(trials)), key=lambda number: trials[number].warm + trials[number].cold)
        for plan in plans:
            if plan != plans[best]:
                shutil.rmtree(plan.folder, ignore_errors=True)
        model = self._load(inner, plans[best])
        progress = self._progress[plans[best].identity()]
        self.history = progress.history
        settings = {"epochs": progress.best_epoch, **tried[best]}
        return Choice({"warm": settings, "cold": settings}, model, trials)

    def settle(self, settings: SettingsByRegime) -> None:
        """Take what another search found as settings that are tried first, and try no others."""
        network = {key: value for key, value in settings["warm"].items() if key in _NETWORK}
        self._settings, self._factors = self._settings.model_copy(update=network), {}

    def fit(self, full: Companies, settings: SettingsByRegime, seed: int) -> Model:
        """Train on all companies and interactions for ``settings["warm"]["epochs"]``.

        Raises:
            TrainingError: a training process fails.
        """
        network = dict(settings["warm"])
        epochs = network.pop("epochs")
        return self._load(full, self._plan(network, self._work / f"{self.name}-full", epochs, seed, None))

    def _plan(self, network: Settings, folder: Path, epochs: int, seed: int, cutoff: int | None) -> TrainPlan:
        """With validation by NDCG@cutoff, or without."""
        others = self._settings.model_dump(include={"patience_steps", "timeout_seconds", "use_gpu"})
        return TrainPlan(
            snapshot=str(self._snapshot), folder=str(folder), network=self.name, use_validation=cutoff is not None,
            epochs=epochs, cutoff=cutoff or 1, max_judged=self._max_judged if cutoff else 1, seed=seed,
            **network, **others,
        )  # fmt: skip

    def _load(self, companies: Companies, plan: TrainPlan) -> Model:
        """The model of a plan, trained if it has not been."""
        key = plan.identity()
        if key not in self._models:
            if key not in self._progress:
                (self._progress[key],) = self._train(companies, [plan])
            weights, _ = load_tensors(Path(plan.folder) / BEST)
            self._models[key] = self._kind.from_arrays({name: tensor.numpy() for name, tensor in weights.items()})
        return self._models[key]

    def _train(self, companies: Companies, plans: Sequence[TrainPlan]) -> list[Progress]:
        shares = np.asarray(companies.known.mean(axis=0), np.float32).ravel()
        start = {"text_mean": torch.from_numpy(text_mean(companies.text)), "product_shares": torch.from_numpy(shares)}
        for plan in plans:
            save_tensors(Path(plan.folder) / START, start, {})
        return [Progress(history) for history in self._distribute(plans)]

    def _distribute(self, plans: Sequence[TrainPlan]) -> list[list[dict[str, float]]]:
        if self._spark is None:
            try:
                return run_worker([plan.to_dict() for plan in plans], threads=task_resources()[0])
            except Exception as error:
                raise TrainingError(f"training {self.name}: {error}") from error
        Manifest.read(self._snapshot).files_of_rank(0, self._settings.processes)
        problem = Path(plans[0].folder) / PROBLEM
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
            return distributor.run(run_worker, [plan.to_dict() for plan in plans])
        except Exception as error:
            if problem.exists():
                raise TrainingError(f"training {self.name}: {problem.read_text(encoding='utf-8')}") from error
            last = [line for line in str(error).splitlines() if line.strip()][-1:]
            raise TrainingError(
                f"training {self.name} failed in a process ({' '.join(last)}); its log is above"
            ) from error


def _around(name: str, value: float, factor: float) -> FloatDistribution:
    high = value * factor if name != "dropout" else min(value * factor, (1 + value) / 2)
    return FloatDistribution(value / factor, high, log=True)


def _name_search(plans: Sequence[TrainPlan]) -> str:
    """Tells searches apart, so that none is taken for one with other settings, trials or epochs."""
    asked = [*(plan.identity() for plan in plans), str(plans[0].epochs)]
    return hashlib.sha256(" ".join(asked).encode()).hexdigest()[:8]


def _best_of(progress: Progress, settings: Settings) -> Trial:
    """The trial of settings; 0 in both regimes where training came to nothing."""
    if not progress.history:
        return Trial(settings, 0.0, 0.0)
    best = progress.history[progress.best_epoch - 1]
    return Trial(settings, best["validation_warm_ndcg"], best["validation_cold_ndcg"])


_OF_FINE_TUNING = {"learning_rate": 5.0, "weight_decay": 10.0, "company_l2": 10.0, "positive_weight": 5.0}
_OF_DENOISING = {"learning_rate": 5.0, "weight_decay": 10.0, "dropout": 2.0}
DEEP = {Dcf: _OF_FINE_TUNING, Hcf: _OF_FINE_TUNING, TextDae: _OF_DENOISING}
"""The networks, with what is looked for: settings, and up to how many times that of the configuration is tried."""
