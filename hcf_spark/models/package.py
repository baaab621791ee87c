"""What the registry holds: a fitted model with its vocabularies, and how text becomes vectors."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from safetensors.numpy import load_file, save_file

from hcf_spark.models.base import Model
from hcf_spark.models.companies import Companies, unknown_companies
from hcf_spark.models.directory import Directory
from hcf_spark.models.store import load_model, save_model

_FILE, _DIRECTORY_FILE = "package.json", "directory.safetensors"


@dataclass(frozen=True)
class About:
    """What a model was made with.

    Attributes:
        text_columns: the text sources, in the order in which they are combined.
        text_combine: how; see ``text.combine`` in the settings.
        encoder: the settings of the encoder.
        encoder_id: of the text vectors.
        text_dimension: D.
        snapshot_id: of the training data.
        top_k: products recommended unless asked otherwise.
    """

    text_columns: tuple[str, ...]
    encoder: dict[str, Any]
    encoder_id: str
    text_dimension: int
    snapshot_id: str
    top_k: int
    text_combine: str = "mean"


class ModelPackage:
    """A model with its vocabularies.

    Args:
        model: over P products.
        product_ids: the P ids, by product_idx.
        product_names: the P names.
        company_ids: ids of the training companies, by company_idx.
        about: what it was made with.
        directory: training companies that answers can name; None: the model names none.
    """

    def __init__(
        self,
        model: Model,
        product_ids: Sequence[str],
        product_names: Sequence[str],
        company_ids: Sequence[str],
        about: About,
        directory: Directory | None = None,
    ) -> None:
        self.model, self.about, self.directory = model, about, directory
        self.product_ids, self.product_names, self.company_ids = (
            list(product_ids),
            list(product_names),
            list(company_ids),
        )
        self._product_idx = {product: position for position, product in enumerate(self.product_ids)}
        self._company_idx = {company: position for position, company in enumerate(self.company_ids)}

    def companies(
        self,
        ids: Sequence[str | None],
        text: np.ndarray,
        words: sp.csr_matrix | None,
        products: Sequence[Sequence[str] | None],
    ) -> Companies:
        """Companies as the model takes them.

        Args:
            ids: company ids, None where not known; one that was not in training is as good as None.
            text: (B, D) float32, zeros without text.
            words: (B, W) float32 CSR, the words of the texts by ``text.words.count_words``; None: not known.
            products: ids of the products each company uses, None or NaN where not known; ids that the model does not
                know are passed over.
        """
        pairs = [
            (row, self._product_idx[product])
            for row, known in enumerate(products)
            if known is not None
            for product in _distinct(known)
            if product in self._product_idx
        ]
        rows, columns = (np.array(side, np.int64) for side in zip(*pairs, strict=True)) if pairs else ([], [])
        shape = (len(ids), len(self.product_ids))
        known = sp.csr_matrix((np.ones(len(pairs), np.float32), (rows, columns)), shape=shape)
        index = np.array([self._company_idx.get(company, -1) for company in ids], np.int64)
        return Companies(text, known, index, words)

    @cached_property
    def popularity(self) -> np.ndarray:
        """(P,) float32 scores of a company of which nothing is known."""
        return self.model.score(unknown_companies(1, self.about.text_dimension, len(self.product_ids)))[0]

    def unknown_products(self, products: Sequence[Sequence[str] | None]) -> list[list[str]]:
        """Of each company's product ids those that the model does not know."""
        return [[product for product in _distinct(known) if product not in self._product_idx] for known in products]

    def product_index(self, product_ids: Sequence[str | None]) -> np.ndarray:
        """(B,) int64 ``product_idx`` of each id, -1 for one that the model does not know."""
        return np.array([self._product_idx.get(product, -1) for product in product_ids], np.int64)

    def with_model(self, model: Model, directory: Directory | None) -> "ModelPackage":
        """The same vocabularies with another model, and the directory of its vectors."""
        return ModelPackage(model, self.product_ids, self.product_names, self.company_ids, self.about, directory)

    def save(self, folder: Path) -> None:
        """Write the package; the weights first, the rest last."""
        save_model(self.model, folder)
        if self.directory is not None:
            save_file(self.directory.arrays(), folder / _DIRECTORY_FILE)
        content = {
            "about": asdict(self.about),
            "product_ids": self.product_ids,
            "product_names": self.product_names,
            "company_ids": self.company_ids,
        }
        (folder / _FILE).write_text(json.dumps(content), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "ModelPackage":
        """Read what ``save`` wrote."""
        content = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        about = content.pop("about")
        about["text_columns"] = tuple(about["text_columns"])
        file = folder / _DIRECTORY_FILE
        directory = Directory.from_arrays(load_file(file)) if file.exists() else None
        return cls(load_model(folder), about=About(**about), directory=directory, **content)


def _distinct(ids: Sequence[str | None] | float | None) -> list[str]:
    """The ids without those named twice; none of None or NaN."""
    return [product for product in dict.fromkeys(ids if np.iterable(ids) else ()) if product is not None]
