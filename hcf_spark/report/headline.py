"""Who came first, said from the numbers alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hcf_spark.report.data import Regime, ReportData
from hcf_spark.report.evidence import against_baseline, winner_sentence

REGIMES: tuple[Regime, ...] = ("warm", "cold")
POPULARITY = "popularity"


@dataclass(frozen=True)
class Result:
    """What happened in one regime; None for what is not known.

    Attributes:
        regime: warm or cold.
        best_on_test: name of a model.
        chosen: name of the model that validation chose.
        ndcg: on test, of the best there.
        recall: on test, of the best there.
        behind: NDCG on test of the champion, the chosen one and popularity, if not level with the best.
        validation_was_wrong: the chosen one is not level with the best on test.
        evidence: how sure the chosen one is, with intervals.
        against_baseline: how far the best on test is from the baseline, where validation was wrong.
        champion_is_first: the champion is the best on test, or level with it, as a champion made of two models can be.
    """

    regime: Regime
    best_on_test: str
    chosen: str | None
    ndcg: float | None
    recall: float | None
    behind: dict[str, float | None]
    validation_was_wrong: bool
    evidence: str | None
    against_baseline: str | None
    champion_is_first: bool


def role(data: ReportData) -> str:
    """What the page calls the model that was chosen: a challenger where the gate kept it out."""
    return "challenger" if data.run.gate is not None and not data.run.gate["promoted"] else "champion"


def build_results(data: ReportData) -> list[Result]:
    """One result for each regime that was tested."""
    return [_result(data, regime) for regime in REGIMES if regime in data.winners_test]


def champion_verdict(data: ReportData, results: list[Result]) -> str | None:
    """One sentence on how the model that was chosen did on test; None without such a model or a test."""
    if data.champion is None or not results:
        return None
    won = [result.regime for result in results if result.champion_is_first]
    lost = [result.regime for result in results if not result.champion_is_first]
    if not lost:
        return f"The {role(data)} is first on the test set for {' and for '.join(won)} companies."
    if not won:
        return f"The {role(data)} is not first on the test set for {' or for '.join(lost)} companies."
    return f"The {role(data)} is first on the test set for {won[0]} companies, not for {lost[0]} ones."


def _result(data: ReportData, regime: Regime) -> Result:
    best, chosen = data.winners_test[regime], data.winners_validation.get(regime)
    ndcg = _value(data, best, regime, "ndcg")

    def is_level(name: str) -> bool:
        return name == best or (ndcg is not None and _value(data, name, regime, "ndcg") == ndcg)

    was_wrong = chosen is not None and not is_level(chosen)
    named = dict.fromkeys(name for name in (chosen, data.champion, POPULARITY) if name in data.models)
    return Result(
        regime=regime,
        best_on_test=best,
        chosen=chosen,
        ndcg=ndcg,
        recall=_value(data, best, regime, "recall"),
        behind={name: _value(data, name, regime, "ndcg") for name in named if not is_level(name)},
        validation_was_wrong=was_wrong,
        evidence=None if chosen is None else winner_sentence(data.models, chosen, regime, data.cutoff),
        against_baseline=against_baseline(data.models, best, regime, data.cutoff) if was_wrong else None,
        champion_is_first=data.champion is not None and is_level(data.champion),
    )


def _value(data: ReportData, model: str, regime: Regime, name: str) -> float | None:
    metrics: Mapping[str, Any] = data.models.get(model, {}).get(regime) or {}
    return metrics.get(f"{name}_at_{data.cutoff}")
