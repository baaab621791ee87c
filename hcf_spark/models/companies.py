"""What every model is given about companies: text vectors and known products, row by row."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from hcf_spark.models.ranks import over_ranks


@dataclass(frozen=True)
class Companies:
    """A batch of companies.

    Attributes:
        text: (B, D) float32, the text vectors; a row of zeros where a company has no text.
        known: (B, P) float32 CSR, 1 where a company is known to use a product.
        index: (B,) int64, the company's ``company_idx`` at training time; -1 for a company the model has not seen.
        words: (B, W) float32 CSR, how often each hashed word is in the company's texts; None where only the vectors of
            the texts are at hand.
    """

    text: np.ndarray
    known: sp.csr_matrix
    index: np.ndarray
    words: sp.csr_matrix | None = None

    def __post_init__(self) -> None:
        if not len(self.text) == self.known.shape[0] == len(self.index):
            raise ValueError(
                f"companies need one text vector, one row of products and one index each; "
                f"found {len(self.text)}, {self.known.shape[0]} and {len(self.index)}"
            )
        if self.words is not None and self.words.shape[0] != len(self):
            raise ValueError(f"{len(self)} companies need one row of words each; found {self.words.shape[0]}")

    def __len__(self) -> int:
        return len(self.index)

    def take(self, rows: np.ndarray | slice) -> "Companies":
        """The companies at ``rows``, in that order."""
        words = None if self.words is None else self.words[rows]
        return Companies(self.text[rows], self.known[rows], self.index[rows], words)

    def with_text(self, text: np.ndarray) -> "Companies":
        """The same companies with other vectors in place of the text's, for probing an embedding."""
        return replace(self, text=text.astype(np.float32, copy=False))


def told_nothing(companies: Companies) -> Companies:
    """The same companies without their products."""
    return replace(companies, known=sp.csr_matrix(companies.known.shape, dtype=np.float32))


def as_newcomers(companies: Companies) -> Companies:
    """The same companies as ones that no model has seen, without their products."""
    return replace(told_nothing(companies), index=np.full(len(companies), -1, np.int64))


def unknown_companies(count: int, text_dimension: int, n_products: int) -> Companies:
    """Companies of which nothing is known: no text, no product, not seen in training."""
    known = sp.csr_matrix((count, n_products), dtype=np.float32)
    return Companies(np.zeros((count, text_dimension), np.float32), known, np.full(count, -1, np.int64))


@dataclass(frozen=True)
class Holdout:
    """Companies with what a model may see of them, and the products it has to find.

    Attributes:
        companies: B companies; ``known`` holds only what may be seen (nothing, in the cold regime).
        hidden: (B, P) float32 CSR, the withheld products; disjoint from ``known``, at least one in each row.
        n_tokens: (B,) int64, length of the companies' texts, 0 without text; None where it is not known.
    """

    companies: Companies
    hidden: sp.csr_matrix
    n_tokens: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.companies)

    def take(self, rows: np.ndarray | slice) -> "Holdout":
        """The companies at ``rows``, in that order."""
        n_tokens = None if self.n_tokens is None else self.n_tokens[rows]
        return Holdout(self.companies.take(rows), self.hidden[rows], n_tokens)

    def revealed_to(self, companies: Companies) -> Companies:
        """``companies``, with the withheld products of those among them (by ``index``) that are judged here."""
        rows = {company: row for row, company in enumerate(companies.index.tolist())}
        pairs = [
            (rows[company], judged) for judged, company in enumerate(self.companies.index.tolist()) if company in rows
        ]
        own, judged = np.array(pairs, np.int64).reshape(-1, 2).T
        shape = (len(companies), len(self))
        chosen = sp.csr_matrix((np.ones(len(pairs), np.float32), (own, judged)), shape)
        return replace(companies, known=(companies.known + chosen @ self.hidden).tocsr())


@dataclass(frozen=True)
class Regimes:
    """Both ways of judging: ``warm``, products of companies seen in training; ``cold``, companies held out whole."""

    warm: Holdout
    cold: Holdout


def unit_rows(text: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Text vectors centred by ``mean`` and scaled to length 1; rows of zeros (no text) stay zeros.

    Args:
        text: (B, D) float32.
        mean: (D,) float32, from training companies (``text_mean``).
    """
    has_text = np.any(text != 0, axis=1, keepdims=True)
    centred = np.where(has_text, text - mean, 0).astype(np.float32)
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)


def text_mean(text: np.ndarray) -> np.ndarray:
    """(D,) float32 mean of the rows that have text."""
    has_text = np.any(text != 0, axis=1)
    total, count = over_ranks(text[has_text].sum(axis=0, dtype=np.float64)), over_ranks(np.array([has_text.sum()]))
    return (total / np.maximum(count, 1)).astype(np.float32)
