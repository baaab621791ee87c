"""The map of the companies."""

import numpy as np
from markupsafe import Markup

from hcf_spark.report.charts import new_chart
from hcf_spark.report.data import CompanyMap
from hcf_spark.report.formats import plain
from hcf_spark.report.svg import INK, PAPER, REST, SERIES, chart_style, to_svg

_HEIGHT = 4.2
_MARKERS = ("o", "^")
NUMBERED = len(SERIES) * len(_MARKERS)
"""Communities that are told apart, the largest ones."""


def draw_map(company_map: CompanyMap) -> Markup:
    """A dot for each company; the largest communities in colours and shapes, with their number, the others in grey."""
    labels, positions = company_map.labels, company_map.positions
    with chart_style():
        figure, axes = new_chart(_HEIGHT)
        axes.plot(*positions[labels >= NUMBERED].T, linestyle="", marker=".", markersize=3, color=REST)
        for number in range(min(NUMBERED, len(company_map.communities))):
            own, place = positions[labels == number], divmod(number, len(SERIES))
            style = {"marker": _MARKERS[place[0]], "color": SERIES[place[1]]}
            axes.plot(*own.T, linestyle="", markersize=3, markeredgewidth=0, **style)
            axes.text(
                *np.median(own, axis=0), number + 1, color=INK, fontweight="bold", ha="center", va="center",
                bbox={"boxstyle": "round,pad=0.15", "facecolor": PAPER, "edgecolor": "none", "alpha": 0.75},
                in_layout=False,
            )  # fmt: skip
        axes.set_axis_off()
        description = f"{plain(len(labels))} companies on a map, in {plain(len(company_map.communities))} communities."
        return to_svg(figure, "map", description)
