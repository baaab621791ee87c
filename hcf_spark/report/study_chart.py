"""The chart of a study: a figure by point, a line for each model."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from hcf_spark.report.charts import LINE_STYLES
from hcf_spark.report.formats import metric
from hcf_spark.report.svg import SERIES, chart_style, to_svg

_WIDTH, _HEIGHT, _WIDTH_PER_PLACE = 4.6, 3.2, 0.9
_SIDESTEP = 0.04
_TURN_ABOVE = 14  # characters of a label


class Line(NamedTuple):
    """Mean, least and greatest of a figure at each place; NaN where there is none."""

    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


def draw_lines(name: str, title: str, axis: str, places: Sequence[str], lines: Mapping[str, Line]) -> Markup:
    """One line per model with a dot at each place, and a bar from the least to the greatest value.

    Args:
        name: unique among the charts.
        title: above the chart.
        axis: what the places are.
        places: labels, from left to right.
        lines: model to values at these places.
    """
    with chart_style():
        figure = Figure(figsize=(max(_WIDTH, 2 + _WIDTH_PER_PLACE * len(places)), _HEIGHT), layout="constrained")
        axes = figure.add_subplot()
        for number, (model, line) in enumerate(lines.items()):
            mean, low, high = (np.asarray(values, float) for values in line)
            axes.errorbar(
                np.arange(len(places)) + _SIDESTEP * (number - (len(lines) - 1) / 2), mean,
                yerr=[mean - low, high - mean], label=model, color=SERIES[number % len(SERIES)],
                linestyle=LINE_STYLES[number // len(SERIES) % len(LINE_STYLES)], marker="o", markersize=4,
            )  # fmt: skip
        turned = max(map(len, places)) > _TURN_ABOVE
        axes.set_xticks(range(len(places)), places, **({"rotation": 30, "ha": "right"} if turned else {}))
        axes.set(xlabel=axis, title=title)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
        listed = "; ".join(f"{model} {', '.join(map(metric, line.mean))}" for model, line in lines.items())
        return to_svg(figure, name, f"{title or 'Figures'} at {', '.join(places)}: {listed}.")
