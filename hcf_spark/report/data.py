"""What the report shows, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

Regime = Literal["warm", "cold"]
Plain = str | int | float | None


class Recommendation(NamedTuple):
    """A product that a model puts high for a company.

    Attributes:
        product: its name.
        score: of the model.
        was_hidden: the company does use it, and the model was not told.
        reasons: what carried the score, in words; empty if nothing did.
    """

    product: str
    score: float
    was_hidden: bool
    reasons: str


@dataclass(frozen=True)
class Example:
    """A company with what is recommended to it.

    Attributes:
        company_id: its id.
        name: its name.
        regime: warm or cold.
        text: the beginning of its text; None without text. The page cuts it after some lines.
        known_products: names of the products that the model was told of; none when cold.
        recommendations: best first.
        hidden_products: names of the products that it uses and the model was not told of.
    """

    company_id: str
    name: str
    regime: Regime
    text: str | None
    known_products: Sequence[str]
    recommendations: Sequence[Recommendation]
    hidden_products: Sequence[str] = ()


class Community(NamedTuple):
    """Companies that are near each other.

    Attributes:
        size: their number.
        products: names of the products that set them apart, the most telling first.
    """

    size: int
    products: Sequence[str]


@dataclass(frozen=True)
class CompanyMap:
    """Companies in two dimensions.

    Attributes:
        positions: (C, 2) float32.
        labels: (C,) int64, the community of each, as a place in ``communities``.
        communities: the largest first.
    """

    positions: np.ndarray
    labels: np.ndarray
    communities: Sequence[Community]


@dataclass(frozen=True)
class RunFacts:
    """Where the numbers come from.

    Attributes:
        run_id: of the MLflow run.
        seed: of every random choice.
        created_at: date and time, ready to be read.
        settings_yaml: the resolved settings, secrets masked.
        model_name: in the registry; None: not registered.
        model_version: in the registry.
        model_aliases: in the registry.
        gate: the verdict on the version: promoted, reason, mode, and checks of name, found, problem and note; None:
            there was none.
        serving: the version that is the champion now; None: there is none.
        drift: of the company vectors from those of the champion before, as counted; None: they were not rotated.
        git_commit: of the code; None where it is not known.
        table_versions: of the tables read and written; None for a table without versions.
        package_versions: of the packages that matter.
    """

    run_id: str
    seed: int
    created_at: str
    settings_yaml: str
    model_name: str | None = None
    model_version: str | int | None = None
    model_aliases: Sequence[str] = ()
    gate: Mapping[str, Any] | None = None
    serving: str | None = None
    drift: Mapping[str, int | float] | None = None
    git_commit: str | None = None
    table_versions: Mapping[str, str | int | None] = field(default_factory=dict)
    package_versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ReportData:
    """All that the page is made from; what is empty reads as such on the page.

    Attributes:
        title: of the page.
        run: where the numbers come from.
        dataset: companies, products, interactions, density of the matrix.
        cutoff: K of the ranking metrics, and of their names below.
        models: name to what ``HarnessResult.rows`` has of a model: ``{"warm": {recall_at_K, ndcg_at_K, auc, ...},
            "cold": {...}, "companies_warm": {...}, "bpdm": {...}, "over_baseline": {...}, "slices": {...},
            "calibration": {...}, "trials": [...], "tune_seconds": s, "fit_seconds": s, "settings": {...}, ...}``, each
            of which may be missing.
        champion: name of the model chosen for use, which the gate may keep out; None: there is none.
        winners_validation: regime to the name of the model that validation chose.
        winners_test: regime to the name of the model with the highest NDCG@K on test.
        model_descriptions: model name to one sentence.
        steps: step, companies, products, interactions, density: before the filter, and after each of its steps.
        quarantine: table to rule to number of rows set aside.
        split: what is counted (words or a snake_case name) to how many.
        text: what is counted (words or a snake_case name) to how many; also the encoder's name.
        products_per_company: one number per company.
        companies_per_product: one number per product.
        curves: model name to one record per epoch: loss, validation_warm_ndcg, validation_cold_ndcg, each of which may
            be missing.
        company_map: of companies that the champion has learnt from; None: their vectors are all the same.
        examples: companies with what is recommended to them.
    """

    title: str
    run: RunFacts
    dataset: Mapping[str, int | float]
    cutoff: int
    models: Mapping[str, Mapping[str, Any]]
    champion: str | None = None
    winners_validation: Mapping[Regime, str] = field(default_factory=dict)
    winners_test: Mapping[Regime, str] = field(default_factory=dict)
    model_descriptions: Mapping[str, str] = field(default_factory=dict)
    steps: Sequence[Mapping[str, str | int | float]] = ()
    quarantine: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    split: Mapping[str, Plain] = field(default_factory=dict)
    text: Mapping[str, Plain] = field(default_factory=dict)
    products_per_company: Sequence[int] = ()
    companies_per_product: Sequence[int] = ()
    curves: Mapping[str, Sequence[Mapping[str, float]]] = field(default_factory=dict)
    company_map: CompanyMap | None = None
    examples: Sequence[Example] = ()
