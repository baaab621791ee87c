"""Companies nobody has seen, after some of their products became known: what a model makes of them without training."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from hcf_spark.evaluation.blocks import score_blocks
from hcf_spark.evaluation.slices import Slices, ranking_figures
from hcf_spark.models.base import Model
from hcf_spark.models.companies import Companies, Holdout
from hcf_spark.models.ranking import csr_rows, top_k

TOLD = (0, 1, 2, 3, 5)
_MOST_COMPANIES = 2_000


def slice_told_products(model: Model, cold: Holdout, cutoff: int, seed: int) -> Slices:
    """Recall@K, NDCG@K and the number of companies, by the number of products that the model is told.

    The companies and the products to be found are the same at every number, so that the figures can be compared: those
    of companies with more than ``max(TOLD)`` products, what lies beyond the first ``max(TOLD)`` in a drawn order. These
    first ones are told one after the other and never ranked. Empty if no company has that many.

    Args:
        model: that has not seen the companies.
        cold: the companies held out; the first 2,000 with enough products are taken.
        cutoff: K.
        seed: of the order.
    """
    rows = np.flatnonzero(cold.hidden.getnnz(axis=1) > max(TOLD))[:_MOST_COMPANIES]
    if not len(rows):
        return {}
    companies = cold.companies.take(rows)
    told = dict(tell_products(cold.hidden[rows], seed))
    reserved = told[max(TOLD)]
    to_find = (cold.hidden[rows] - reserved).tocsr()
    return {
        str(number): ranking_figures(_rank(model, replace(companies, known=known), reserved, cutoff), to_find, cutoff)
        for number, known in told.items()
    }


def tell_products(used: sp.csr_matrix, seed: int) -> Iterator[tuple[int, sp.csr_matrix]]:
    """Each number in ``TOLD`` with the first so many products of every company, in an order drawn by seed.

    Args:
        used: (B, P) float32 CSR.
        seed: of the order.

    Yields:
        The number, and (B, P) float32 CSR that holds what the one before held.
    """
    row = csr_rows(used)
    order = np.lexsort((np.random.default_rng(seed).random(used.nnz), row))
    place = np.empty(used.nnz, np.int64)
    place[order] = np.arange(used.nnz) - used.indptr[row]
    for number in TOLD:
        first = place < number
        yield number, sp.csr_matrix((used.data[first], (row[first], used.indices[first])), shape=used.shape)


def _rank(model: Model, companies: Companies, reserved: sp.csr_matrix, cutoff: int) -> np.ndarray:
    ranked = []
    for block, scores in score_blocks(model, Holdout(companies, reserved)):
        scores[csr_rows(block.hidden), block.hidden.indices] = -np.inf
        ranked.append(top_k(scores, cutoff))
    return np.concatenate(ranked)
