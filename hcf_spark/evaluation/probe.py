"""BPDM, the paper's probe (arXiv 2410.20325): how well do a model's company vectors tell each product?"""

import numpy as np

from hcf_spark.evaluation.blocks import ScoredHoldout, embed_by_blocks
from hcf_spark.evaluation.evaluate import Metrics, evaluate, mean_ndcg, ndcg_and_threshold
from hcf_spark.models.base import Model
from hcf_spark.models.companies import Companies, Holdout
from hcf_spark.models.text_ridge import TextRidgeStatistics

_STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
_JUDGED_FOR_STRENGTH = 4000


def probe(
    inner_model: Model,
    inner: Companies,
    validation: Holdout,
    full_model: Model,
    full: Companies,
    test: Holdout,
    cutoff: int,
) -> Metrics:
    """Ridge from company vectors to products, the same for every model: ``TextRidge`` with vectors in place of text.

    Its strength (by some of the companies, if there are many) and its threshold are chosen on validation, with vectors
    of the model fitted on ``inner``; then it is fitted on the vectors of ``full`` and judged on ``test``.

    Args:
        inner_model: fitted on ``inner``.
        validation: the warm holdout of ``inner``.
        full_model: fitted on ``full``, with the same settings.
        test: the warm holdout of ``full``.
        cutoff: K of the ranking metrics.
    """
    inner_vectors = embed_by_blocks(inner_model, inner)
    validation = _seen_by(inner_model, validation, inner, inner_vectors)
    fit = TextRidgeStatistics.of(inner.with_text(inner_vectors)).fit
    some = validation.take(slice(None, None, -(-len(validation) // _JUDGED_FOR_STRENGTH)))
    strength = max(_STRENGTHS, key=lambda strength: mean_ndcg(fit(strength), some, cutoff))
    _, threshold = ndcg_and_threshold(fit(strength), validation, cutoff)
    vectors = embed_by_blocks(full_model, full)
    ridge = TextRidgeStatistics.of(full.with_text(vectors)).fit(strength)
    return evaluate(ScoredHoldout.of(ridge, _seen_by(full_model, test, full, vectors)), cutoff, threshold)


def _seen_by(model: Model, holdout: Holdout, train: Companies, vectors: np.ndarray) -> Holdout:
    """The holdout with company vectors for texts; ``vectors`` are those of ``train``, whose companies it mostly has."""
    companies, rows_of = holdout.companies, {index: row for row, index in enumerate(train.index.tolist())}
    rows = np.array([rows_of.get(index, -1) for index in companies.index.tolist()])
    is_told_the_same = (rows >= 0).all() and not (train.known[rows] != companies.known).nnz
    vectors = vectors[rows] if is_told_the_same else embed_by_blocks(model, companies)
    return Holdout(companies.with_text(vectors), holdout.hidden)
