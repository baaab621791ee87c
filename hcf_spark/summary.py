"""What a training run found: as metrics.json, as the table on the terminal, as input of the report."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hcf_spark.evaluation.harness import REGIMES, HarnessResult
from hcf_spark.models.companies import Holdout
from hcf_spark.models.package import ModelPackage
from hcf_spark.models.ranking import recommend
from hcf_spark.models.reasons import explain
from hcf_spark.models.wording import sentence
from hcf_spark.report.data import Example, Recommendation
from hcf_spark.report.evidence import winner_sentence
from hcf_spark.train.snapshot import Snapshot

DESCRIPTIONS = {
    "popularity": "The products that most companies use, the same for everyone.",
    "item_knn": "Products only: what the companies that use the known ones use too (item-based nearest neighbours).",
    "ease": "Products only: which products go together, in closed form (EASE, Steck 2019).",
    "ials": "Products only: company and product vectors of low rank by alternating least squares (iALS, Hu 2008).",
    "ae": "Text only: ridge regression from the text vector to the products (the paper's baseline, stage 1 alone).",
    "text_knn": "Text only: what the companies with the most similar texts use.",
    "text_knn_words": "Text only: what the companies use whose texts share most words (tf-idf).",
    "hybrid_knn": "Products and text: what the companies that are most similar in both use.",
    "ease_text": "Products and text: EASE with the text vector as further features, in closed form (FEASE, 2025).",
    "ease_text_ials": "Products and text: EASE with text plus a share of iALS.",
    "dcf": "Products only: the paper's network with company vectors that start at random.",
    "fused": "Text, text neighbours and known products in one; in each regime only where it beats the hardest rival.",
    "hcf": "The paper's hybrid: its network with company vectors that start at the text vector.",
    "text_dae": "A denoising autoencoder of text and known products, which takes any company.",
}
_TEXT_SHOWN = 600


def describe(name: str) -> str:
    """One sentence on a model; pairs are described by their parts."""
    if name in DESCRIPTIONS:
        return DESCRIPTIONS[name]
    warm, cold = name.split("+")
    return f"Two models in one: {warm} for companies with known products, {cold} for companies without."


def make_metrics(dataset: Mapping[str, int | float], result: HarnessResult, seed: int) -> dict[str, Any]:
    """The content of metrics.json."""
    return {
        "dataset": dict(dataset),
        "models": result.rows,
        "champion": result.champion,
        "winners": {"validation": result.winners, "test": result.leaders_on_test},
        "baselines": result.baselines,
        "seed": seed,
    }


def format_table(metrics: Mapping[str, Any], cutoff: int) -> str:
    """The models' main figures, a line each, for the terminal."""
    keys = [
        (f"recall_at_{cutoff}", f"Recall@{cutoff}"),
        (f"ndcg_at_{cutoff}", f"NDCG@{cutoff}"),
        ("auc", "AUC"),
        ("average_precision", "AP"),
    ]
    width = max(len(name) for name in metrics["models"]) + 2
    columns = [f"{regime} {label}" for regime in ("warm", "cold") for _, label in keys]
    lines = [" " * width + "  ".join(columns)]
    for name, row in metrics["models"].items():
        values = [f"{row[regime][key]:.3f}" for regime in ("warm", "cold") for key, _ in keys]
        cells = "  ".join(value.rjust(len(column)) for value, column in zip(values, columns, strict=True))
        lines.append(f"{name:<{width}}{cells}{'  <- champion' if name == metrics['champion'] else ''}")
    return "\n".join(lines)


def format_winners(metrics: Mapping[str, Any], cutoff: int) -> str:
    """How sure the models that validation chose are on test, a line for each regime, for the terminal."""
    winners = metrics["winners"]["validation"]
    lines = {regime: winner_sentence(metrics["models"], winners[regime], regime, cutoff) for regime in REGIMES}
    return "\n".join(f"{regime}: {line}" for regime, line in lines.items())


def count_split(snapshot: Snapshot) -> dict[str, int]:
    """Companies and interactions in each part of the split."""
    return {
        "training companies": len(snapshot.full),
        "training interactions": snapshot.full.known.nnz,
        "validation: companies with hidden products": len(snapshot.validation.warm),
        "validation: companies held out": len(snapshot.validation.cold),
        "test: companies with hidden products": len(snapshot.test.warm),
        "test: hidden products of those": snapshot.test.warm.hidden.nnz,
        "test: companies held out": len(snapshot.test.cold),
        "test: products of those": snapshot.test.cold.hidden.nnz,
    }


def product_counts(snapshot: Snapshot) -> tuple[list[int], list[int]]:
    """Training interactions per company and per product."""
    known = snapshot.full.known
    return known.getnnz(axis=1).tolist(), known.getnnz(axis=0).tolist()


def pick_examples(snapshot: Snapshot, each: int, seed: int) -> dict[str, np.ndarray]:
    """Rows of a few test companies of each regime that have text, drawn by seed."""
    chosen = {}
    for regime in REGIMES:
        text = getattr(snapshot.test, regime).companies.text
        with_text = np.flatnonzero(np.any(text != 0, axis=1))
        chosen[regime] = np.sort(np.random.default_rng(seed).permutation(with_text)[:each])
    return chosen


def make_examples(
    snapshot: Snapshot,
    chosen: Mapping[str, np.ndarray],
    identities: Mapping[str, Sequence[Mapping[str, Any]]],
    package: ModelPackage,
    cutoff: int,
) -> list[Example]:
    """What the model recommends to a few test companies, and why.

    Args:
        snapshot: what was judged on.
        chosen: rows of its test companies, from ``pick_examples``.
        identities: company_id, name and text of the same companies, in the same order.
        package: the model.
        cutoff: products to recommend.
    """
    examples = []
    for regime, rows in chosen.items():
        holdout: Holdout = getattr(snapshot.test, regime).take(rows)
        companies = holdout.companies
        best = recommend(package.model.score(companies), companies.known, cutoff)
        reasons = explain(package.model, companies, [products for products, _ in best], package.product_names)
        for row, (identity, (products, scores)) in enumerate(zip(identities[regime], best, strict=True)):
            hidden = set(holdout.hidden[row].indices.tolist())
            examples.append(
                Example(
                    company_id=identity["company_id"],
                    name=identity["name"] or identity["company_id"],
                    regime=regime,
                    text=identity["text"][:_TEXT_SHOWN] if identity["text"] else None,
                    known_products=[package.product_names[product] for product in companies.known[row].indices],
                    recommendations=[
                        Recommendation(
                            package.product_names[product], float(score), int(product) in hidden, sentence(why)
                        )
                        for product, score, why in zip(products, scores, reasons[row], strict=True)
                    ],
                    hidden_products=[package.product_names[product] for product in sorted(hidden)],
                )
            )
    return examples
