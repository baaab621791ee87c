"""Vectors of several sources to one vector for each company, as ``text.combine`` says."""

from collections.abc import Sequence

import numpy as np

from hcf_spark.text.vectors import to_unit_length

MEAN, CONCATENATE = "mean", "concatenate"


def combined_sources(columns: Sequence[str], combine: str) -> list[str]:
    """The sources that a company's vector is made of.

    >>> combined_sources(["description", "wikipedia"], "mean")
    ['description', 'wikipedia']
    >>> combined_sources(["description", "wikipedia"], "wikipedia")
    ['wikipedia']
    """
    return list(dict.fromkeys(columns)) if combine in (MEAN, CONCATENATE) else [combine]


def combined_dimension(dimension: int, columns: Sequence[str], combine: str) -> int:
    """Length of a company's vector, from D of the encoder."""
    return dimension * (len(combined_sources(columns, combine)) if combine == CONCATENATE else 1)


def combine_sources(vectors: np.ndarray, combine: str) -> np.ndarray:
    """One vector for each company.

    Args:
        vectors: (S, B, D) float32 by source, in the order of ``combined_sources``; zeros where there is no text.
        combine: ``concatenate``, else the mean.

    Returns:
        (B, D) or (B, S * D) float32: a single source as it is; else at unit length, the mean of the sources that a
        company has or all side by side; zeros without any text.
    """
    if len(vectors) == 1:
        return vectors[0]
    if combine == CONCATENATE:
        return to_unit_length(np.concatenate(list(vectors), axis=1))
    return to_unit_length(vectors.sum(axis=0, dtype=np.float64))
