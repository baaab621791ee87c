"""Scores in both directions at once: products for a company, and companies for a product."""

import numpy as np

from hcf_spark.models.base import Model, ScoresForProducts
from hcf_spark.models.calibrated import Calibrated
from hcf_spark.models.companies import Companies
from hcf_spark.models.rotated import Rotated


def score_both_ways(model: Model, companies: Companies) -> tuple[np.ndarray, np.ndarray]:
    """What ``score`` gives, and what companies are ranked by for each product; a calibrated model is asked once.

    Returns:
        (B, P) float32 each; one and the same array where the model has no scores of its own for products.
    """
    if isinstance(model, Rotated):
        return score_both_ways(model.model, companies)
    if isinstance(model, Calibrated):
        scores = model.model.score(companies)
        return model.probabilities(scores, companies), model.for_products(scores, companies)
    scores = model.score(companies)
    return scores, model.score_for_products(companies) if isinstance(model, ScoresForProducts) else scores
