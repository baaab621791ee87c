"""What a model package answers about companies and products, as columns of lists."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from hcf_spark.models.companies import Companies
from hcf_spark.models.directory import Directory, Named
from hcf_spark.models.package import ModelPackage
from hcf_spark.models.ranking import recommend
from hcf_spark.models.reasons import POPULARITY, explain
from hcf_spark.models.wording import sentence

Columns = dict[str, list[Any]]


def recommend_products(
    package: ModelPackage, companies: Companies, top_k: int, exclude_known: bool, with_reasons: bool
) -> Columns:
    """The best products of each company.

    Args:
        package: model and vocabularies.
        companies: B companies.
        top_k: products of each.
        exclude_known: whether known products are left out.
        with_reasons: whether to say why; see ``explain`` for the cost.

    Returns:
        product_ids, scores, based_on ("text", "products", "text and products", "company_id", or "popularity" where
        the scores are those of a company of which nothing is known); with reasons also reasons (a sentence for each
        product) and contributions (for each product kind, name and share, which sum to the score).
    """
    scores = package.model.score(companies)
    based_on = _based_on(package, companies, scores)
    best = recommend(scores, companies.known if exclude_known else None, top_k)
    answer = {
        "product_ids": [[package.product_ids[product] for product in ranked] for ranked, _ in best],
        "scores": [values.astype(float).tolist() for _, values in best],
        "based_on": based_on,
    }
    if with_reasons:
        found = explain(package.model, companies, [ranked for ranked, _ in best], package.product_names)
        answer["reasons"] = [[sentence(reasons) for reasons in of_company] for of_company in found]
        answer["contributions"] = [
            [[asdict(reason) for reason in reasons] for reasons in of_company] for of_company in found
        ]
    return answer


def find_look_alikes(package: ModelPackage, directory: Directory, companies: Companies, top_k: int) -> Columns:
    """company_ids of the companies in the directory with the most similar vectors, and the cosines as scores."""
    return _named(package, directory.look_alikes(package.model.embed(companies), companies.index, top_k))


def find_companies(
    package: ModelPackage, directory: Directory, product_ids: Sequence[str | None], top_k: int
) -> Columns:
    """company_ids of the companies in the directory most likely to adopt each product, scores and unknown_products."""
    products = package.product_index(product_ids)
    found = iter(directory.adopters_of(products[products >= 0], top_k))
    nobody = np.zeros(0, np.int64), np.zeros(0, np.float32)
    answer = _named(package, [next(found) if product >= 0 else nobody for product in products])
    return {**answer, "unknown_products": package.unknown_products([[product] for product in product_ids])}


def _based_on(package: ModelPackage, companies: Companies, scores: np.ndarray) -> list[str]:
    popular = np.isclose(scores, package.popularity).all(axis=1)
    has_text, has_products = companies.text.any(axis=1), companies.known.getnnz(axis=1) > 0
    given = [
        " and ".join(name for name, there in (("text", text), ("products", products)) if there) or "company_id"
        for text, products in zip(has_text, has_products, strict=True)
    ]
    return [POPULARITY if same else parts for same, parts in zip(popular, given, strict=True)]


def _named(package: ModelPackage, found: Named) -> Columns:
    return {
        "company_ids": [[package.company_ids[company] for company in index] for index, _ in found],
        "scores": [scores.astype(float).tolist() for _, scores in found],
    }
