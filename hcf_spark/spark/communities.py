"""Communities of all companies, by the company vectors of one model version."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W

from hcf_spark.communities.detect import Detected, detect_communities
from hcf_spark.communities.rewired import AgainstChance, compare_with_rewired
from hcf_spark.config import Config
from hcf_spark.errors import DataError
from hcf_spark.spark import schemas
from hcf_spark.spark.draws import uniform
from hcf_spark.spark.tables import Tables

_MEMBERS = "company_id string, community int"
_MOST_REWIRED = 5_000
_FILE = "landmarks.safetensors"


def build_communities(tables: Tables, config: Config, version: str, folder: Path) -> tuple[Detected, list[str]]:
    """Write ``company_communities``; runs jobs.

    At most ``communities.max_companies`` companies, drawn by seed, make the graph on the driver. All others are placed
    on the executors, each where most of its nearest companies in the graph are. Companies of which nothing is known
    have no row.

    Args:
        tables: the tables.
        config: settings.
        version: of the model.
        folder: for what the executors read, seen by all nodes.

    Returns:
        What was found in the graph, and the ids of its companies in order.

    Raises:
        DataError: there are no vectors of this version, or they tell no company from another.
    """
    settings = config.communities
    vectors = tables.read("company_embeddings", "score_companies").where(F.col("model_version") == version)
    in_order = vectors.orderBy(uniform(config.seed, "communities", F.col("company_id")), "company_id")
    drawn = in_order.limit(settings.max_companies).select("company_id", "embedding").toPandas()
    if drawn.empty:
        raise DataError(f"table company_embeddings has no vector of model version {version}: run score_companies first")
    detected = detect_communities(
        np.stack(drawn["embedding"]).astype(np.float32), settings.neighbours, settings.resolution, config.seed
    )
    if detected is None:
        raise DataError(
            f"the company vectors of model version {version} are all alike, so that there are no communities to find: "
            "score the companies with a model that tells them apart"
        )
    detected.landmarks.save(folder / _FILE)
    members = drawn.iloc[detected.rows][["company_id"]].assign(community=detected.partition.labels.astype(np.int32))
    others = vectors.join(_frame(vectors, drawn[["company_id"]], "company_id string"), "company_id", "left_anti")
    placed = others.mapInPandas(make_place_fn(str(folder / _FILE), settings.neighbours), _MEMBERS)
    everyone = _frame(vectors, members, _MEMBERS).unionByName(placed)
    sized = everyone.withColumn("size", F.count(F.lit(1)).over(W.partitionBy("community")))
    stamped = sized.withColumn("model_version", F.lit(version))
    tables.overwrite("company_communities", stamped, schemas.COMPANY_COMMUNITIES)
    return detected, members["company_id"].tolist()


def make_place_fn(landmarks: str, neighbours: int) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """Worker code: (company_id, embedding) in, (company_id, community) out; companies without a vector are left out.

    Args:
        landmarks: file of the ``Landmarks``.
        neighbours: landmarks that are asked for each company.
    """

    def place(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        from hcf_spark.communities.detect import Landmarks

        loaded = None
        for batch in batches:
            loaded = loaded or Landmarks.load(Path(landmarks))
            labels = loaded.place(np.stack(batch["embedding"]).astype(np.float32), neighbours)
            placed = pd.DataFrame({"company_id": batch["company_id"], "community": labels.astype(np.int32)})
            yield placed[placed["community"] >= 0]

    return place


def compare_with_chance(usage: DataFrame, ids: Sequence[str], labels: np.ndarray, config: Config) -> AgainstChance:
    """The communities in what companies use, against usage rewired; collects the usage of 5,000 companies at most.

    Args:
        usage: company_id, product_id, no pair twice.
        ids: of companies in random order.
        labels: (len(ids),) int64, their communities.
        config: settings.
    """
    ids, settings = list(ids[:_MOST_REWIRED]), config.communities
    chosen = _frame(usage, pd.DataFrame({"company_id": ids}), "company_id string")
    pairs = usage.join(chosen, "company_id").select("company_id", "product_id").toPandas()
    rows = pd.Index(ids).get_indexer(pairs["company_id"])
    columns, products = pd.factorize(pairs["product_id"], sort=True)
    order = np.lexsort((columns, rows))
    cells = (np.ones(len(pairs), np.float32), (rows[order], columns[order]))
    known = sp.csr_matrix(cells, shape=(len(ids), len(products)))
    return compare_with_rewired(known, labels[: len(ids)], settings.neighbours, settings.resolution, config.seed)


def _frame(like: DataFrame, rows: pd.DataFrame, schema: str) -> DataFrame:
    return like.sparkSession.createDataFrame(rows, schema)
