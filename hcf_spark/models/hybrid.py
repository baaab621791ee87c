"""Known products, text and text neighbours together, in closed form: the warm part of the fused model."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from hcf_spark.models.companies import Companies
from hcf_spark.models.ease import head_gram, penalised_inverse
from hcf_spark.models.neighbour_ridge import Neighbourhood, NeighbourRidge, NeighbourRidgeStatistics, row_blocks
from hcf_spark.models.product_weights import (
    Head,
    Weights,
    head_products,
    spread,
    vote,
    weights_from_arrays,
    weights_to_arrays,
)
from hcf_spark.models.ranks import over_ranks

_MATRICES_AT_ONCE = 8


@dataclass(frozen=True)
class Hybrid:
    """Score = x B + f W + c N, f = [e, 1], diag B = 0: EASE with text whose target is what the neighbours leave open.

    Attributes:
        weights: B, (P, P) float32; CSR where products are left out of the closed form.
        text: f W + c N.
    """

    name: ClassVar[str] = "hybrid"
    folds_in: ClassVar[bool] = True
    weights: Weights
    text: NeighbourRidge

    def score(self, companies: Companies) -> np.ndarray:
        """(B, P) float32, an estimate of the 0/1 cell, not held to [0, 1]."""
        return vote(companies.known, self.weights) + self.text.score(companies)

    def mean_with(self, other: "Hybrid") -> "Hybrid":
        """The model whose scores are the mean of both, which share their neighbourhood."""
        text = replace(
            self.text,
            text_weights=(self.text.text_weights + other.text.text_weights) / 2,
            offset=(self.text.offset + other.text.offset) / 2,
        )
        return Hybrid(np.float32(0.5) * (self.weights + other.weights), text)

    def arrays(self) -> dict[str, np.ndarray]:
        return {**weights_to_arrays(self.weights), **self.text.arrays()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        return cls(weights_from_arrays(arrays), NeighbourRidge.from_arrays(arrays))


@dataclass(frozen=True)
class HybridStatistics:
    """What ``Hybrid`` needs of the training companies, for any strengths: sums over their rows.

    Attributes:
        text: F'F, F'X and F'N.
        head: the H products of the closed form.
        gram: X'X of these, (H, H) float32.
        neighbour_gram: X'N of these, (H, H) float32.
    """

    text: NeighbourRidgeStatistics
    head: Head
    gram: np.ndarray
    neighbour_gram: np.ndarray

    @classmethod
    def of(cls, train: Companies, neighbourhood: Neighbourhood) -> Self:
        """The sums over ``train``, some rows at a time."""
        head = head_products(train.known, Hybrid.name, _MATRICES_AT_ONCE)
        gram = head_gram(train.known, head)
        neighbour_gram = np.zeros_like(gram)
        for rows in row_blocks(train):
            neighbour_gram += rows.known[:, head].T @ neighbourhood.profiles(rows)[:, head]
        return cls(NeighbourRidgeStatistics.of(train, neighbourhood), head, gram, over_ranks(neighbour_gram))

    def fit(
        self, strength: float, text_strength: float, constant_strength: float, offset: float, dropout: float
    ) -> Hybrid:
        """The minimum over W and B, diag B = 0, of |T - X B - F W|^2 + sum_j D_j |B_j|^2 + |L^.5 W|^2, T = X - c N.

        D_j = strength m + dropout n_j, with n_j the companies of product j and m their mean: a ridge, and what dropout
        of single cells comes to (EDLAE, Steck 2020). With Q = (F'F + L)^-1, K = (X'X + D - X'F Q F'X)^-1 and
        Y = K (X'N - X'F Q F'N): B = I - K diag(1 / K_jj) - c (Y - K diag(Y_jj / K_jj)), W = Q F'(T - X B). At c = 0
        this is EASE with text. Beyond the head B is 0, W and N are not.

        Args:
            strength: ridge of B, in units of m.
            text_strength: ridge of the text's weights, in L.
            constant_strength: ridge of the constant's weights, in L.
            offset: c, the share of the neighbour profile that is taken as it is.
            dropout: p / (1 - p), p the chance that a cell is dropped.
        """
        counts, cross = self.gram.diagonal().astype(np.float64), self.text.cross[:, self.head]
        of_products = self.text.solve(cross, text_strength, constant_strength)
        inverse = penalised_inverse(self.gram - cross.T @ of_products, strength * counts.mean() + dropout * counts)
        weights = np.zeros_like(inverse)
        if offset:
            neighbour_cross = self.text.neighbour_cross[:, self.head]
            of_neighbours = self.text.solve(neighbour_cross, text_strength, constant_strength)
            weights = np.float32(-offset) * (inverse @ (self.neighbour_gram - cross.T @ of_neighbours))
        weights -= inverse * ((1 + weights.diagonal()) / inverse.diagonal())
        np.fill_diagonal(weights, 0)
        weights = spread(weights, self.head, self.text.cross.shape[1])
        text = self.text.fit(text_strength, constant_strength, offset)
        return Hybrid(weights, replace(text, text_weights=text.text_weights - of_products @ weights[self.head]))
