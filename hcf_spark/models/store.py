"""Fitted models on disk: one safetensors file that carries the model's name, never a pickle."""

import os
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from hcf_spark.models.base import Model
from hcf_spark.models.registry import model_class

_FILE = "model.safetensors"


def save_model(model: Model, folder: str | Path) -> Path:
    """Write the model's arrays and name as one file that is there whole or not at all; returns its path."""
    file = Path(folder) / _FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".unfinished")
    arrays = {key: np.ascontiguousarray(array) for key, array in model.arrays().items()}
    save_file(arrays, unfinished, metadata={"model": model.name})
    os.replace(unfinished, file)
    return file


def load_model(folder: str | Path) -> Model:
    """The model that ``save_model`` wrote to the folder.

    Raises:
        FileNotFoundError: the folder holds none.
    """
    with safe_open(Path(folder) / _FILE, framework="numpy") as file:
        arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - a safetensors file is no mapping
        return model_class(file.metadata()["model"]).from_arrays(arrays)
