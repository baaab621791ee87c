"""The paper's hybrid model and its text-less variant, as fitted models: the trained network on the CPU."""

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
import torch

from hcf_spark.models.companies import Companies, unit_rows
from hcf_spark.nn.network import DeepCF

_ROWS = 2048


class Hcf:
    """HCF (arXiv 2410.20325): deep collaborative filtering whose company vectors start at their text; see ``DeepCF``.

    It knows a company by its text and, if it was in training, by its fine-tuned vector; products told later change
    nothing. What the paper leaves open was settled on validation NDCG (`make benchmark NAME=stage2`): no hidden
    layer beyond the company vector (``train.depth`` 0: residual blocks overfit before the vectors have learnt), weight
    6 on the cells that hold an interaction, Huber's delta 1, an L2 penalty on what training adds to a company vector,
    AdamW's learning rate. Every product of a company is in the loss, so no negatives are sampled.
    """

    name: ClassVar[str] = "hcf"
    folds_in: ClassVar[bool] = False
    text_start: ClassVar[bool] = True

    def __init__(self, network: DeepCF, text_mean: np.ndarray) -> None:
        self._network = network.eval()
        self._text_mean = text_mean

    @torch.no_grad()
    def score(self, companies: Companies) -> np.ndarray:
        """(B, P) float32 logits."""
        return self._by_blocks(companies, self._network.forward)

    @torch.no_grad()
    def embed(self, companies: Companies) -> np.ndarray:
        """(B, D) float32 fine-tuned company vectors; those of unseen companies are their start."""
        return self._by_blocks(companies, self._network.company_vectors)

    def _by_blocks(self, companies: Companies, function) -> np.ndarray:
        text = torch.from_numpy(unit_rows(companies.text, self._text_mean))
        index = torch.from_numpy(companies.index)
        if len(text) <= _ROWS:
            return function(text, index).numpy()
        starts = range(0, len(text), _ROWS)
        return torch.cat([function(text[at : at + _ROWS], index[at : at + _ROWS]) for at in starts]).numpy()

    def arrays(self) -> dict[str, np.ndarray]:
        """Weights of the network and the mean of the text vectors."""
        weights = {name: tensor.numpy() for name, tensor in self._network.state_dict().items()}
        return weights | {"text_mean": self._text_mean}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The model with these weights; sizes are read off them."""
        weights = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items() if name != "text_mean"}
        n_companies, text_dimension = weights["companies.weight"].shape
        first_layers = [
            tensor for name, tensor in weights.items() if name.startswith("blocks.") and name.endswith("0.weight")
        ]
        network = DeepCF(
            n_companies,
            n_products=len(weights["products.weight"]),
            text_dimension=text_dimension,
            hidden_size=len(first_layers[0]) if first_layers else 0,
            depth=len(first_layers),
            dropout=0.0,
            text_start=cls.text_start,
        )
        network.load_state_dict(weights)
        return cls(network, np.array(arrays["text_mean"]))


class Dcf(Hcf):
    """The paper's "DCF only": the same network, company vectors starting at random and knowing no text."""

    name: ClassVar[str] = "dcf"
    text_start: ClassVar[bool] = False
