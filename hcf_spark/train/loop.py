"""The training loop: one process or several, the same steps on each, a checkpoint after every epoch."""

import hashlib
import logging
import math
import time
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from scipy.sparse import csr_matrix
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_

from hcf_spark.errors import TrainingError
from hcf_spark.evaluation.metrics import ndcg_at_k
from hcf_spark.models.companies import unit_rows
from hcf_spark.models.ranking import top_k
from hcf_spark.nn.checkpoint import load_tensors, optimizer_tensors, restore_optimizer, save_tensors
from hcf_spark.train.loader import Rows, SnapshotLoader, multi_hot
from hcf_spark.train.manifest import Manifest
from hcf_spark.train.objective import make_objective
from hcf_spark.train.plan import TrainPlan
from hcf_spark.train.progress import Progress

logger = logging.getLogger(__name__)

START, LATEST, BEST = "start.safetensors", "latest.safetensors", "model.safetensors"
_MAX_GRADIENT_NORM = 10.0
_VALIDATION_ROWS = 1024


class Trainer:
    """One process of a training run.

    Args:
        plan: what to do.
        rank: of this process.
        ranks: number of processes; the group must be initialised if there are several.
        device: of this process.
    """

    def __init__(self, plan: TrainPlan, rank: int, ranks: int, device: torch.device) -> None:
        self._plan = plan
        self._rank, self._ranks, self._device = rank, ranks, device
        self._folder = Path(plan.folder)
        manifest = Manifest.read(Path(plan.snapshot))
        self._n_products = manifest.n_products
        self._batch_rows = max(1, plan.batch_companies // ranks)
        self._steps = manifest.steps_per_epoch(ranks, self._batch_rows)
        self._loader = SnapshotLoader(Path(plan.snapshot), manifest, rank, ranks, plan.seed)
        torch.manual_seed(plan.seed)
        start, _ = load_tensors(self._folder / START)
        self._identity = [plan.identity(), ranks, hashlib.sha256((self._folder / START).read_bytes()).hexdigest()]
        self._text_mean = start["text_mean"].numpy()
        share = plan.max_judged / manifest.n_companies
        self._is_judged = torch.from_numpy(np.random.default_rng(plan.seed).random(manifest.n_companies) < share)
        self._objective = make_objective(plan, manifest)
        self._network = self._objective.network
        self._network.start_at_shares(start["product_shares"])
        self._network.to(device)
        self._optimizer = torch.optim.AdamW(
            self._network.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay, fused=True
        )
        self._progress = Progress()

    def run(self) -> Progress:
        """Train to the end, from the last whole epoch of an earlier try if there is one.

        Returns:
            What happened; the weights of the best epoch are in the plan's folder.

        Raises:
            TrainingError: the loss or a score is not finite, which all processes find at the same step, or this one
                has no company to train on.
        """
        if self._ranks > 1:
            dist.barrier()  # rank 0 may still be writing what this run goes on from
        self._resume()
        network: torch.nn.Module = self._network
        if self._ranks > 1:
            network = DistributedDataParallel(self._network)
        for epoch in range(len(self._progress.history) + 1, self._plan.epochs + 1):
            if self._is_over():
                break
            start = time.perf_counter()
            torch.manual_seed(1_000_003 * (self._plan.seed + 1) + 1_009 * epoch + self._rank)
            record = {"loss": self._train_epoch(network, epoch)}
            if self._plan.use_validation:
                record |= self._validate()
            record["seconds"] = time.perf_counter() - start
            self._finish_epoch(epoch, record)
        return self._progress

    def _is_over(self) -> bool:
        waited = len(self._progress.history) - self._progress.best_epoch
        return self._plan.use_validation and waited * self._steps >= self._plan.patience_steps

    def _train_epoch(self, network: torch.nn.Module, epoch: int) -> float:
        network.train()
        total = torch.zeros(1)
        batches = self._loader.batches(self._batch_rows, epoch, keep_cold=not self._plan.use_validation)
        for rows in islice(batches, self._steps):
            used = multi_hot(rows.known, self._n_products)
            if not self._plan.use_validation:
                used += multi_hot(rows.held, self._n_products)
            index, used = rows.index.to(self._device), used.to(self._device)
            loss = self._objective.loss(network, self._text(rows), index, used)
            self._optimizer.zero_grad()
            loss.backward()
            clip_grad_norm_(self._network.parameters(), _MAX_GRADIENT_NORM)
            self._optimizer.step()
            total += loss.detach().cpu()
        mean = self._sum_over_ranks(total).item() / (self._steps * self._ranks)
        if not math.isfinite(mean):
            raise TrainingError(f"the training loss is {mean} in epoch {epoch}: lower train.learning_rate")
        return mean

    @torch.no_grad()
    def _validate(self) -> dict[str, float]:
        """NDCG@K over all products: of validation interactions (warm), of companies held out, by text alone (cold)."""
        self._network.eval()
        sums = torch.zeros(5, dtype=torch.float64)
        for rows in self._loader.all_rows(_VALIDATION_ROWS):
            judged = rows.take((rows.held >= 0).any(dim=1) & self._is_judged[rows.index])
            if not len(judged):
                continue
            index = torch.where(judged.validation_cold, -1, judged.index)
            known = multi_hot(judged.known, self._n_products)
            logits = self._objective.score(self._text(judged), index.to(self._device), known.to(self._device)).cpu()
            not_finite = (~logits.sum(dim=1).isfinite()).sum()
            logits[known > 0] = -math.inf
            held = _interactions(judged.held, self._n_products)
            ndcg = torch.from_numpy(ndcg_at_k(top_k(logits.numpy(), self._plan.cutoff), held))
            cold = judged.validation_cold
            sums += torch.stack([ndcg[~cold].sum(), (~cold).sum(), ndcg[cold].sum(), cold.sum(), not_finite])
        warm_sum, warm, cold_sum, cold, not_finite = self._sum_over_ranks(sums).tolist()
        if not_finite:
            epoch = len(self._progress.history) + 1
            raise TrainingError(f"scores are not finite after epoch {epoch}: lower train.learning_rate")
        return {"validation_warm_ndcg": warm_sum / max(warm, 1), "validation_cold_ndcg": cold_sum / max(cold, 1)}

    def _finish_epoch(self, epoch: int, record: dict[str, float]) -> None:
        self._progress.history.append(record)
        if self._rank == 0:
            if epoch == 1:  # one of other settings would be taken to belong to the model that is now written
                (self._folder / LATEST).unlink(missing_ok=True)
            if self._progress.best_epoch == epoch:
                self._save_model(epoch)
            self._save_latest()
            numbers = "  ".join(f"{name} {value:.4f}" for name, value in record.items())
            logger.info("epoch %d/%d  %s", epoch, self._plan.epochs, numbers)

    def _save_model(self, epoch: int) -> None:
        text_mean = {"text_mean": torch.from_numpy(self._text_mean)}
        about = {"epoch": epoch, "plan": self._plan.to_dict()}
        save_tensors(self._folder / BEST, self._network.state_dict() | text_mean, about)

    def _save_latest(self) -> None:
        tensors = {f"network.{name}": tensor for name, tensor in self._network.state_dict().items()}
        about = {"identity": self._identity, "history": self._progress.history}
        save_tensors(self._folder / LATEST, tensors | optimizer_tensors(self._optimizer), about)

    def _resume(self) -> None:
        file = self._folder / LATEST
        if not file.exists():
            return
        tensors, about = load_tensors(file)
        if about["identity"] != self._identity:
            return
        prefix = "network."
        self._network.load_state_dict(
            {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
        )
        restore_optimizer(self._optimizer, tensors)
        self._progress = Progress(about["history"])
        if self._rank == 0:
            logger.info("resumed after epoch %d", len(self._progress.history))

    def _text(self, rows: Rows) -> torch.Tensor:
        return torch.from_numpy(unit_rows(rows.text.numpy(), self._text_mean)).to(self._device)

    def _sum_over_ranks(self, values: torch.Tensor) -> torch.Tensor:
        if self._ranks > 1:
            values = values.to(self._device)
            dist.all_reduce(values)
        return values.cpu()


def _interactions(products: torch.Tensor, n_products: int) -> csr_matrix:
    """(B, P) float32, 1 at each product_idx of padded lists (B, N)."""
    some = products >= 0
    ends = np.concatenate([[0], some.sum(dim=1).cumsum(dim=0).numpy()])
    columns = products[some].numpy()
    return csr_matrix((np.ones(len(columns), np.float32), columns, ends), shape=(len(products), n_products))
