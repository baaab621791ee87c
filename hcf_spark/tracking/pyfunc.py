"""The registered model as MLflow loads it: text and known products in, ranked products out. Needs no Spark."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd


class HybridRecommender(mlflow.pyfunc.PythonModel):
    """Scores companies, seen in training or not.

    Input: a frame with any of ``company_id``, the text columns and ``products`` (lists of product ids), a row
    per company.
    Output: a row per company, with its index, with ``product_ids`` (best first) and ``scores``.
    """

    def load_context(self, context: mlflow.pyfunc.PythonModelContext) -> None:
        """Load model and encoder from the artefacts."""
        from hcf_spark.config import EncoderSettings
        from hcf_spark.models.package import ModelPackage
        from hcf_spark.text.encoder import Encoder
        from hcf_spark.text.spec import resolve_encoder

        self._package = ModelPackage.load(Path(context.artifacts["package"]))
        settings = {**self._package.about.encoder, "model": context.artifacts["encoder"]}
        self._encoder = Encoder(resolve_encoder(EncoderSettings(**settings)))

    def predict(
        self, context: mlflow.pyfunc.PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Rank the products for each company.

        Args:
            context: not used; everything is loaded once.
            model_input: the companies.
            params: ``top_k`` and ``exclude_known``.

        Raises:
            ValueError: the frame has none of the columns (MLflow leaves no rows then), or ``top_k`` is below 1.
        """
        from hcf_spark.models.ranking import recommend

        columns = ["company_id", *self._package.about.text_columns, "products"]
        if model_input.columns.intersection(columns).empty:
            raise ValueError(f"give at least one of the columns {', '.join(columns)}")
        params = params or {}
        nothing = [None] * len(model_input)
        ids = _column(model_input, "company_id", nothing)
        products = _column(model_input, "products", nothing)
        companies = self._package.companies(ids, self._text_vectors(model_input), products)
        known = companies.known if params.get("exclude_known", True) else None
        best = recommend(self._package.model.score(companies), known, params.get("top_k", self._package.about.top_k))
        names = self._package.product_ids
        return pd.DataFrame(
            {
                "product_ids": [[names[product] for product in ranked] for ranked, _ in best],
                "scores": [scores.astype(float).tolist() for _, scores in best],
            },
            index=model_input.index,
        )

    def _text_vectors(self, rows: pd.DataFrame) -> np.ndarray:
        """(B, text_dimension) float32: the vectors of a company's texts, combined; zeros without text."""
        from hcf_spark.text.sources import combine_sources, combined_sources

        about = self._package.about
        sources = combined_sources(about.text_columns, about.text_combine)
        vectors = np.zeros((len(sources), len(rows), self._encoder.spec.dimension), np.float32)
        for column, found in zip(sources, vectors, strict=True):
            texts = _column(rows, column, [None] * len(rows))
            given = [row for row, text in enumerate(texts) if isinstance(text, str) and text.strip()]
            if given:
                found[given] = self._encoder.encode([texts[row] for row in given]).vectors
        return combine_sources(vectors, about.text_combine)


def _column(rows: pd.DataFrame, name: str, otherwise: list[None]) -> list[Any]:
    return rows[name].tolist() if name in rows.columns else otherwise


mlflow.models.set_model(HybridRecommender())
