"""Reasons in the words of a salesperson."""

import math
from collections.abc import Sequence

from hcf_spark.models.reasons import OTHER_PRODUCTS, POPULARITY, PRODUCT, TEXT, Reason

_WORDS = {
    TEXT: ("its description", "its description does not fit"),
    POPULARITY: ("popular", "rarely used"),
    OTHER_PRODUCTS: ("other products it uses", "other products it uses speak against it"),
}
_LEAST_SHARE = 0.01


def sentence(reasons: Sequence[Reason]) -> str:
    """One line from the reasons of a recommendation; parts below 1% of the whole are passed over.

    >>> sentence([Reason("product", "Slack", 0.15), Reason("product", "Jira", 0.06), Reason("popularity", None, 0.05)])
    'uses Slack and Jira (+0.21), popular (+0.05)'
    """
    least = _LEAST_SHARE * sum(abs(reason.share) for reason in reasons)
    told = [reason for reason in reasons if abs(reason.share) > least]
    parts = []
    for sign, words in ((1, "uses"), (-1, "although it uses")):
        used = [reason for reason in told if reason.kind == PRODUCT and reason.share * sign > 0]
        if used:
            parts.append((f"{words} {_listed([reason.name for reason in used])}", sum(each.share for each in used)))
    parts += [(_WORDS[each.kind][each.share < 0], each.share) for each in told if each.kind != PRODUCT]
    return ", ".join(f"{words} ({_signed(share)})" for words, share in sorted(parts, key=lambda part: -part[1]))


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _signed(share: float) -> str:
    decimals = max(2, -math.floor(math.log10(abs(share))))
    return f"{share:+.{decimals}f}"
