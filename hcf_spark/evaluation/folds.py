"""Training companies held out in turn: where validation has few newcomers, more to judge by."""

from collections.abc import Iterator

import numpy as np

from hcf_spark.models.companies import Companies, Holdout, as_newcomers

_FOLDS = 4
_MOST = 1000


def cold_folds(companies: Companies, seed: int) -> Iterator[tuple[Companies, Holdout]]:
    """Split companies into four parts; each in turn is to be judged as newcomers, beside the others to learn from.

    Companies of the same text vector are in one part, so that none is recommended what its copy uses.

    Args:
        companies: with all that is known of them.
        seed: of the parts.

    Yields:
        The companies of the other parts, and those of the part that use anything, told nothing; 1,000 of them at most.
    """
    parts = np.random.default_rng(seed).integers(_FOLDS, size=len(companies))[_first_alike(companies.text)]
    for part in range(_FOLDS):
        rows = np.flatnonzero((parts == part) & (companies.known.getnnz(axis=1) > 0))
        if not len(rows):
            continue
        judged = companies.take(rows[:: -(-len(rows) // _MOST)])
        yield companies.take(np.flatnonzero(parts != part)), Holdout(as_newcomers(judged), judged.known)


def _first_alike(text: np.ndarray) -> np.ndarray:
    """(B,) int64, for each row the first that equals it; itself for one of zeros, a company without text."""
    _, first, group = np.unique(text, axis=0, return_index=True, return_inverse=True)
    return np.where(text.any(axis=1), first[group.ravel()], np.arange(len(text)))
