"""The contract of every model: fit on companies, score any company, read a vector out of it, travel as plain arrays."""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from hcf_spark.models.companies import Companies

Settings = Mapping[str, Any]


class Model(Protocol):
    """A fitted model over P products. Scores are comparable within a row and across rows of one model, not across models."""

    name: ClassVar[str]

    def score(self, companies: Companies) -> np.ndarray:
        """(B, P) float32 scores, known products included (the caller leaves them out); finite."""

    def embed(self, companies: Companies) -> np.ndarray:
        """(B, d) float32 company vectors, seen companies or not; finite."""

    def arrays(self) -> dict[str, np.ndarray]:
        """All that ``from_arrays`` needs, as arrays (saved with safetensors)."""

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The model that ``arrays`` were taken from."""


class Candidate(Protocol):
    """A kind of model as the harness sees it: settings to try, and a way to fit one of them."""

    name: str

    def settings(self) -> list[Settings]:
        """Every setting to be compared on validation, at least one."""

    def fit(self, train: Companies, settings: Settings, seed: int) -> Model:
        """The model fitted on ``train`` only; the same seed gives the same model."""
