"""Differences and intervals in words: what is better, what is worse, and what may be chance."""

from collections.abc import Mapping
from typing import Any

from hcf_spark.report.formats import is_number, metric

NO_DIFFERENCE = "no difference"

_OWN = "own"

Rows = Mapping[str, Mapping[str, Any]]


def difference(found: Mapping[str, Any]) -> str:
    """A difference with its interval; where the interval holds 0, that there is none.

    >>> difference({"difference": 0.01234, "low": 0.005, "high": 0.02})
    '+0.0123 (+0.0050 to +0.0200)'
    >>> difference({"difference": 0.001, "low": -0.004, "high": 0.006})
    'no difference (-0.0040 to +0.0060)'
    """
    seen = NO_DIFFERENCE if found["low"] <= 0 <= found["high"] else f"{found['difference']:+.4f}"
    return f"{seen} ({found['low']:+.4f} to {found['high']:+.4f})"


def gain(found: Mapping[str, Any]) -> str:
    """A relative gain with its interval, as ``difference``.

    >>> gain({"gain": 0.28, "low": 0.21, "high": 0.345}), gain({"gain": -0.01, "low": -0.02, "high": 0.0})
    ('+28.0% (+21.0% to +34.5%)', 'no difference (-2.0% to +0.0%)')
    """
    seen = NO_DIFFERENCE if found["low"] <= 0 <= found["high"] else f"{found['gain']:+.1%}"
    return f"{seen} ({found['low']:+.1%} to {found['high']:+.1%})"


def winner_sentence(models: Rows, winner: str, regime: str, cutoff: int) -> str | None:
    """How sure the model that validation chose is on test; None where no interval is known."""
    row, key = models.get(winner, {}), f"ndcg_at_{cutoff}"
    own = row.get("interval", {}).get(regime, {}).get(key)
    if own is None or not is_number(row[regime].get(key)):
        return None
    settings = row.get("settings", {}).get(regime, {})
    kept, prior = settings.get("model", _OWN), " with a prior" if "prior" in settings else ""
    named = winner if kept == _OWN else f"{winner} (here {kept}{prior}, as its guard decided)"
    start = (
        f"{named}, chosen by validation, has NDCG@{cutoff} {metric(row[regime][key])} on test "
        f"({metric(own['low'])} to {metric(own['high'])})"
    )
    if row["over_baseline"][regime]["baseline"] == winner:
        return f"{start}; it is itself the simple method that was best on validation."
    found = against_baseline(models, winner, regime, cutoff)
    return f"{start}." if found is None else f"{start}; {found}."


def against_baseline(models: Rows, name: str, regime: str, cutoff: int) -> str | None:
    """How far a model is on test from the regime's baseline; None for that one itself, or where it is not known."""
    over = models.get(name, {}).get("over_baseline", {}).get(regime, {})
    if over.get("baseline") in (None, name):
        return None
    found = difference(over[f"ndcg_at_{cutoff}"])
    return f"against {over['baseline']}, the simple method that was best on validation: {found}"
