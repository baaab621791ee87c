"""Ranking all products for all companies against Spark MLlib's ALS with the same factors; latency for one company.

make benchmark NAME=score [OUT=file]; python -m benchmarks.score --companies 10000 --products 1000 is quick
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyspark.ml.recommendation import ALS, ALSModel
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from benchmarks import latency
from benchmarks.command import DEMO
from hcf_spark.config import load_config
from hcf_spark.log import configure_logging
from hcf_spark.models.hcf import Hcf
from hcf_spark.models.package import About, ModelPackage
from hcf_spark.spark.score_blocks import RANKED, make_score_fn
from hcf_spark.spark.session import get_session

USED_PER_COMPANY = 5
TURNS = 3
TOLERANCE = 1e-4
REFERENCE_COMPANIES, CALLS = 20_000, 300


def fit_als(spark: SparkSession, sizes: argparse.Namespace) -> ALSModel:
    """MLlib's model after one iteration on interactions drawn at random; every company and product has some."""
    random = np.random.default_rng(sizes.seed)
    n_drawn = sizes.companies * USED_PER_COMPANY
    companies = np.arange(n_drawn) % sizes.companies
    products = np.concatenate([np.arange(sizes.products), random.integers(0, sizes.products, n_drawn)])[:n_drawn]
    pairs = spark.createDataFrame(pd.DataFrame({"company": companies, "product": products, "weight": 1.0}))
    als = ALS(
        rank=sizes.factors, maxIter=1, implicitPrefs=True, seed=sizes.seed,
        userCol="company", itemCol="product", ratingCol="weight",
    )  # fmt: skip
    return als.fit(pairs)


def save_package(als: ALSModel, folder: Path) -> None:
    """The same factors as a model of this project."""
    companies, products = (_matrix(factors) for factors in (als.userFactors, als.itemFactors))
    size = companies.shape[1]
    zero, bias = np.zeros(size, np.float32), np.zeros(len(products), np.float32)
    model = Hcf.from_arrays(
        {"companies.weight": companies, "products.weight": products, "products.bias": bias, "text_mean": zero}
    )
    about = About(("text",), encoder={}, encoder_id="none", text_dimension=size, snapshot_id="none", top_k=20)
    product_ids = [str(product) for product in range(len(products))]
    company_ids = [str(company) for company in range(len(companies))]
    ModelPackage(model, product_ids, product_ids, company_ids, about).save(folder)


def _matrix(factors: DataFrame) -> np.ndarray:
    return np.stack(factors.orderBy("id").toPandas()["features"]).astype(np.float32)


def make_rows(spark: SparkSession, n_companies: int, size: int) -> DataFrame:
    """Companies as ``score_companies`` hands them to its workers; without text, as MLlib has none."""
    return spark.range(n_companies).select(
        F.col("id").cast("string").alias("company_id"),
        F.array_repeat(F.lit(0.0).cast("float"), size).alias("text"),
        F.lit(None).cast("string").alias("texts"),
        F.array().cast("array<string>").alias("products"),
        F.lit(0).cast("bigint").alias("input_hash"),
        F.lit(True).alias("is_changed"),
    )


def compare(spark: SparkSession, sizes: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Seconds of both, and how far their answers are apart; the answers for a tenth of the companies warm both up.

    They take turns, and the median of their times is taken.
    """
    als = fit_als(spark, sizes)
    save_package(als, folder)
    rows = make_rows(spark, sizes.companies, sizes.factors)
    one_way, both_ways = (make_score_fn(str(folder), sizes.top_k, size) for size in (0, sizes.top_k))
    n_some = sizes.companies // 10
    some = als.userFactors.where(F.col("id") < n_some).select(F.col("id").alias("company"))
    theirs = als.recommendForUserSubset(some, sizes.top_k).collect()
    cores = spark.sparkContext.defaultParallelism
    ours = rows.limit(n_some).repartition(cores).mapInArrow(one_way, RANKED).collect()
    frames = (
        rows.mapInArrow(one_way, RANKED),
        rows.mapInArrow(both_ways, RANKED),
        als.recommendForAllUsers(sizes.top_k),
    )
    turns = [[measure_seconds(frame) for frame in frames] for _ in range(TURNS)]
    seconds, seconds_both_ways, mllib_seconds = np.median(turns, axis=0).tolist()
    return {
        "companies": sizes.companies, "products": sizes.products, "factors": sizes.factors, "top_k": sizes.top_k,
        "cores": cores, "seconds": seconds, "seconds_both_ways": seconds_both_ways, "mllib_seconds": mllib_seconds,
        "ratio_to_mllib": mllib_seconds / seconds, "agreement": measure_agreement(theirs, ours),
    }  # fmt: skip


def measure_agreement(theirs: list[Row], ours: list[Row]) -> dict[str, float]:
    """Largest difference of scores rank by rank, and share of the products that both have, for some companies."""
    expected = {str(row.company): row.recommendations for row in theirs}
    found = {row.id: row for row in ours}
    pairs = [(found[company], best) for company, best in expected.items()]
    difference = max(np.abs(np.subtract(row.scores, [cell.rating for cell in best])).max() for row, best in pairs)
    shared = [len(set(row.ids) & {str(cell.product) for cell in best}) / len(best) for row, best in pairs]
    return {"companies": len(pairs), "largest_difference": float(difference), "shared": float(np.mean(shared))}


def measure_seconds(frame: DataFrame) -> float:
    """Until every row has been made; none is kept."""
    start = time.perf_counter()
    frame.write.format("noop").mode("overwrite").save()
    return time.perf_counter() - start


def measure_latency(n_products: int, folder: Path) -> dict[str, float]:
    """``latency_ms`` of benchmarks/latency.py, over as many products."""
    model = latency.load_registered(REFERENCE_COMPANIES, n_products, folder)
    return latency.measure(model, latency.make_texts(CALLS))


def main(argv: list[str] | None = None) -> int:
    """Print what was found, and write it as JSON where --out says; 1 if the two do not agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("companies", 100_000), ("products", 5_000), ("factors", 64), ("top_k", 20), ("seed", 0)):
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default)
    parser.add_argument("--out")
    flags = parser.parse_args(argv)
    configure_logging("warning")
    with tempfile.TemporaryDirectory() as folder:
        spark = get_session("benchmark", load_config([DEMO], [f"output={folder}", "log_level=warning"]))
        found = compare(spark, flags, Path(folder) / "package")
        spark.stop()
        found["latency_ms"] = measure_latency(flags.products, Path(folder))
    for name, value in found.items():
        print(f"{name:36} {value}")
    if flags.out:
        Path(flags.out).write_text(json.dumps(found, indent=1), encoding="utf-8")
    if found["agreement"]["largest_difference"] > TOLERANCE:
        print("error: MLlib and this project do not give the same scores", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
