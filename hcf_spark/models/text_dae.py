"""The denoising autoencoder with text, as a fitted model: the trained network on the CPU."""

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
import torch

from hcf_spark.models.companies import Companies, unit_rows
from hcf_spark.nn.autoencoder import TextAutoencoder

_ROWS = 1024


class TextDae:
    """Deep collaborative filtering of any company, seen or not, from its text and known products.

    See ``TextAutoencoder`` for the network and ``train.objective.Denoising`` for how it learns.
    """

    name: ClassVar[str] = "text_dae"
    folds_in: ClassVar[bool] = True

    def __init__(self, network: TextAutoencoder, text_mean: np.ndarray) -> None:
        self._network = network.eval()
        self._text_mean = text_mean

    def score(self, companies: Companies) -> np.ndarray:
        """(B, P) float32, the logarithm of each product's share in the company's next choice; the shares sum to 1."""
        return self._by_blocks(companies, lambda *batch: torch.log_softmax(self._network(*batch), dim=1))

    def embed(self, companies: Companies) -> np.ndarray:
        """(B, H) float32, the hidden layer."""
        return self._by_blocks(companies, self._network.company_vectors)

    @torch.no_grad()
    def _by_blocks(self, companies: Companies, function) -> np.ndarray:
        starts = range(0, max(len(companies), 1), _ROWS)
        blocks = (companies.take(slice(start, start + _ROWS)) for start in starts)
        return torch.cat(
            [function(self._text(block), torch.from_numpy(block.known.toarray())) for block in blocks]
        ).numpy()

    def _text(self, companies: Companies) -> torch.Tensor:
        return torch.from_numpy(unit_rows(companies.text, self._text_mean))

    def arrays(self) -> dict[str, np.ndarray]:
        """Weights of the network and the mean of the text vectors."""
        weights = {name: tensor.numpy() for name, tensor in self._network.state_dict().items()}
        return weights | {"text_mean": self._text_mean}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The model with these weights; sizes are read off them."""
        weights = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items() if name != "text_mean"}
        hidden_size, text_dimension = weights["text.weight"].shape
        network = TextAutoencoder(len(weights["products.weight"]), text_dimension, hidden_size, dropout=0.0)
        network.load_state_dict(weights)
        return cls(network, np.array(arrays["text_mean"]))
