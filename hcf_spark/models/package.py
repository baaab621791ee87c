"""What the registry holds: a fitted model with its vocabularies, and how text becomes vectors."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from hcf_spark.models.base import Model
from hcf_spark.models.companies import Companies
from hcf_spark.models.store import load_model, save_model

_FILE = "package.json"


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
    """

    def __init__(
        self,
        model: Model,
        product_ids: Sequence[str],
        product_names: Sequence[str],
        company_ids: Sequence[str],
        about: About,
    ) -> None:
        self.model, self.about = model, about
        self.product_ids, self.product_names, self.company_ids = (
            list(product_ids),
            list(product_names),
            list(company_ids),
        )
        self._product_idx = {product: position for position, product in enumerate(self.product_ids)}
        self._company_idx = {company: position for position, company in enumerate(self.company_ids)}

    def companies(
        self, ids: Sequence[str | None], text: np.ndarray, products: Sequence[Sequence[str] | None]
    ) -> Companies:
        """Companies as the model takes them.

        Args:
            ids: company ids, None where not known; one that was not in training is as good as None.
            text: (B, D) float32, zeros without text.
            products: ids of the products each company uses, None or NaN where not known; ids that the model does not
                know are passed over.
        """
        pairs = [
            (row, self._product_idx[product])
            for row, known in enumerate(products)
            for product in dict.fromkeys(known if np.iterable(known) else [])
            if product in self._product_idx
        ]
        rows, columns = (np.array(side, np.int64) for side in zip(*pairs, strict=True)) if pairs else ([], [])
        shape = (len(ids), len(self.product_ids))
        known = sp.csr_matrix((np.ones(len(pairs), np.float32), (rows, columns)), shape=shape)
        index = np.array([self._company_idx.get(company, -1) for company in ids], np.int64)
        return Companies(text, known, index)

    def with_model(self, model: Model) -> "ModelPackage":
        """The same vocabularies with another model."""
        return ModelPackage(model, self.product_ids, self.product_names, self.company_ids, self.about)

    def save(self, folder: Path) -> None:
        """Write the package; the weights first, the rest last."""
        save_model(self.model, folder)
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
        return cls(load_model(folder), about=About(**about), **content)
