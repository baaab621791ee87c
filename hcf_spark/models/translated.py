"""A packaged model asked about the companies and products of other vocabularies."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import scipy.sparse as sp

from hcf_spark.models.companies import Companies
from hcf_spark.models.package import ModelPackage


@dataclass(frozen=True)
class Translated:
    """A model that takes and gives today's indices; products that it does not know get its lowest score of the row.

    Attributes:
        package: the model with its own vocabularies.
        company_idx: (C,) int64, its index of each company of today, -1 where it does not know it.
        product_idx: (P,) int64, the same of the products.
    """

    package: ModelPackage
    company_idx: np.ndarray
    product_idx: np.ndarray

    @classmethod
    def of(cls, package: ModelPackage, company_ids: Sequence[str], product_ids: Sequence[str]) -> Self:
        """The model of ``package``, asked in these vocabularies."""
        return cls(package, _positions(package.company_ids, company_ids), _positions(package.product_ids, product_ids))

    @property
    def name(self) -> str:
        """That of the model."""
        return self.package.model.name

    def score(self, companies: Companies) -> np.ndarray:
        """(B, P) float32, by the products of today."""
        own = self.package.model.score(self._translate(companies))
        scores = own[:, self.product_idx]
        scores[:, self.product_idx < 0] = own.min(axis=1, keepdims=True)
        return scores

    def embed(self, companies: Companies) -> np.ndarray:
        """(B, d) float32."""
        return self.package.model.embed(self._translate(companies))

    def _translate(self, companies: Companies) -> Companies:
        index = np.where(companies.index >= 0, self.company_idx[companies.index], -1)
        known = np.flatnonzero(self.product_idx >= 0)
        shape = (len(self.product_idx), len(self.package.product_ids))
        ones = (np.ones(len(known), np.float32), (known, self.product_idx[known]))
        return replace(companies, known=(companies.known @ sp.csr_matrix(ones, shape=shape)).tocsr(), index=index)


def _positions(own: Sequence[str], asked: Sequence[str]) -> np.ndarray:
    position = {key: place for place, key in enumerate(own)}
    return np.array([position.get(key, -1) for key in asked], np.int64)
