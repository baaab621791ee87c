"""How unevenly products are used, in a few numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Usage:
    """Medians (the lower of two middle numbers), and the most used tenth of the products' share of all interactions."""

    median_products: int | None
    median_companies: int | None
    top_tenth_share: float | None


def summarise_usage(products_per_company: Sequence[int], companies_per_product: Sequence[int]) -> Usage:
    """Summarise the two lists; None for what an empty list does not tell."""
    companies = np.sort(np.asarray(companies_per_product, dtype=np.int64))[::-1]
    total = int(companies.sum())
    tenth = max(1, round(len(companies) / 10))
    return Usage(
        _middle(products_per_company),
        _middle(companies),
        float(companies[:tenth].sum() / total) if total else None,
    )


def _middle(numbers: Sequence[int] | np.ndarray) -> int | None:
    return int(np.quantile(numbers, 0.5, method="inverted_cdf")) if len(numbers) else None
