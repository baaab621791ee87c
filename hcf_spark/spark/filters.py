"""The density filter of the paper: sparse products and thin companies out, again and again until nothing changes."""

import logging
from dataclasses import asdict, dataclass
from math import ceil

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from hcf_spark.config import FilterSettings
from hcf_spark.errors import DataError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MatrixSize:
    """Size of a company x product matrix after a step."""

    step: str
    companies: int
    products: int
    interactions: int

    @property
    def density(self) -> float:
        """Share of cells that hold an interaction."""
        cells = self.companies * self.products
        return self.interactions / cells if cells else 0.0

    def to_dict(self) -> dict[str, str | int | float]:
        """The fields and the density."""
        return {**asdict(self), "density": self.density}


def measure(interactions: DataFrame, step: str) -> MatrixSize:
    """Count companies, products and interactions of (company_id, product_id); runs a job."""
    row = interactions.agg(
        F.countDistinct("company_id").alias("companies"),
        F.countDistinct("product_id").alias("products"),
        F.count(F.lit(1)).alias("interactions"),
    ).head()
    size = MatrixSize(step, row["companies"], row["products"], row["interactions"])
    logger.info(
        "%s: %s companies x %s products, %s interactions, density %.3f%%",
        step, f"{size.companies:,}", f"{size.products:,}", f"{size.interactions:,}", 100 * size.density,
    )  # fmt: skip
    return size


def filter_sparse(interactions: DataFrame, settings: FilterSettings) -> tuple[DataFrame, list[MatrixSize]]:
    """Drop sparse products, then thin companies, until stable.

    A product's density is its number of companies over the number of companies still in the matrix (the paper's
    density threshold). Runs jobs: each round is counted, and its lineage cut by a local checkpoint.

    Args:
        interactions: (company_id, product_id, ...), pairs distinct; training companies only.
        settings: the thresholds.

    Returns:
        The rows that are left, and the size before and after each step.

    Raises:
        DataError: nothing is left.
    """
    sizes = [measure(interactions, "before the filter")]
    for round_number in range(1, sizes[0].products + sizes[0].companies + 2):
        before = sizes[-1]
        least = max(settings.min_companies_per_product, _count_at(settings.min_product_density, before.companies))
        interactions = _with_at_least(interactions, "product_id", least)
        interactions = interactions.localCheckpoint()
        sizes.append(measure(interactions, f"round {round_number}: products with at least {least} companies"))
        interactions = _with_at_least(interactions, "company_id", settings.min_products_per_company).localCheckpoint()
        sizes.append(
            measure(
                interactions,
                f"round {round_number}: companies with at least {settings.min_products_per_company} products",
            )
        )
        if sizes[-1].interactions == 0:
            raise DataError(
                f"the density filter left nothing of {sizes[0].interactions} interactions: lower "
                "filter.min_product_density, "
                "filter.min_companies_per_product or filter.min_products_per_company"
            )
        if sizes[-1].interactions == before.interactions:
            break
    return interactions, sizes


def _count_at(density: float, companies: int) -> int:
    """The least count whose share of ``companies`` is not below ``density``.

    >>> _count_at(0.07, 100), 0.07 * 100
    (7, 7.000000000000001)
    """
    return ceil(round(density * companies, 6))


def _with_at_least(interactions: DataFrame, key: str, least: int) -> DataFrame:
    kept = interactions.groupBy(key).agg(F.count(F.lit(1)).alias("_n")).where(F.col("_n") >= least)
    return interactions.join(kept.select(key), key, "left_semi")
