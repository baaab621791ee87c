"""How far probabilities can be trusted: a table for all models, and what came of the champion's."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup

from hcf_spark.report.charts import new_chart
from hcf_spark.report.formats import percent
from hcf_spark.report.metric_table import MetricTable, Models, build_table, select
from hcf_spark.report.svg import ACCENT, REST, chart_style, to_svg

_TICKS = (0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1)
_SIZE = 3.4

Bins = Sequence[Mapping[str, float]]


def build_calibration_table(models: Models) -> MetricTable | None:
    """The calibration error of each model in each regime; None where none has one."""
    errors = {
        name: {regime: found["error"] for regime, found in calibration.items()}
        for name, calibration in select(models, "calibration").items()
    }
    return build_table(errors, {"warm": "Error, warm", "cold": "Error, cold"}, mark=False)


def find_bins(models: Models, champion: str | None) -> dict[str, Bins]:
    """The champion's bins by regime."""
    calibration = models.get(champion, {}).get("calibration", {})
    return {regime: found["bins"] for regime, found in calibration.items()}


def draw_reliability(bins: Bins, regime: str) -> Markup:
    """The share that came over the share foretold, a dot for each bin, both on a square-root scale.

    Most cells have small probabilities, which this scale spreads, and it has room for a share of 0.
    """
    foretold, came = (np.array([each[key] for each in bins]) for key in ("foretold", "came"))
    limit = 1.05 * max(foretold.max(), came.max())
    with chart_style():
        figure, axes = new_chart(_SIZE)
        axes.plot([0, limit], [0, limit], color=REST, linestyle="--")
        axes.plot(foretold, came, color=ACCENT, marker="o", markersize=5, clip_on=False)
        for axis, scale in ((axes.xaxis, axes.set_xscale), (axes.yaxis, axes.set_yscale)):
            scale("function", functions=(np.sqrt, np.square))
            ticks = [tick for tick in _TICKS if tick <= limit]
            axis.set_ticks(ticks, [f"{tick:.0%}" for tick in ticks])
        axes.set(xlabel="Probability foretold", ylabel="Share in use", xlim=(0, limit), ylim=(0, limit))
        axes.set_title(f"{regime.capitalize()} companies")
        listed = ", ".join(f"{percent(x)} {percent(y)}" for x, y in zip(foretold, came, strict=True))
        return to_svg(
            figure, f"reliability-{regime}", f"{regime.capitalize()}: foretold and in use, bin by bin: {listed}."
        )
