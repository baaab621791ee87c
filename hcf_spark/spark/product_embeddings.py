"""Product vectors of a model version, for indexes that rank products by inner product with a company vector."""

import hashlib
import json
from pathlib import Path

from hcf_spark.spark import schemas
from hcf_spark.spark.score_blocks import load_package
from hcf_spark.spark.tables import Tables

TABLE = "product_embeddings"


def write_product_embeddings(tables: Tables, package: Path, version: str) -> None:
    """Write ``product_embeddings`` of a model version, unless they are there; runs jobs.

    A model without product vectors has no rows.

    Args:
        tables: the tables; there is ``company_embeddings``.
        package: folder of the model package.
        version: of the model; rows of other versions stay.
    """
    from hcf_spark.models.product_vectors import product_vectors

    loaded = load_package(str(package))
    vectors = product_vectors(loaded.model)
    digest = None if vectors is None else hashlib.sha256(vectors.tobytes()).hexdigest()
    stamp = json.dumps([version, digest])
    if tables.stamp(TABLE) == stamp:
        return
    rows = [] if vectors is None else zip(loaded.product_ids, vectors.tolist(), strict=True)
    spark = tables.read("company_embeddings", "score_companies").sparkSession
    frame = spark.createDataFrame([(product, version, vector) for product, vector in rows], schemas.PRODUCT_EMBEDDINGS)
    tables.replace_where(TABLE, frame, schemas.PRODUCT_EMBEDDINGS, "model_version", version, stamp)
