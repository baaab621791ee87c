"""The split of the interactions: one serves both regimes, and validation lies inside training."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window as W

from hcf_spark.config import SplitSettings
from hcf_spark.spark.draws import uniform

PART = "part"
TRAIN, VALID_WARM, VALID_COLD, TEST_WARM, TEST_COLD = "train", "valid_warm", "valid_cold", "test_warm", "test_cold"


def with_part(
    interactions: DataFrame, companies: DataFrame, products: DataFrame, settings: SplitSettings, seed: int
) -> DataFrame:
    """Say of each interaction what it is for.

    Held-out companies are ``test_cold``. Of every other company with at least ``min_products_to_hide`` products, a
    share is ``test_warm``, drawn or the newest. Of what is left, the interactions of a share of companies are
    ``valid_cold``; of the others, again a share of the products is ``valid_warm``, and the rest ``train``.

    The draws depend on ids, not on indices: what is held out today was held out yesterday, when other companies and
    products were there, so that the model of yesterday can be judged on it. Only where a company has changed its
    products, what is hidden of it may change too. Companies that are alike hide the same of what they have in common.

    Args:
        interactions: company_idx, product_idx, and observed_at (not null) if the newest are hidden.
        companies: company_idx, company_id, held_out (boolean), alike (the company_id of one of its group, which all
            share their draws), one row per company.
        products: product_idx, product_id, one row per product.
        settings: shares, the same for test and validation.
        seed: of the draws.

    Returns:
        company_idx, product_idx, part. Lazy.
    """
    cells = interactions.join(companies, "company_idx").join(products, "product_idx")
    cells = cells.withColumn("_hidden", ~F.col("held_out") & _hidden(F.col("held_out"), settings, seed, "test warm"))
    valid_cold = uniform(seed, "valid cold", F.col("alike")) < settings.cold_share
    cells = cells.withColumn("_valid_cold", valid_cold)
    left = F.col("held_out") | F.col("_hidden")
    cells = cells.withColumn("_valid_warm", ~left & _hidden(left, settings, seed, "valid warm"))
    part = (
        F.when(F.col("held_out"), TEST_COLD)
        .when(F.col("_hidden"), TEST_WARM)
        .when(F.col("_valid_cold"), VALID_COLD)
        .when(F.col("_valid_warm"), VALID_WARM)
        .otherwise(TRAIN)
    )
    return cells.select("company_idx", "product_idx", part.alias(PART))


def _hidden(group: Column, settings: SplitSettings, seed: int, purpose: str) -> Column:
    """True for the share of a company's interactions (within ``group``) that is hidden: at least one, never all."""
    rows = W.partitionBy("company_idx", group)
    count = F.count(F.lit(1)).over(rows)
    drawn = uniform(seed, purpose, F.col("alike"), F.col("product_id"))
    first = [F.desc("observed_at")] if settings.hide == "newest" else []
    position = F.row_number().over(rows.orderBy(*first, drawn, "product_id"))
    hide = F.least(F.greatest(F.round(count * settings.warm_share), F.lit(1)), count - 1)
    return (count >= settings.min_products_to_hide) & (position <= hide)
