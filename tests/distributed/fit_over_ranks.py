"""Fits closed forms in one process of several on its share of a snapshot, and leaves their arrays in a file."""

from functools import reduce
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch.distributed as dist

from hcf_spark.models.companies import Companies
from hcf_spark.models.ease import EaseStatistics
from hcf_spark.models.ease_text import EaseTextStatistics
from hcf_spark.models.neighbour_ridge import Neighbourhood, NeighbourRidgeStatistics
from hcf_spark.models.popularity import Popularity
from hcf_spark.models.reference import Reference
from hcf_spark.models.text_knn import TextNeighbours
from hcf_spark.models.text_ridge import TextRidgeStatistics
from hcf_spark.train.loader import Rows, SnapshotLoader, multi_hot
from hcf_spark.train.manifest import Manifest
from hcf_spark.train.snapshot import read_snapshot


def fit(rank: int, ranks: int, snapshot: Path, folder: Path) -> None:
    """Write the models that process ``rank`` of ``ranks`` has fitted to ``folder``, as one .npz file for each."""
    dist.init_process_group("gloo", f"file://{folder / 'group'}", rank=rank, world_size=ranks)
    manifest = Manifest.read(snapshot)
    rows = reduce(Rows.followed_by, SnapshotLoader(snapshot, manifest, rank, ranks, seed=0).all_rows(10_000))
    used = multi_hot(rows.known, manifest.n_products) + multi_hot(rows.held, manifest.n_products)
    own = Companies(rows.text.numpy(), sp.csr_matrix(used.numpy()), rows.index.numpy())
    everyone = read_snapshot(snapshot, manifest, 1_000, 1_000, 0).full
    for name, model in fit_all(own, everyone).items():
        np.savez(folder / f"{name} {rank} of {ranks}.npz", **model.arrays())
    dist.destroy_process_group()


def fit_all(own: Companies, everyone: Companies) -> dict:
    """The closed forms on sums over ``own``; neighbours are looked for among ``everyone``."""
    neighbourhood = Neighbourhood(TextNeighbours(Reference.of(everyone), 3), 3, 10.0)
    return {
        "popularity": Popularity.fit(own),
        "ease": EaseStatistics.of(own).fit(strength=1.0, seed=0),
        "ease_text": EaseTextStatistics.of(own).fit(strength=1.0, text_strength=1.0, cold_strength=1.0, seed=0),
        "ae": TextRidgeStatistics.of(own).fit(strength=1.0),
        "neighbour_ridge": NeighbourRidgeStatistics.of(own, neighbourhood).fit(1.0, offset=0.5),
    }
