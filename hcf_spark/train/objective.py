"""What a network of the second stage learns from a company, and how it scores one."""

from typing import Protocol

import torch
from torch import nn

from hcf_spark.nn.autoencoder import TextAutoencoder
from hcf_spark.nn.losses import make_loss
from hcf_spark.nn.network import DeepCF
from hcf_spark.train.manifest import Manifest
from hcf_spark.train.plan import TrainPlan

_NEVER = -1e4
_TOLD_NOTHING = 0.2


class Objective(Protocol):
    """A network with its loss; (B, D) text is centred and of length 1, (B, P) matrices hold 0 and 1, all float32."""

    network: nn.Module

    def loss(self, run: nn.Module, text: torch.Tensor, index: torch.Tensor, used: torch.Tensor) -> torch.Tensor:
        """The scalar to make small for companies that use these products.

        Args:
            run: the network, or what stands before it when there are several processes.
            text: of the companies.
            index: (B,) long, company_idx.
            used: the matrix to learn.
        """

    def score(self, text: torch.Tensor, index: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """(B, P) float32 logits of companies; an index of -1 means one that was not in training."""


class FineTuning:
    """hcf and dcf: each training company has a vector of its own, and all its products are its target."""

    def __init__(self, plan: TrainPlan, manifest: Manifest) -> None:
        self.network = DeepCF(
            manifest.n_companies, manifest.n_products, manifest.text_dimension,
            plan.hidden_size, plan.depth, plan.dropout, text_start=plan.network == "hcf",
        )  # fmt: skip
        self._company_l2 = plan.company_l2
        self._loss = make_loss(plan.loss, plan.huber_delta, plan.positive_weight)

    def loss(self, run: nn.Module, text: torch.Tensor, index: torch.Tensor, used: torch.Tensor) -> torch.Tensor:
        return self._loss(run(text, index), used) + self._company_l2 * self.network.companies_l2(index)

    def score(self, text: torch.Tensor, index: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        return self.network(text, index)


class Denoising:
    """text_dae: a company is told with some of its products, and the rest of them is the target.

    The share that is told is drawn for each company, evenly between 0 and 1; a fifth of the companies are told with
    none, as newcomers are. What is told is no part of the loss, neither as hit nor as miss.
    """

    def __init__(self, plan: TrainPlan, manifest: Manifest) -> None:
        self.network = TextAutoencoder(manifest.n_products, manifest.text_dimension, plan.hidden_size, plan.dropout)
        self._loss = make_loss(plan.loss, plan.huber_delta, plan.positive_weight)

    def loss(self, run: nn.Module, text: torch.Tensor, index: torch.Tensor, used: torch.Tensor) -> torch.Tensor:
        share = torch.rand(len(used), 1, device=used.device)
        share *= torch.rand(len(used), 1, device=used.device) >= _TOLD_NOTHING
        told = used * (torch.rand_like(used) < share)
        return self._loss(run(text, told).masked_fill(told > 0, _NEVER), used - told)

    def score(self, text: torch.Tensor, index: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        return self.network(text, known)


def make_objective(plan: TrainPlan, manifest: Manifest) -> Objective:
    """The objective of the plan's network, its weights not yet trained."""
    return (Denoising if plan.network == "text_dae" else FineTuning)(plan, manifest)
