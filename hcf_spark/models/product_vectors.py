"""Product vectors: what a company vector is multiplied with to come near the scores, by an inner-product index too."""

import numpy as np

from hcf_spark.models.base import Model
from hcf_spark.models.calibrated import Calibrated
from hcf_spark.models.companies import Companies
from hcf_spark.models.rotated import Rotated


def product_vectors(model: Model) -> np.ndarray | None:
    """V, (P, d) float32: company vector u . V_j is nearly the score of product j, before calibration.

    Of ``fused`` it is less the mean of the company's scores: it ranks products for a company, not companies for a
    product. None where the model has no such vectors: its company vectors are then for comparing companies only.
    """
    if isinstance(model, Calibrated):
        return product_vectors(model.model)
    if isinstance(model, Rotated):
        vectors = product_vectors(model.model)
        return None if vectors is None else vectors @ model.rotation
    make_axes = getattr(model, "make_axes", None)
    return None if make_axes is None else make_axes()


class DotProduct:
    """Scores by company and product vectors alone.

    Args:
        model: has product vectors.
    """

    def __init__(self, model: Model) -> None:
        self.name = model.name
        self._model, self._products = model, product_vectors(model)

    def score(self, companies: Companies) -> np.ndarray:
        """(B, P) float32, U V'."""
        return self._model.embed(companies) @ self._products.T
