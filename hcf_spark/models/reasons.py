"""Why a product is recommended: what popularity, the text and each known product add to its score."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp

from hcf_spark.models.base import Model
from hcf_spark.models.companies import Companies, unknown_companies

PRODUCT, OTHER_PRODUCTS, TEXT, POPULARITY = "product", "other products", "text", "popularity"

_CONSIDERED = 30
_NAMED = 3
_CELLS = 8_000_000
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Reason:
    """A part of a score.

    Attributes:
        kind: what carried it.
        name: of the known product, where it is one.
        share: in the units of the score; below 0 where it speaks against the product.
    """

    kind: Literal["product", "other products", "text", "popularity"]
    name: str | None
    share: float


def explain(
    model: Model, companies: Companies, products: Sequence[np.ndarray], product_names: Sequence[str]
) -> list[list[list[Reason]]]:
    """Split scores into the parts that carried them, by scores of the same company with parts of it left out.

    With s(text, known, index) the score of product j, in turn

        popularity = s(none, none, unseen)
        learnt     = s(none, none, index) - s(none, none, unseen)
        text       = s(text, none, index) - s(none, none, index)
        products   = s(text, known, index) - s(text, none, index) + learnt

    "Learnt" is what a model has fitted to the products that a training company had; it is 0 for models that work on
    what they are given. Known product k gets its leave-one-out effect e_k = s(text, known, index) -
    s(text, known without k, index) and of the rest, r = products - sum e, the part |e_k| / sum |e|: where all effects
    point one way, that is e scaled to sum to "products". The three largest are named, the others summed; if no
    effect is there, all of "products" is unnamed. Of more than 30 known products the 30 least popular are left out one
    by one, the others together.

    Costs a scoring of n + 3 variants for a company with n known products, so ask for the rows that will be read.

    Args:
        model: of any kind.
        companies: B companies.
        products: for each company the product indices to explain.
        product_names: the P names, by product_idx.

    Returns:
        For each company, for each of its products, the reasons, largest share first; they sum to the score (float64
        sum of float32 scores).
    """
    popularity = _score(model, unknown_companies(1, companies.text.shape[1], companies.known.shape[1]))[0]
    reasons = []
    for block in _blocks(companies):
        left_out = [_left_out(companies.known[row].indices, popularity) for row in block]
        variants = _variants(companies.take(block), left_out)
        ends = np.cumsum([3 + len(some) for some in left_out])
        scores = np.split(_score(model, variants), ends[:-1])
        for row, some, of_row in zip(block, left_out, scores, strict=True):
            asked = products[row]
            labels = [product_names[known[0]] if len(known) == 1 else None for known in some]
            shares = _shares(popularity[asked], of_row[:, asked])
            reasons.append([_reasons(labels, column) for column in shares.T])
    return reasons


def _score(model: Model, companies: Companies) -> np.ndarray:
    return model.score(companies).astype(np.float64)


def _blocks(companies: Companies) -> Iterator[np.ndarray]:
    """Rows, so many at a time that the scores of their variants are held easily."""
    counts = 4 + np.minimum(companies.known.getnnz(axis=1), _CONSIDERED)
    most = max(1, _CELLS // max(companies.known.shape[1], 1))
    number = np.cumsum(counts) // most
    yield from np.split(np.arange(len(companies)), np.flatnonzero(np.diff(number)) + 1) if len(companies) else ()


def _left_out(known: np.ndarray, popularity: np.ndarray) -> list[np.ndarray]:
    """The sets of known products that are left out in turn."""
    if len(known) <= _CONSIDERED:
        return list(known[:, None])
    order = known[np.argsort(popularity[known], kind="stable")]
    return [*order[:_CONSIDERED, None], order[_CONSIDERED:]]


def _variants(companies: Companies, left_out: Sequence[Sequence[np.ndarray]]) -> Companies:
    """Each company without text and products, with its text, with both, and with each of ``left_out`` left out."""
    nothing = np.zeros(0, np.int32)
    known = []
    for row, some in enumerate(left_out):
        own = companies.known[row].indices
        known += [nothing, nothing, own, *(np.setdiff1d(own, products) for products in some)]
    counts = [3 + len(some) for some in left_out]
    told = companies.take(np.repeat(np.arange(len(companies)), counts))
    has_text = np.ones(len(told), np.float32)
    has_text[np.cumsum(counts) - counts] = 0
    starts = np.concatenate([[0], np.cumsum([len(products) for products in known])])
    columns = np.concatenate(known)
    shape = len(known), companies.known.shape[1]
    matrix = sp.csr_matrix((np.ones(len(columns), np.float32), columns, starts), shape)
    words = None
    if told.words is not None:
        words = sp.csr_matrix(told.words.multiply(has_text[:, None]))
        words.eliminate_zeros()
    return Companies(told.text * has_text[:, None], matrix, told.index, words)


def _shares(popularity: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(3 + n, m) shares of popularity, text, unnamed products and each set left out, from the variants' (3 + n, m)."""
    nothing, with_text, whole = scores[:3]
    products = whole - with_text + nothing - popularity
    effects = whole - scores[3:]
    effects[np.abs(effects) <= _ROUNDING * np.abs(scores).max(axis=0)] = 0
    sizes = np.abs(effects).sum(axis=0)
    parts = np.divide(np.abs(effects), sizes, out=np.zeros_like(effects), where=sizes > 0)
    effects += parts * (products - effects.sum(axis=0))
    return np.vstack([popularity, with_text - nothing, np.where(sizes > 0, 0, products), effects])


def _reasons(labels: Sequence[str | None], shares: np.ndarray) -> list[Reason]:
    """Reasons of one product, largest first, from a column of ``_shares``."""
    popularity, text, unnamed, effects = shares[0], shares[1], shares[2], shares[3:]
    largest = [place for place in np.argsort(-np.abs(effects), kind="stable") if labels[place] and effects[place]]
    named = largest[:_NAMED]
    unnamed += np.delete(effects, named).sum()
    found = [
        Reason(POPULARITY, None, float(popularity)),
        Reason(TEXT, None, float(text)),
        Reason(OTHER_PRODUCTS, None, float(unnamed)),
        *(Reason(PRODUCT, labels[place], float(effects[place])) for place in named),
    ]
    return sorted((reason for reason in found if reason.share), key=lambda reason: -reason.share)
