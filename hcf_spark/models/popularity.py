"""Popularity: the same ranking for every company. What a model has to beat to have learnt anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from hcf_spark.models.companies import Companies
from hcf_spark.models.ranks import over_ranks


def product_shares(train: Companies) -> np.ndarray:
    """(P,) float64 in [0, 1], the share of the training companies that use each product."""
    counts = np.bincount(train.known.indices, weights=train.known.data, minlength=train.known.shape[1])
    return over_ranks(counts) / max(over_ranks(np.array([len(train)])).item(), 1)


def shares_at_level(shares: np.ndarray, weights: np.ndarray | sp.csr_matrix) -> np.ndarray:
    """(P,) float32, popularity at the level of the scores x W: shares times mean score over mean share of training.

    One threshold can then serve rows that are scored and rows for which popularity stands in.

    Args:
        shares: (P,) float64, of ``product_shares``.
        weights: W, (P, P) float32.
    """
    level = (shares @ weights).sum() / max(shares.sum(), np.finfo(np.float64).tiny)
    return (shares * (level if level > 0 else 1)).astype(np.float32)


@dataclass(frozen=True)
class Popularity:
    """Score = number of training companies of a product, as a share: a threshold then fits any number of them.

    Attributes:
        shares: (P,) float32.
    """

    name: ClassVar[str] = "popularity"
    folds_in: ClassVar[bool] = False
    shares: np.ndarray

    @classmethod
    def fit(cls, train: Companies) -> Self:
        return cls(product_shares(train).astype(np.float32))

    def score(self, companies: Companies) -> np.ndarray:
        """(B, P) float32, every row the same."""
        return np.tile(self.shares, (len(companies), 1))

    def embed(self, companies: Companies) -> np.ndarray:
        """(B, 1) float32 ones: popularity knows nothing of the company."""
        return np.ones((len(companies), 1), np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        return {"shares": self.shares}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        return cls(**arrays)
