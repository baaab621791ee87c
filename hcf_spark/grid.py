"""The points of a study: every combination of the values on its axes, each with settings of its own."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from hcf_spark import __version__
from hcf_spark.config import Config, with_settings
from hcf_spark.errors import ConfigError

_NOT_IN_KEY = {"output", "log_level", "spark", "tables", "mlflow", "score", "study"}


@dataclass(frozen=True)
class Point:
    """One experiment of a study.

    Attributes:
        labels: axis to what its value is called: on an axis of numbers the number, else as YAML has it.
        config: the settings.
    """

    labels: dict[str, str | int | float]
    config: Config

    def key(self, data: Any) -> str:
        """Names all that the results depend on: settings, code, and ``data``, which tells one input from another."""
        content = [self.config.model_dump(exclude=_NOT_IN_KEY), __version__, data]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def list_points(config: Config) -> list[Point]:
    """All points of ``study.axes``, those of the last axis next to each other; one point if there is no axis.

    Raises:
        ConfigError: an axis names an unknown setting or a wrong value, or two points have the same settings.
    """
    options = [_list_options(axis, values) for axis, values in config.study.axes.items()]
    points, labels_by_key = [], {}
    for combination in product(*options):
        labels = dict(zip(config.study.axes, (label for label, _ in combination), strict=True))
        settings = {name: value for _, chosen in combination for name, value in chosen.items()}
        point = Point(labels, with_settings(config, settings, "study.axes"))
        other = labels_by_key.setdefault(point.key(None), labels)
        if other is not labels:
            raise ConfigError(
                f"study.axes: the points {_describe(other)} and {_describe(labels)} have the same settings; "
                "an axis may set what results depend on, and each of its values once"
            )
        points.append(point)
    return points


def _list_options(axis: str, values: list[Any] | Mapping[str, Any]) -> list[tuple[str | int | float, dict[str, Any]]]:
    if isinstance(values, Mapping):
        return list(values.items())
    if all(isinstance(value, int | float) for value in values):
        return [(value, {axis: value}) for value in values]
    return [(value if isinstance(value, str) else json.dumps(value), {axis: value}) for value in values]


def _describe(labels: Mapping[str, Any]) -> str:
    return "(" + ", ".join(f"{axis}: {label}" for axis, label in labels.items()) + ")"
