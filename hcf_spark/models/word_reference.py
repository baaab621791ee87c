"""Training companies as neighbours by the words of their texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfTransformer

from hcf_spark.models.companies import Companies
from hcf_spark.models.reference import BaseReference, fields_from, fields_of

_COMMON_WORDS = 256


@dataclass(frozen=True)
class WordReference(BaseReference):
    """The companies that others are compared with, their texts by tf-idf of their words.

    Word w that a text has n times weighs (1 + ln n) idf_w, idf_w = 1 + ln((1 + C) / (1 + number of companies that have
    w)), and a text is scaled to length 1 (scikit-learn's ``TfidfTransformer``).

    Attributes:
        idf: (W,) float32.
        unit: (C, W) float32 CSR, their weighted words at length 1; rows of zeros without words.
    """

    idf: np.ndarray
    unit: sp.csr_matrix

    @classmethod
    def of(cls, train: Companies) -> Self:
        """The reference of training companies, of which there is one at least.

        Raises:
            ValueError: their words are not known.
        """
        if train.words is None:
            raise ValueError("training companies without words cannot be compared by them: give Companies.words")
        weights = TfidfTransformer(sublinear_tf=True).fit(train.words)
        return cls(**fields_of(train), idf=weights.idf_.astype(np.float32), unit=weights.transform(train.words))

    def texts_of(self, companies: Companies) -> list[np.ndarray]:
        words = companies.words
        return [] if words is None else [words.indptr, words.indices, words.data]

    def text_cosines(self, companies: Companies) -> np.ndarray:
        unit = self._weigh(companies)
        common, rare = self._split(unit)
        common_of_reference, rare_of_reference = self._transposed
        cosines = common @ common_of_reference + (rare @ rare_of_reference).toarray()
        cosines[unit.getnnz(axis=1) == 0] = -np.inf
        cosines[:, self.unit.getnnz(axis=1) == 0] = -np.inf
        return cosines

    def _weigh(self, companies: Companies) -> sp.csr_matrix:
        """(B, W) float32, as ``unit``."""
        if companies.words is None or not len(companies):
            return sp.csr_matrix((len(companies), len(self.idf)), dtype=np.float32)
        weights = TfidfTransformer(sublinear_tf=True)
        weights.idf_ = self.idf
        return weights.transform(companies.words)

    def _split(self, unit: sp.csr_matrix) -> tuple[np.ndarray, sp.csr_matrix]:
        """The columns of the words that most companies share, dense, and those of the others: it spares most time."""
        common, rare = self._columns
        return unit[:, common].toarray(), unit[:, rare]

    @cached_property
    def _columns(self) -> list[np.ndarray]:
        companies = np.bincount(self.unit.indices, minlength=len(self.idf))
        return np.split(np.argsort(-companies, kind="stable"), [_COMMON_WORDS])

    @cached_property
    def _transposed(self) -> tuple[np.ndarray, sp.csr_matrix]:
        common, rare = self._split(self.unit)
        return common.T, rare.T.tocsr()

    def arrays(self) -> dict[str, np.ndarray]:
        words = {"unit_data": self.unit.data, "unit_words": self.unit.indices, "unit_starts": self.unit.indptr}
        return {**super().arrays(), **words, "idf": self.idf}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        parts = arrays["unit_data"], arrays["unit_words"], arrays["unit_starts"]
        unit = sp.csr_matrix(parts, shape=(len(arrays["index"]), len(arrays["idf"])))
        return cls(**fields_from(arrays), idf=arrays["idf"], unit=unit)
