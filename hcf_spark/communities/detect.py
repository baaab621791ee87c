"""From company vectors to communities, with what tells how stable they are."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from safetensors.numpy import load_file, save_file

from hcf_spark.communities.graph import nearest, neighbour_graph
from hcf_spark.communities.leiden import Partition
from hcf_spark.communities.stability import find_best, resample
from hcf_spark.models.companies import text_mean, unit_rows


@dataclass(frozen=True)
class Landmarks:
    """Companies whose communities are known, by which others are placed.

    Attributes:
        mean: (d,) float32, of the vectors.
        unit: (C, d) float32, the centred vectors at length 1.
        labels: (C,) int64, their communities.
    """

    mean: np.ndarray
    unit: np.ndarray
    labels: np.ndarray

    def place(self, vectors: np.ndarray, neighbours: int) -> np.ndarray:
        """(B,) int64 communities: that which the nearest landmarks are most of, by their cosines; -1 without a vector.

        Args:
            vectors: (B, d) float32.
            neighbours: landmarks that are asked.
        """
        unit = unit_rows(vectors, self.mean)
        rows, cosines = nearest(unit, self.unit, min(neighbours, len(self.unit)))
        votes = np.zeros((len(vectors), self.labels.max() + 1), np.float32)
        np.add.at(votes, (np.arange(len(rows))[:, None], self.labels[rows]), np.maximum(cosines, 0))
        return np.where(unit.any(axis=1), votes.argmax(axis=1), -1)

    def save(self, file: Path) -> None:
        """Write them for other processes."""
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file({"mean": self.mean, "unit": self.unit, "labels": self.labels}, file)

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read what ``save`` wrote."""
        return cls(**load_file(file))


@dataclass(frozen=True)
class Detected:
    """Communities of the companies that have a vector.

    Attributes:
        rows: (C,) int64, those companies among all that were given.
        landmarks: their vectors and communities.
        partition: the communities in the graph of nearest neighbours.
        seeds: adjusted Rand index of every two of several seeds.
        resampling: adjusted Rand index of the communities and of those found without a fifth of the companies.
    """

    rows: np.ndarray
    landmarks: Landmarks
    partition: Partition
    seeds: list[float]
    resampling: list[float]


def detect_communities(vectors: np.ndarray, neighbours: int, resolution: float, seed: int) -> Detected | None:
    """Leiden on the graph of nearest neighbours by the cosine of centred vectors.

    Args:
        vectors: (N, d) float32; zeros where nothing is known of a company.
        neighbours: of each company in the graph.
        resolution: of Leiden.
        seed: of every random choice.

    Returns:
        The communities; None where the vectors tell no company from another.
    """
    mean = text_mean(vectors)
    unit = unit_rows(vectors, mean)
    rows = np.flatnonzero(unit.any(axis=1))
    if not len(rows):
        return None
    graph = neighbour_graph(unit[rows], neighbours)
    partition, seeds = find_best(graph, resolution, seed)
    resampling = resample(graph, partition.labels, resolution, seed)
    return Detected(rows, Landmarks(mean, unit[rows], partition.labels), partition, seeds, resampling)
