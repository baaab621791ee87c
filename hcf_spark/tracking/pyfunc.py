"""The registered model as MLflow loads it: text and known products in, ranked products out. Needs no Spark."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException

if TYPE_CHECKING:
    from hcf_spark.models.companies import Companies
    from hcf_spark.models.directory import Directory

_EMPTY = {
    "product_ids": None,
    "scores": None,
    "based_on": None,
    "unknown_products": None,
    "reasons": None,
    "contributions": [],  # spark_udf takes no null for an array of arrays
    "company_ids": None,
    "vector": None,
}


class HybridRecommender(mlflow.pyfunc.PythonModel):
    """Answers about companies, seen in training or not, and about products.

    Input: a frame with any of ``company_id``, the text columns and ``products`` (lists of product ids), a row
    per company; for the task ``companies`` the column ``product_id``, a row per product.
    Output: a row per row, with its index; always the same columns, null where the task does not fill them. The
    parameter ``task`` says which:

    - ``products``: product_ids (best first), scores, based_on; ``with_reasons`` adds reasons and contributions
    - ``vector``: vector
    - ``look_alikes``: company_ids of training companies, scores (cosines)
    - ``companies``: company_ids of training companies that do not use the product, most likely first, scores

    and for each task unknown_products, ids in the question that the model does not know.
    """

    def load_context(self, context: mlflow.pyfunc.PythonModelContext) -> None:
        """Load model and encoder from the artefacts; an encoder that is not among them is looked for by its name.

        Raises:
            RegistryError: the encoder found by name is not the one that the model was trained with.
        """
        from hcf_spark.config import EncoderSettings
        from hcf_spark.errors import RegistryError
        from hcf_spark.models.package import ModelPackage
        from hcf_spark.text.encoder import Encoder
        from hcf_spark.text.spec import resolve_encoder

        self.package = ModelPackage.load(Path(context.artifacts["package"]))
        about = self.package.about
        included = context.artifacts.get("encoder")
        spec = resolve_encoder(EncoderSettings(**{**about.encoder, "model": included or about.encoder["model"]}))
        if included is None and spec.encoder_id != about.encoder_id:
            raise RegistryError(
                f"the model was trained with encoder {about.encoder_id}, but {spec.folder} holds {spec.encoder_id}: "
                "put the former there, or register a model with mlflow.include_encoder"
            )
        self.encoder = Encoder(spec)

    def predict(
        self, context: mlflow.pyfunc.PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any]
    ) -> pd.DataFrame:
        """Answer each row.

        Args:
            context: not used; everything is loaded once.
            model_input: the companies or products.
            params: ``task``, ``top_k``, ``exclude_known`` and ``with_reasons``; MLflow fills in the defaults.

        Raises:
            MlflowException: the frame has none of the columns (MLflow leaves no rows then) or one that holds no
                strings, ``task`` is unknown, ``top_k`` is below 1, or the model carries no companies to name. A server
                answers it with status 400.
        """
        tasks = {
            "products": self._products,
            "vector": self._vectors,
            "look_alikes": self._look_alikes,
            "companies": self._companies,
        }
        if params["task"] not in tasks:
            raise _refusal(f"task {params['task']!r} is unknown, give one of {', '.join(tasks)}")
        if params["top_k"] < 1:
            raise _refusal(f"top_k must be at least 1, found {params['top_k']}")
        answer = tasks[params["task"]](model_input, params)
        columns = {name: answer.get(name, [empty] * len(model_input)) for name, empty in _EMPTY.items()}
        return pd.DataFrame(columns, index=model_input.index)

    def _products(self, rows: pd.DataFrame, params: dict[str, Any]) -> dict[str, list]:
        from hcf_spark.models.answers import recommend_products

        companies, unknown = self._read(rows)
        wanted = (params[name] for name in ("top_k", "exclude_known", "with_reasons"))
        return {**recommend_products(self.package, companies, *wanted), **unknown}

    def _vectors(self, rows: pd.DataFrame, params: dict[str, Any]) -> dict[str, list]:
        companies, unknown = self._read(rows)
        return {"vector": self.package.model.embed(companies).astype(float).tolist(), **unknown}

    def _look_alikes(self, rows: pd.DataFrame, params: dict[str, Any]) -> dict[str, list]:
        from hcf_spark.models.answers import find_look_alikes

        companies, unknown = self._read(rows)
        return {**find_look_alikes(self.package, self._directory(), companies, params["top_k"]), **unknown}

    def _companies(self, rows: pd.DataFrame, params: dict[str, Any]) -> dict[str, list]:
        from hcf_spark.models.answers import find_companies

        if "product_id" not in rows.columns:
            raise _refusal("task companies asks for the column product_id")
        return find_companies(self.package, self._directory(), _strings(rows, "product_id"), params["top_k"])

    def _directory(self) -> "Directory":
        if self.package.directory is None:
            raise _refusal("this model names no companies: register one with mlflow.directory_companies above 0")
        return self.package.directory

    def _read(self, rows: pd.DataFrame) -> tuple["Companies", dict[str, list[list[str]]]]:
        """The companies, and the products that they use and the model does not know."""
        columns = ["company_id", *self.package.about.text_columns, "products"]
        if rows.columns.intersection(columns).empty:
            raise _refusal(f"give at least one of the columns {', '.join(columns)}")
        from hcf_spark.text.sources import combined_sources
        from hcf_spark.text.words import count_words

        ids, products = _strings(rows, "company_id"), _column(rows, "products")
        sources = combined_sources(self.package.about.text_columns, self.package.about.text_combine)
        texts = [_strings(rows, source) for source in sources]
        words = count_words(" ".join(filter(None, of_company)) for of_company in zip(*texts, strict=True))
        companies = self.package.companies(ids, self._text_vectors(texts), words, products)
        return companies, {"unknown_products": self.package.unknown_products(products)}

    def _text_vectors(self, texts: Sequence[Sequence[str | None]]) -> np.ndarray:
        """(B, text_dimension) float32: the vectors of a company's texts by source, combined; zeros without text."""
        from hcf_spark.text.sources import combine_sources

        vectors = np.zeros((len(texts), len(texts[0]), self.encoder.spec.dimension), np.float32)
        for of_source, found in zip(texts, vectors, strict=True):
            given = [row for row, text in enumerate(of_source) if text is not None and text.strip()]
            if given:
                found[given] = self.encoder.encode([of_source[row] for row in given]).vectors
        return combine_sources(vectors, self.package.about.text_combine)


def _column(rows: pd.DataFrame, name: str) -> list[Any]:
    return rows[name].tolist() if name in rows.columns else [None] * len(rows)


def _strings(rows: pd.DataFrame, name: str) -> list[str | None]:
    """The column with None for what is missing; a server lets values of other types through to here."""
    values = [None if pd.api.types.is_scalar(value) and pd.isna(value) else value for value in _column(rows, name)]
    for value in values:
        if not isinstance(value, str | None):
            raise _refusal(f"column {name} holds strings or nulls, found {value!r}")
    return values


def _refusal(message: str) -> MlflowException:
    return MlflowException.invalid_parameter_value(message)


mlflow.models.set_model(HybridRecommender())
