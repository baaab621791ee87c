"""The training companies that a model carries to compare others with, held to a number."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from hcf_spark.models.base import Model
from hcf_spark.models.reference import BaseReference
from hcf_spark.models.text_knn import TextNeighbours


def limit_references(model: Model, limit: int, seed: int) -> Model:
    """The model with at most ``limit`` companies in each of its references, drawn by seed.

    Args:
        model: of any kind; all of its parts are looked through.
        limit: companies, 1 at least.
        seed: of the draw, the same companies for references of the same size.

    Returns:
        A model that shares all else with ``model``; ``model`` itself where nothing is above the limit.
    """
    return _limited(model, limit, seed)


def _limited(part: Any, limit: int, seed: int) -> Any:
    if isinstance(part, BaseReference):
        if len(part) <= limit:
            return part
        return part.take(np.sort(np.random.default_rng(seed).permutation(len(part))[:limit]))
    if isinstance(part, TextNeighbours):
        reference = _limited(part.reference, limit, seed)
        return part if reference is part.reference else TextNeighbours(reference, part.size)
    if isinstance(part, tuple):
        parts = tuple(_limited(each, limit, seed) for each in part)
        return part if all(new is old for new, old in zip(parts, part, strict=True)) else parts
    if is_dataclass(part):
        values = {field.name: getattr(part, field.name) for field in fields(part)}
        limited = {name: _limited(value, limit, seed) for name, value in values.items()}
        changed = {name: new for name, new in limited.items() if new is not values[name]}
        return replace(part, **changed) if changed else part
    return part
