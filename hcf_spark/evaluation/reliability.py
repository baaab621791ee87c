"""How far probabilities can be trusted: what was foretold beside what came, in bins."""

from typing import Any

import numpy as np

from hcf_spark.evaluation.blocks import ScoredHoldout
from hcf_spark.models.ranking import csr_rows

EDGES = np.array([0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0])


def measure_reliability(scored: ScoredHoldout) -> dict[str, Any]:
    """Expected calibration error over all cells that are not known, and the bins that it comes from.

    The error is the mean over cells of |share foretold - share that came| of their bin (Naeini et al. 2015); the bins
    are narrow where probabilities are small, since most cells lie there.

    Args:
        scored: by probabilities.

    Returns:
        ``error``, and ``bins``: for each that is not empty its cells, ``foretold`` and ``came``.
    """
    size = len(EDGES) - 1
    cells, foretold, came = np.zeros(size), np.zeros(size), np.zeros(size)
    for block, scores in scored:
        is_open = np.isfinite(scores)
        place = np.clip(np.searchsorted(EDGES, scores, side="right") - 1, 0, size - 1)
        cells += np.bincount(place[is_open], minlength=size)
        foretold += np.bincount(place[is_open], scores[is_open], minlength=size)
        came += np.bincount(place[csr_rows(block.hidden), block.hidden.indices], minlength=size)
    filled = np.flatnonzero(cells)
    error = float(np.abs(foretold - came).sum() / cells.sum())
    return {
        "error": error,
        "bins": [
            {
                "cells": int(cells[number]),
                "foretold": float(foretold[number] / cells[number]),
                "came": float(came[number] / cells[number]),
            }
            for number in filled
        ],
    }
