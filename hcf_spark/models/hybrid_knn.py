"""Text and products, by example: what the companies use that are similar in either."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from hcf_spark.models.companies import Companies
from hcf_spark.models.reference import Reference
from hcf_spark.models.score_axes import score_axes


@dataclass(frozen=True)
class HybridKnn:
    """Score = mean of the product rows of the k nearest training companies, weights exp(sharpness (similarity - 1)).

    similarity = text_share cosine(texts) + (1 - text_share) cosine(known products). Where a company has only one of
    them, that one alone decides; where it has neither it gets popularity. A company is not its own neighbour.

    Attributes:
        reference: the training companies.
        k: neighbours that count.
        sharpness: 0 weighs them alike.
        text_share: in [0, 1].
        make_axes: gives V, (P, d) float32, the top right singular directions of the training companies' scores.
    """

    name: ClassVar[str] = "hybrid_knn"
    folds_in: ClassVar[bool] = True
    reference: Reference
    k: int
    sharpness: float
    text_share: float
    make_axes: Callable[[], np.ndarray]

    @classmethod
    def fit(
        cls, train: Companies, reference: Reference, seed: int, k: int, sharpness: float, text_share: float
    ) -> Self:
        """The model whose ``reference`` is ``train``."""
        axes = cache(partial(_axes, train, reference, seed, k, sharpness, text_share))
        return cls(reference, k, sharpness, text_share, axes)

    def score(self, companies: Companies) -> np.ndarray:
        """(B, P) float32 in [0, 1]."""
        return self.reference.profiles(_weights(self.reference, companies, self.k, self.sharpness, self.text_share))

    def embed(self, companies: Companies) -> np.ndarray:
        """(B, d) float32, u = V's; u . V_j is nearly the score of product j."""
        return self.score(companies) @ self.make_axes()

    def arrays(self) -> dict[str, np.ndarray]:
        settings = {key: np.array([getattr(self, key)]) for key in ("k", "sharpness", "text_share")}
        return {**self.reference.arrays(), **settings, "axes": self.make_axes()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        settings = {key: arrays[key].item() for key in ("k", "sharpness", "text_share")}
        return cls(Reference.from_arrays(arrays), **settings, make_axes=lambda: arrays["axes"])


def _weights(reference: Reference, companies: Companies, k: int, sharpness: float, text_share: float) -> sp.csr_matrix:
    """(B, C) float32, weights of the k nearest."""
    similarity = partial(_similarities, reference, text_share=text_share)
    return reference.weigh(reference.nearest(companies, k, similarity), sharpness)


def _similarities(reference: Reference, companies: Companies, text_share: float) -> np.ndarray:
    """(B, C) float32, -inf where two companies cannot be compared."""
    similarities, products = reference.text_cosines(companies), reference.product_cosines(companies)
    with_text, with_products = companies.text.any(axis=1), companies.known.getnnz(axis=1) > 0
    both, only_products = with_text & with_products, ~with_text & with_products
    texts = np.nan_to_num(similarities[both], neginf=0)
    similarities[both] = np.float32(text_share) * texts + np.float32(1 - text_share) * products[both]
    similarities[only_products] = np.where(products[only_products] > 0, products[only_products], -np.inf)
    return similarities


def _axes(train: Companies, reference: Reference, seed: int, k: int, sharpness: float, text_share: float) -> np.ndarray:
    return score_axes([(_weights(reference, train, k, sharpness, text_share), train.known)], seed)
