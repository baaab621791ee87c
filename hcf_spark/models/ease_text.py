"""EASE with text features: what the known products and the text say together, in closed form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import ClassVar, Self

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from hcf_spark.models.companies import Companies, unit_rows
from hcf_spark.models.ease import ease_weights, head_gram
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
from hcf_spark.models.score_axes import score_axes
from hcf_spark.models.text_ridge import TextRidge, TextRidgeStatistics

_MATRICES_AT_ONCE = 3


@dataclass(frozen=True)
class EaseText:
    """EASE on products and text features (FEASE, arXiv 2504.02288, its user side): score = x B + e W, diag B = 0.

    A company whose known products say nothing (none, or none that training companies combine with others) is scored
    by its text alone, with a ridge of its own strength.

    Attributes:
        weights: B, (P, P) float32; CSR where products are left out of the closed form.
        text_weights: W, (D, P) float32.
        cold: the ridge from the text alone; its unit text vectors e are those of W too.
        make_axes: gives V, (P, d) float32, the top right singular directions of the training companies' scores.
    """

    name: ClassVar[str] = "ease_text"
    folds_in: ClassVar[bool] = True
    weights: Weights
    text_weights: np.ndarray
    cold: TextRidge
    make_axes: Callable[[], np.ndarray]

    def score(self, companies: Companies) -> np.ndarray:
        """(B, P) float32, x B + e W, or the cold ridge's; estimates of the 0/1 cell, not held to [0, 1]."""
        scores = vote(companies.known, self.weights)
        silent = ~scores.any(axis=1)
        scores += self.cold.embed(companies) @ self.text_weights
        scores[silent] = self.cold.score(companies.take(silent))
        return scores

    def embed(self, companies: Companies) -> np.ndarray:
        """(B, d) float32, u = V's; u . V_j is nearly the score of product j."""
        return self.score(companies) @ self.make_axes()

    def arrays(self) -> dict[str, np.ndarray]:
        cold = {f"cold/{key}": array for key, array in self.cold.arrays().items()}
        own = {"text_weights": self.text_weights, "axes": self.make_axes()}
        return {**weights_to_arrays(self.weights), **own, **cold}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        cold = {key.removeprefix("cold/"): array for key, array in arrays.items() if key.startswith("cold/")}
        text_ridge = TextRidge.from_arrays(cold)
        return cls(weights_from_arrays(arrays), arrays["text_weights"], text_ridge, lambda: arrays["axes"])


@dataclass(frozen=True)
class EaseTextStatistics:
    """What ``EaseText`` needs of the training companies, for any settings.

    Attributes:
        known: X, (C, P) float32 CSR.
        unit: E, (C, D) float32, the unit text vectors.
        head: the H products of the closed form.
        gram: X'X of these, (H, H) float32.
        cross: E'X, (D, P) float64.
        text: the sums that the text alone needs, E'E among them.
    """

    known: sp.csr_matrix
    unit: np.ndarray
    head: Head
    gram: np.ndarray
    cross: np.ndarray
    text: TextRidgeStatistics

    @classmethod
    def of(cls, train: Companies) -> Self:
        text = TextRidgeStatistics.of(train)
        unit = unit_rows(train.text, text.mean)
        head = head_products(train.known, EaseText.name, _MATRICES_AT_ONCE)
        gram = head_gram(train.known, head)
        cross = over_ranks((train.known.T @ unit).T.astype(np.float64))
        return cls(train.known, unit, head, gram, cross, text)

    def fit(self, strength: float, text_strength: float, cold_strength: float, seed: int) -> EaseText:
        """The minimum over B, diag B = 0, and W of |X - X B - E W|^2 + strength |B|^2 + text_strength |W|^2.

        W = Q E'(X - X B) with Q = (E'E + text_strength I)^-1 leaves for
        B an EASE whose Gram matrix is X'X - X'E Q E'X. A weight on the text features, as in FEASE, is the same as a
        ridge of their own. Beyond the head B is 0, W is not.

        Args:
            strength: ridge of B.
            text_strength: ridge of W.
            cold_strength: ridge of the text alone, for companies without known products.
            seed: of the axes.
        """
        factor = scipy.linalg.cho_factor(self.text.gram + text_strength * np.eye(len(self.text.gram)))
        explained = scipy.linalg.cho_solve(factor, self.cross).astype(np.float32)
        cross = self.cross[:, self.head].astype(np.float32)
        weights = ease_weights(self.gram - cross.T @ explained[:, self.head], strength)
        weights = spread(weights, self.head, explained.shape[1])
        text_weights = explained - explained @ weights
        axes = cache(partial(score_axes, [(self.known, weights), (self.unit, text_weights)], seed))
        return EaseText(weights, text_weights, self.text.fit(cold_strength), axes)
