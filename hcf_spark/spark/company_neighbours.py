"""Look-alikes: for each company the ones whose vectors point most nearly the same way."""

import json
import logging
from collections.abc import Callable, Iterator
from functools import lru_cache
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from pyspark.sql import functions as F

from hcf_spark.config import Config
from hcf_spark.spark import schemas
from hcf_spark.spark.staging import Staging
from hcf_spark.spark.tables import Tables

if TYPE_CHECKING:
    import faiss

logger = logging.getLogger(__name__)

_TABLE = "company_neighbours"
_NEIGHBOURS = "company_id string, neighbour_id string, rank int, similarity float"
_COMPANIES_PER_TASK = 4096
_ROWS = 2048


def write_neighbours(tables: Tables, config: Config, version: str, staging: Staging) -> None:
    """Write ``company_neighbours`` from the vectors of a model version, unless they have not changed; runs jobs.

    With ``score.neighbours`` 0 the version has no rows afterwards.
    Up to ``score.max_exact_companies`` every company is compared with every other, a block of each at a time; beyond,
    with those that an index brings up. A company whose vector is zero (the model knows nothing of it) has no
    neighbours and is none.

    Args:
        tables: the tables; ``company_embeddings`` is read.
        config: settings.
        version: of the model; rows of other versions stay.
        staging: on a path that all nodes see.
    """
    settings = config.score
    if not settings.neighbours:
        if not tables.read(_TABLE, "score_companies").where(F.col("model_version") == version).isEmpty():
            tables.delete_values(_TABLE, "model_version", [version])
        return
    vectors = tables.read("company_embeddings", "score_companies").where(F.col("model_version") == version)
    vectors = vectors.where(F.exists("embedding", lambda value: value != 0))
    found = vectors.agg(F.count(F.lit(1)).alias("n"), F.bit_xor(F.xxhash64("company_id", "input_hash"))).head()
    stamp = json.dumps([version, *found, settings.neighbours, settings.max_exact_companies])
    if tables.stamp(_TABLE) == stamp:
        return
    ordered = vectors.select("company_id", "embedding").repartitionByRange("company_id")
    with staging.keep_files(ordered, "company_id") as folder:
        if found.n > settings.max_exact_companies:
            logger.info("look-alikes among %s companies by an index", f"{found.n:,}")
            _write_index(folder, found.n, config.seed)
        tasks = max(1, ceil(found.n / _COMPANIES_PER_TASK))
        companies = vectors.sparkSession.read.schema(ordered.schema).parquet(str(folder))
        near = companies.repartition(tasks, "company_id").mapInPandas(
            make_neighbours_fn(str(folder), settings.neighbours), _NEIGHBOURS
        )
        stamped = near.withColumn("model_version", F.lit(version))
        tables.replace_where(_TABLE, stamped, schemas.COMPANY_NEIGHBOURS, "model_version", version, stamp)


def _write_index(folder: Path, n_companies: int, seed: int) -> None:
    import faiss

    from hcf_spark.models.vector_index import build_index

    index = build_index(lambda: (block for _, block in _read_unit_vectors(folder)), n_companies, seed)
    faiss.write_index(index, str(_index_file(folder)))


def _index_file(folder: Path) -> Path:
    return folder / "_index.faiss"  # Spark reads no file of such a name


def _read_unit_vectors(folder: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of company ids and their vectors, (B, d) float32 of length 1, in the order of company_id."""
    for file in sorted(folder.glob("*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(_ROWS, columns=["company_id", "embedding"]):
            vectors = batch["embedding"].flatten().to_numpy().reshape(len(batch), -1)
            yield batch["company_id"].to_numpy(zero_copy_only=False), _to_unit(vectors)


def _to_unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def make_neighbours_fn(folder: str, size: int) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """Worker code: (company_id, embedding) in, (company_id, neighbour_id, rank from 1, similarity) out.

    Args:
        folder: Parquet files of all companies, and the index where there is one.
        size: neighbours of each company.
    """

    def find(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        search = _search_index if _index_file(Path(folder)).exists() else _compare_with_all
        for batch in batches:
            ids = batch["company_id"].to_numpy()
            unit = _to_unit(np.stack(batch["embedding"].to_numpy()))
            near, cosines = search(folder, ids, unit, size)
            rows, places = np.nonzero(cosines > -np.inf)
            yield pd.DataFrame(
                {
                    "company_id": ids[rows],
                    "neighbour_id": near[rows, places],
                    "rank": (places + 1).astype(np.int32),
                    "similarity": cosines[rows, places],
                }
            )

    return find


def _compare_with_all(folder: str, ids: np.ndarray, unit: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(B, K) ids and float32 cosines of the neighbours, the nearest first; -inf where there are fewer."""
    from hcf_spark.models.running_top_k import RunningTopK

    best, own, others = RunningTopK(len(ids), size), pd.Index(ids), []
    for block_ids, block in _read_unit_vectors(Path(folder)):
        cosines = unit @ block.T
        rows = own.get_indexer(block_ids)
        itself = np.flatnonzero(rows >= 0)
        cosines[rows[itself], itself] = -np.inf
        best.add(cosines)
        others.append(block_ids)
    return np.concatenate(others)[best.columns], best.values


def _search_index(folder: str, ids: np.ndarray, unit: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """As ``_compare_with_all``, among those that the index brings up."""
    from hcf_spark.models.ranking import top_k

    index, all_ids = _load_index(folder)
    cosines, positions = index.search(unit, size + 1)
    near = all_ids[positions]
    cosines[(positions < 0) | (near == ids[:, None])] = -np.inf
    best = top_k(cosines, size)
    return np.take_along_axis(near, best, axis=1), np.take_along_axis(cosines, best, axis=1)


@lru_cache(maxsize=1)
def _load_index(folder: str) -> tuple["faiss.Index", np.ndarray]:
    import faiss

    index = faiss.read_index(str(_index_file(Path(folder))), faiss.IO_FLAG_MMAP)
    return index, np.concatenate([ids for ids, _ in _read_unit_vectors(Path(folder))])
