"""The sample world: companies, products and usage made by seed, with the truth behind them known.

A company belongs to an industry and, mostly independent of it, to a community. What it uses is drawn from three tastes:
its community's, its industry's and the whole market's. Its text tells part of that (``sample_text``). Every company has
random numbers of its own, taken from the seed and its number, so the rows do not depend on how Spark divides the work.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from hcf_spark.config import SampleSettings
from hcf_spark.errors import ConfigError
from hcf_spark.spark import sample_text as text

_MAX_CELLS = 20_000_000  # of the tables that every task holds, 8 bytes each
_ONE_PARTITION_EACH = 5_000  # companies; less than a few seconds of work
_DEFAULT_PARTITIONS_UP_TO = 100_000  # companies

_COMMUNITY_WEIGHT, _INDUSTRY_WEIGHT = 0.82, 0.13  # of a company's taste; the rest is the market's
_POPULARITY_EXPONENT, _POPULARITY_SHIFT = 1.6, 7.0
_PREFERRED_CATEGORIES = 0.2  # share of all
_PREFERENCE = 60.0  # how much more a preferred category weighs
_PRODUCT_SPREAD = 2.0  # of the logarithm of a group's liking for a single product
_COUNT_TAIL = 3.0  # the higher, the fewer companies with very many products
_REJECTION_ROUNDS = 4

_FIRST_SECOND = int(datetime(2022, 1, 1, tzinfo=UTC).timestamp())
_LAST_SECOND = int(datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
_COUNTRIES = (
    ["the United States"] * 6 + ["Germany", "France", "the United Kingdom", "Japan", "India", "Canada"] * 2
    + ["Brazil", "Italy", "Spain", "the Netherlands", "Poland", "Sweden", "Switzerland", "Mexico", "Korea", "Australia"]
)  # fmt: skip

# What a stream of random numbers is for; part of its seed.
_WORLD, _COMPANY, _EMPLOYEES, _USAGE, _TEXT = range(5)


@dataclass(frozen=True)
class SampleWorld:
    """Lazy frames of a sample world, made anew by every action on them, the same each time.

    Attributes:
        companies: company_id, name, description (null for some), industry, country, employees.
        products: product_id, name, category, vendor.
        usage: company_id, product_id, weight (> 0), observed_at (2022 to 2024); no pair twice.
        truth: company_id, industry, community; one row per company.
    """

    companies: DataFrame
    products: DataFrame
    usage: DataFrame
    truth: DataFrame


def build_sample_world(spark: SparkSession, settings: SampleSettings, seed: int) -> SampleWorld:
    """Make a sample world; lazy, nothing is kept on the driver.

    Args:
        spark: the session.
        settings: sizes of the world and how much its texts tell.
        seed: the same seed gives the same rows on any cluster.

    Returns:
        Four frames that belong together.

    Raises:
        ConfigError: the settings contradict each other, or the tables of the truth would not fit into a task's memory.
    """
    _require_possible(settings)
    companies = _numbers(spark, settings.companies)
    return SampleWorld(
        companies=_build_companies(companies, settings, seed),
        products=_build_products(_numbers(spark, settings.products), settings, seed),
        usage=_build_usage(companies, settings, seed),
        truth=_build_truth(companies, settings, seed),
    )


def _require_possible(settings: SampleSettings) -> None:
    if not 1 <= settings.products_per_company <= settings.products:
        raise ConfigError(
            f"sample.products_per_company must be from 1 to sample.products ({settings.products}), "
            f"found {settings.products_per_company}"
        )
    if settings.long_text_share + settings.no_text_share > 1:
        raise ConfigError(
            "sample.long_text_share and sample.no_text_share must be at most 1 together, "
            f"found {settings.long_text_share} and {settings.no_text_share}"
        )
    cells = (settings.communities + settings.industries + 1) * settings.products
    cells += settings.communities * settings.industries
    if cells > _MAX_CELLS:
        raise ConfigError(
            "sample: (communities + industries + 1) * products + communities * industries must be at most "
            f"{_MAX_CELLS:,}, found {cells:,}; make one of them smaller"
        )


def _numbers(spark: SparkSession, count: int) -> DataFrame:
    partitions = None if count <= _DEFAULT_PARTITIONS_UP_TO else -(-count // _ONE_PARTITION_EACH)
    return spark.range(0, count, 1, partitions).withColumnRenamed("id", "number")


def _company_id(number: str) -> Column:
    return F.format_string("c%07d", F.col(number)).alias("company_id")


def _product_id(number: str) -> Column:
    return F.format_string("p%05d", F.col(number)).alias("product_id")


def _build_companies(numbers: DataFrame, settings: SampleSettings, seed: int) -> DataFrame:
    schema = "number long, name string, description string, industry string, country string, employees int"
    columns = ["name", "description", "industry", "country", "employees"]
    rows = numbers.mapInPandas(_make_rows_fn(_company_rows, settings, seed), schema)
    return rows.select(_company_id("number"), *columns)


def _build_products(numbers: DataFrame, settings: SampleSettings, seed: int) -> DataFrame:
    schema = "number long, name string, category string, vendor string"
    rows = numbers.mapInPandas(_make_rows_fn(_product_rows, settings, seed), schema)
    return rows.select(_product_id("number"), "name", "category", "vendor")


def _build_usage(numbers: DataFrame, settings: SampleSettings, seed: int) -> DataFrame:
    schema = "company long, product long, weight double, second long"
    rows = numbers.mapInPandas(_make_rows_fn(_usage_rows, settings, seed), schema)
    observed_at = F.timestamp_seconds("second").alias("observed_at")
    return rows.select(_company_id("company"), _product_id("product"), "weight", observed_at)


def _build_truth(numbers: DataFrame, settings: SampleSettings, seed: int) -> DataFrame:
    rows = numbers.mapInPandas(
        _make_rows_fn(_truth_rows, settings, seed), "number long, industry string, community string"
    )
    return rows.select(_company_id("number"), "industry", "community")


def _make_rows_fn(
    make_rows: Callable[["_World", list[int]], pd.DataFrame], settings: SampleSettings, seed: int
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """A function for ``mapInPandas`` from numbers to rows; it draws the world once per task."""

    def rows_of_task(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        world = _World(settings, seed)
        for batch in batches:
            yield make_rows(world, batch["number"].tolist())

    return rows_of_task


def _company_rows(world: "_World", numbers: list[int]) -> pd.DataFrame:
    companies = [world.company(number) for number in numbers]
    return pd.DataFrame(
        {
            "number": numbers,
            "name": [company.name for company in companies],
            "description": [world.describe(company) for company in companies],
            "industry": [text.industry_theme(company.industry).label for company in companies],
            "country": [company.country for company in companies],
            "employees": np.array([world.employees(company) for company in companies], dtype=np.int32),
        }
    )


def _product_rows(world: "_World", numbers: list[int]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "number": numbers,
            "name": [text.product_name(number, world.seed) for number in numbers],
            "category": [text.category_theme(world.category[number]).label for number in numbers],
            "vendor": [text.vendor_name(world.vendor[number], world.seed) for number in numbers],
        }
    )


def _usage_rows(world: "_World", numbers: list[int]) -> pd.DataFrame:
    uses = [world.usage(world.company(number)) for number in numbers]
    return pd.DataFrame(
        {
            "company": np.repeat(np.asarray(numbers, dtype=np.int64), [len(use.products) for use in uses]),
            "product": np.concatenate([use.products for use in uses]),
            "weight": np.concatenate([use.weights for use in uses]),
            "second": np.concatenate([use.seconds for use in uses]),
        }
    )


def _truth_rows(world: "_World", numbers: list[int]) -> pd.DataFrame:
    companies = [world.company(number) for number in numbers]
    return pd.DataFrame(
        {
            "number": numbers,
            "industry": [text.industry_theme(company.industry).label for company in companies],
            "community": [text.community_theme(company.community).label for company in companies],
        }
    )


@dataclass(frozen=True)
class _Company:
    number: int
    name: str
    industry: int
    community: int
    country: str
    size: float  # in [0, 1), how large the company is among all


@dataclass(frozen=True)
class _Usage:
    products: np.ndarray
    weights: np.ndarray
    seconds: np.ndarray


class _World:
    """The truth of a world: who belongs where, and which products each community and each industry likes."""

    def __init__(self, settings: SampleSettings, seed: int) -> None:
        self.seed = seed
        self._settings = settings
        rng = np.random.default_rng([seed, _WORLD])
        products = settings.products
        self.category = rng.permutation(np.arange(products) % settings.categories)
        self.vendor = (rng.random(products) ** 2 * max(1, products // 4)).astype(np.int64)
        popularity = rng.permutation((np.arange(1, products + 1) + _POPULARITY_SHIFT) ** -_POPULARITY_EXPONENT)
        groups = settings.communities + settings.industries
        self._tastes = _cumulative(np.vstack([_tastes(rng, groups, popularity, self.category), popularity]))
        self._industry_up_to = _cumulative(rng.dirichlet(np.full(settings.industries, 10.0))[None])
        self._community_up_to = _cumulative(_memberships(rng, settings.industries, settings.communities))

    @cached_property
    def _count_scale(self) -> float:
        return _count_scale(self._settings.products_per_company, self._settings.products)

    def company(self, number: int) -> _Company:
        """Who the company is."""
        rolls = np.random.default_rng([self.seed, _COMPANY, number]).random(4)
        industry = int(np.searchsorted(self._industry_up_to, rolls[0], side="right"))
        community = np.searchsorted(self._community_up_to, industry + rolls[1], side="right")
        return _Company(
            number=number,
            name=text.company_name(number, self.seed),
            industry=industry,
            community=int(community) % self._settings.communities,
            country=_COUNTRIES[int(rolls[2] * len(_COUNTRIES))],
            size=rolls[3],
        )

    def employees(self, company: _Company) -> int:
        """Number of employees: large companies use more products."""
        noise = np.random.default_rng([self.seed, _EMPLOYEES, company.number]).normal()
        return int(np.clip(200 * (company.size / (1 - company.size)) ** 0.8 * np.exp(0.6 * noise), 1, 500_000))

    def usage(self, company: _Company) -> _Usage:
        """What the company uses, how much and since when."""
        rng = np.random.default_rng([self.seed, _USAGE, company.number])
        products = self._draw_products(company, rng)
        return _Usage(
            products=products,
            weights=np.maximum(np.round(rng.lognormal(0.0, 0.4, len(products)), 3), 0.001),
            seconds=rng.integers(_FIRST_SECOND, _LAST_SECOND, len(products), endpoint=True),
        )

    def describe(self, company: _Company) -> str | None:
        """The company's text, long for some, None for some."""
        rng = np.random.default_rng([self.seed, _TEXT, company.number])
        dice = text.Dice(rng)
        kind = dice.roll()
        if kind < self._settings.no_text_share:
            return None
        long = kind < self._settings.no_text_share + self._settings.long_text_share
        compose = text.compose_report if long else text.compose_description
        return compose(self._facts(company), self._settings.text_informativeness, dice)

    def _facts(self, company: _Company) -> text.CompanyFacts:
        products = self.usage(company).products.tolist()
        return text.CompanyFacts(
            name=company.name,
            country=company.country,
            industry=company.industry,
            community=company.community,
            categories=self.category[products].tolist(),
            products=[text.product_name(product, self.seed) for product in products],
        )

    def _draw_products(self, company: _Company, rng: np.random.Generator) -> np.ndarray:
        """Products drawn without replacement: a repeated draw is thrown away, which changes no probability."""
        odds = company.size / (1 - company.size)
        wanted = int(np.clip(np.ceil(self._count_scale * odds ** (1 / _COUNT_TAIL)), 1, self._settings.products))
        drawn: dict[int, None] = {}
        for _ in range(_REJECTION_ROUNDS):
            drawn.update(dict.fromkeys(self._draw_with_repeats(company, 2 * wanted, rng)))
            if len(drawn) >= wanted:
                return np.fromiter(drawn, dtype=np.int64)[:wanted]
        return self._draw_rest(company, np.fromiter(drawn, dtype=np.int64), wanted, rng)

    def _draw_with_repeats(self, company: _Company, count: int, rng: np.random.Generator) -> list[int]:
        rolls = rng.random((2, count))
        up_to = (_COMMUNITY_WEIGHT, _COMMUNITY_WEIGHT + _INDUSTRY_WEIGHT)
        taste = np.array(self._taste_rows(company))[np.searchsorted(up_to, rolls[0], side="right")]
        return (np.searchsorted(self._tastes, taste + rolls[1], side="right") % self._settings.products).tolist()

    def _draw_rest(self, company: _Company, drawn: np.ndarray, wanted: int, rng: np.random.Generator) -> np.ndarray:
        """The same draw over the products not drawn yet, for the few companies that use a large share of all."""
        community, industry, market = (
            np.diff(self._tastes[row * self._settings.products :][: self._settings.products], prepend=row)
            for row in self._taste_rows(company)
        )
        market_weight = 1 - _COMMUNITY_WEIGHT - _INDUSTRY_WEIGHT
        probability = _COMMUNITY_WEIGHT * community + _INDUSTRY_WEIGHT * industry + market_weight * market
        probability[drawn] = 0.0
        probability /= probability.sum()
        rest = rng.choice(len(probability), size=wanted - len(drawn), replace=False, p=probability)
        return np.concatenate([drawn, rest])

    def _taste_rows(self, company: _Company) -> tuple[int, int, int]:
        communities, industries = self._settings.communities, self._settings.industries
        return company.community, communities + company.industry, communities + industries


def _cumulative(weights: np.ndarray) -> np.ndarray:
    """Rows of weights as one ascending array: row r climbs from r to r + 1, so a search for r + u draws from row r."""
    shares = np.cumsum(weights, axis=1)
    shares /= shares[:, -1:]
    return (shares + np.arange(len(weights))[:, None]).ravel()


def _tastes(rng: np.random.Generator, groups: int, popularity: np.ndarray, category: np.ndarray) -> np.ndarray:
    """(groups, P) weights: popularity, times a group's liking for the product's category, times one for the product."""
    categories = category.max() + 1
    preferred = max(1, round(_PREFERRED_CATEGORIES * categories))
    liking = np.ones((groups, categories))
    for row in liking:
        row[rng.choice(categories, size=preferred, replace=False)] = _PREFERENCE
    spread = np.clip(rng.normal(size=(groups, len(popularity))), -2, 2)
    return popularity * liking[:, category] * np.exp(_PRODUCT_SPREAD * spread)


def _memberships(rng: np.random.Generator, industries: int, communities: int) -> np.ndarray:
    """(industries, communities) probabilities: the same for all industries but for a mild preference of each."""
    common = rng.dirichlet(np.full(communities, 10.0))
    own = rng.dirichlet(np.full(communities, 0.5), size=industries)
    return 0.85 * common + 0.15 * own


def _count_scale(mean: float, products: int) -> float:
    """Scale of a log-logistic number of products, rounded up and cut at all products, that has this mean.

    The mean is the sum of P(count > k) = 1 / (1 + (k / scale) ** tail) over k = 0 ... products - 1.
    """
    k = np.arange(1, products)
    low, high = -20.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        too_small = 1 + np.sum(1 / (1 + (k / np.exp(middle)) ** _COUNT_TAIL)) < mean
        low, high = (middle, high) if too_small else (low, middle)
    return float(np.exp((low + high) / 2))
