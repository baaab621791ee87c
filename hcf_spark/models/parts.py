"""Models made of models: their parts' arrays side by side."""

from collections.abc import Mapping

import numpy as np

from hcf_spark.models.base import Model
from hcf_spark.models.registry import model_class


def pack_parts(**parts: Model) -> dict[str, np.ndarray]:
    """The parts' arrays, as ``<role>/<name>/<array>``."""
    return {f"{role}/{part.name}/{key}": array for role, part in parts.items() for key, array in part.arrays().items()}


def unpack_part(arrays: Mapping[str, np.ndarray], role: str) -> Model:
    """The part that ``pack_parts`` was given as ``role``."""
    own = {key.split("/", 2)[2]: array for key, array in arrays.items() if key.startswith(f"{role}/")}
    name = next(key.split("/", 2)[1] for key in arrays if key.startswith(f"{role}/"))
    return model_class(name).from_arrays(own)
