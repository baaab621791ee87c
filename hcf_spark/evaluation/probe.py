"""BPDM, the paper's probe (arXiv 2410.20325): how well do a model's company vectors tell each product?"""

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
    validation = _seen_by(inner_model, validation)
    fit = TextRidgeStatistics.of(_with_vectors(inner_model, inner)).fit
    some = validation.take(slice(None, None, -(-len(validation) // _JUDGED_FOR_STRENGTH)))
    strength = max(_STRENGTHS, key=lambda strength: mean_ndcg(fit(strength), some, cutoff))
    _, threshold = ndcg_and_threshold(fit(strength), validation, cutoff)
    ridge = TextRidgeStatistics.of(_with_vectors(full_model, full)).fit(strength)
    return evaluate(ScoredHoldout(ridge, _seen_by(full_model, test)), cutoff, threshold)


def _with_vectors(model: Model, companies: Companies) -> Companies:
    return companies.with_text(embed_by_blocks(model, companies))


def _seen_by(model: Model, holdout: Holdout) -> Holdout:
    return Holdout(_with_vectors(model, holdout.companies), holdout.hidden)
