"""What it took to find and fit the models."""

from collections.abc import Mapping
from dataclasses import dataclass

from hcf_spark.report.metric_table import Models

_PAIR = "+"


@dataclass(frozen=True)
class Cost:
    """Trials on validation, and the seconds of these and of the fit to all training companies; None: not known."""

    trials: int | None
    tune_seconds: float | None
    fit_seconds: float | None


def build_costs(models: Models) -> dict[str, Cost]:
    """By model name; a champion made of two models is left out, since it took no more than its parts."""
    return {
        name: Cost(
            len(model["trials"]) if "trials" in model else None, model.get("tune_seconds"), model.get("fit_seconds")
        )
        for name, model in models.items()
        if _PAIR not in name
    }


def total_seconds(costs: Mapping[str, Cost]) -> float:
    """Of all models together, as far as known."""
    return sum((cost.tune_seconds or 0) + (cost.fit_seconds or 0) for cost in costs.values())
