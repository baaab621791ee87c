"""The contract of every model: fit on companies, score any company, read a vector out of it, travel as plain arrays."""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np

from hcf_spark.models.companies import Companies

Settings = Mapping[str, Any]


class Model(Protocol):
    """A fitted model over P products. Its scores are comparable within and across rows, not with another model's."""

    folds_in: ClassVar[bool]
    """Whether known products of a company that was not in training change its scores."""

    @property
    def name(self) -> str:
        """What the model is called in tables and files; a class attribute serves where it is always the same."""

    def score(self, companies: Companies) -> np.ndarray:
        """(B, P) float32 scores, known products included (the caller leaves them out); finite."""

    def embed(self, companies: Companies) -> np.ndarray:
        """(B, d) float32 company vectors, seen companies or not; finite."""

    def arrays(self) -> dict[str, np.ndarray]:
        """All that ``from_arrays`` needs, as arrays (saved with safetensors)."""

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The model that ``arrays`` were taken from."""


@runtime_checkable
class ScoresForProducts(Protocol):
    """What a model may have beside the contract: scores for ranking companies for a product, in place of ``score``."""

    def score_for_products(self, companies: Companies) -> np.ndarray:
        """(B, P) float32 scores, comparable within a column, not with those of ``score``; finite."""
