"""How numbers and names are written on the page."""

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

ABSENT = "\u2013"


def is_number(value: Any) -> bool:
    """True for a finite number."""
    return isinstance(value, Real) and math.isfinite(value)


def plain(value: Any) -> str:
    """A whole number with thousands separators, any other with at most 4 significant digits, a text as it is.

    >>> plain(16980), plain(0.25), plain("MiniLM"), plain(None)
    ('16,980', '0.25', 'MiniLM', '–')
    """
    if value is None or (isinstance(value, Real) and not is_number(value)):
        return ABSENT
    if isinstance(value, Integral) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, Real) and not isinstance(value, bool):
        return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"
    return str(value)


def metric(value: Any) -> str:
    """Four decimals.

    >>> metric(0.45678), metric(float("nan")), metric(None)
    ('0.4568', '–', '–')
    """
    return f"{value:.4f}" if is_number(value) else ABSENT


def percent(value: Any) -> str:
    """A share as a percentage, three decimals below ten per cent.

    >>> percent(0.0203), percent(0.0000004), percent(0.5), percent(None)
    ('2.030%', '0.00004%', '50.0%', '–')
    """
    if not is_number(value):
        return ABSENT
    if 0 < value < 0.000_005:
        return f"{100 * value:.5f}%"
    return f"{100 * value:.3f}%" if value < 0.1 else f"{100 * value:.1f}%"


def seconds(value: Any) -> str:
    """Seconds with one decimal.

    >>> seconds(1234.56), seconds(None)
    ('1,234.6', '–')
    """
    return f"{value:,.1f}" if is_number(value) else ABSENT


def settings(values: Mapping[str, Any]) -> str:
    """Names and values on one line, groups in brackets.

    >>> settings({"ridge": 100.0, "net": {"depth": 1, "loss": "huber"}}), settings({})
    ('ridge: 100, net: (depth: 1, loss: huber)', '–')
    """
    written = {
        name: f"({settings(value)})" if isinstance(value, Mapping) else plain(value) for name, value in values.items()
    }
    return ", ".join(f"{name}: {value}" for name, value in written.items()) or ABSENT


def label(name: str) -> str:
    """A key as words.

    >>> label("test_cold_companies"), label("Companies with text")
    ('Test cold companies', 'Companies with text')
    """
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]
