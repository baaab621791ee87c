"""Draws that hang on seed, purpose and key only."""

import numpy as np
import pytest
from pyspark.sql import functions as F

from hcf_spark.spark.draws import uniform

pytestmark = pytest.mark.spark


def draw(spark, partitions):
    """Draws for 2,000 keys, by key."""
    columns = [
        uniform(0, "x", F.col("id")).alias("draw"),
        uniform(0, "x", F.col("id")).alias("again"),
        uniform(1, "x", F.col("id")).alias("other_seed"),
        uniform(0, "y", F.col("id")).alias("other_purpose"),
        uniform(0, "x", F.col("id"), F.lit(1)).alias("other_key"),
    ]
    return spark.range(0, 2_000, 1, partitions).select("id", *columns).toPandas().set_index("id").sort_index()


def test_draws(spark):
    draws = draw(spark, 1)
    assert draws.equals(draw(spark, 7))
    assert draws["again"].equals(draws["draw"])
    independent = draws.drop(columns="again")
    assert independent.ge(0).all(axis=None)
    assert independent.lt(1).all(axis=None)
    assert independent.mean().between(0.47, 0.53).all()
    assert independent.lt(0.2).mean().between(0.17, 0.23).all()
    assert (independent.corr() - np.eye(4)).abs().lt(0.1).all(axis=None)
    assert independent.stack().is_unique
