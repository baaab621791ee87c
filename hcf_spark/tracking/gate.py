"""The gate between challenger and champion: checks with their figures, a verdict, and the alias."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from mlflow.tracking import MlflowClient

from hcf_spark.errors import RegistryError
from hcf_spark.tracking.registry import CHAMPION, find_alias, has_version, require_alias

logger = logging.getLogger(__name__)

Mode = Literal["off", "dry_run", "on"]

# Unity Catalog may refuse a dot in a tag's name, and a long value.
LINEAGE_TAG = "gate_lineage"
_VERDICT_TAG, _MODE_TAG, _BEFORE_TAG = "gate_verdict", "gate_mode", "gate_champion_before"
_TAG_CHARACTERS = 1_000


@dataclass(frozen=True)
class Check:
    """One question to a challenger.

    Attributes:
        name: what is asked.
        found: the figures behind the answer, as plain values.
        problem: why it fails; None if it passes.
        is_comparison: a failed one is only noted where no version is champion yet: there is nothing better to serve.
        note: why it could not be asked; None if it was. It does not fail then.
    """

    name: str
    found: dict[str, Any]
    problem: str | None
    is_comparison: bool = False
    note: str | None = None


@dataclass(frozen=True)
class Verdict:
    """Whether a version becomes champion, why, and what was found."""

    promoted: bool
    reason: str
    mode: Mode
    checks: list[Check]


def check_not_worse(kind: str, other: str, regime: str, gain: Mapping[str, float]) -> Check:
    """Whether a challenger is not worse than another model on the same held-out cells: the interval reaches 0.

    Args:
        kind: of the other model, ``baseline`` or ``champion``.
        other: its name or version.
        regime: ``warm`` or ``cold``.
        gain: ``difference`` of the mean NDCG@K, and ``low`` and ``high`` of its 95% interval (paired bootstrap).
    """
    figures = {key: float(gain[key]) for key in ("difference", "low", "high")}
    shown = f"{figures['difference']:+.4f} ({figures['low']:+.4f} to {figures['high']:+.4f})"
    problem = None if figures["high"] >= 0 else f"worse than {kind} {other} on {regime} test companies: NDCG {shown}"
    return Check(f"{kind}_{regime}", {"other": other, **figures}, problem, is_comparison=True)


def note_not_compared(version: str, reason: str) -> Check:
    """What stands in place of the comparison with a champion that is no measure."""
    found = {"other": version, "compared": False, "reason": reason}
    return Check("champion", found, None, note=f"not compared with champion {version}: {reason}")


def check_finite(vectors: np.ndarray) -> Check:
    """Whether all (B, d) company vectors are finite."""
    n_bad = vectors.size - int(np.count_nonzero(np.isfinite(vectors)))
    problem = f"{n_bad} of {vectors.size} numbers in its company vectors are not finite" if n_bad else None
    return Check("vectors", {"numbers": vectors.size, "not_finite": n_bad}, problem)


def run_gate(mode: Mode, name: str, version: str, lineage: str, checks: Sequence[Check]) -> Verdict:
    """Decide on a challenger, write verdict and figures on the version, and move the alias ``champion`` if it passes.

    Args:
        mode: ``on``: a failed check keeps a version out; ``dry_run``: it is only noted; ``off``: nothing is checked.
        name: of the registered model.
        version: the challenger.
        lineage: names where its data come from and how they were split; kept with it for the gate of the next one.
        checks: all that was asked; none in mode ``off``.
    """
    failed = [check for check in checks if check.problem is not None]
    problems = [check.problem for check in failed]
    is_first = find_alias(name, CHAMPION) is None
    promoted = mode != "on" or all(check.is_comparison and is_first for check in failed)
    notes = [check.note for check in checks if check.note is not None]
    passed = [] if problems else [f"passed {len(checks) - len(notes)} checks" if mode != "off" else "the gate is off"]
    reason = "; ".join(problems + passed + notes)
    verdict = Verdict(promoted, reason, mode, list(checks))
    client = MlflowClient()
    tags = {
        LINEAGE_TAG: lineage,
        _MODE_TAG: mode,
        _VERDICT_TAG: f"{'promoted' if promoted else 'kept out'}: {reason}"[:_TAG_CHARACTERS],
        **{f"gate_{check.name}": json.dumps(check.found) for check in checks},
    }
    for key, value in tags.items():
        client.set_model_version_tag(name, version, key, value)
    if promoted:
        _promote(client, name, version)
    logger.log(
        logging.WARNING if problems or notes else logging.INFO,
        "gate (%s): %s version %s %s: %s", mode, name, version,
        "is the champion" if promoted else "does not become champion", reason,
    )  # fmt: skip
    return verdict


def roll_back(name: str) -> tuple[str, str]:
    """Give the alias ``champion`` back to the version that had it before.

    Returns:
        The version that was champion, and the one that is now.

    Raises:
        RegistryError: there is no champion, or none before it that is still there.
    """
    version = require_alias(name, CHAMPION)
    before = MlflowClient().get_model_version(name, version).tags.get(_BEFORE_TAG)
    if before is None:
        raise RegistryError(f"model {name}: no version was champion before version {version}; nothing was changed")
    if not has_version(name, before):
        raise RegistryError(
            f"model {name}: version {before}, the champion before version {version}, has been deleted; "
            f"nothing was changed: give the alias {CHAMPION} to another version in MLflow"
        )
    MlflowClient().set_registered_model_alias(name, CHAMPION, before)
    logger.info("%s: version %s is the champion again in place of %s", name, before, version)
    return version, before


def _promote(client: MlflowClient, name: str, version: str) -> None:
    before = find_alias(name, CHAMPION)
    if before is not None and before != version:
        client.set_model_version_tag(name, version, _BEFORE_TAG, before)
    client.set_registered_model_alias(name, CHAMPION, version)
