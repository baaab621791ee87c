"""The charts of the report."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from hcf_spark.report.formats import is_number, metric, percent, plain
from hcf_spark.report.svg import ACCENT, INK, MUTED, REST, SERIES, chart_style, to_svg

_WIDTH, _HEIGHT = 4.6, 2.9
_MOST_BARS = 30
_MOST_POINTS = 200
_LONGEST_NAME = 22
_FEW_DECADES = 50
LINE_STYLES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (7, 2, 1.5, 2)))
_COUNTS = FuncFormatter(lambda value, _: f"{value:,.0f}")


def draw_density(steps: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Density before the filter and after each of its steps; None without steps."""
    if not steps:
        return None
    densities = [100 * step["density"] for step in steps]
    first, last = percent(steps[0]["density"]), percent(steps[-1]["density"])
    with chart_style():
        figure, axes = new_chart()
        axes.bar(range(len(steps)), densities, color=[REST] * (len(steps) - 1) + [ACCENT], width=0.7)
        axes.set(xlabel="Step (numbers as in the table)", ylabel="Density, %")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10))
        axes.grid(visible=False, axis="x")
        return to_svg(figure, "density", f"Density at each filter step: {first} before, {last} after the last step.")


def draw_histogram(products_per_company: Sequence[int]) -> Markup | None:
    """How many companies use how many products; None without companies."""
    if not len(products_per_company):
        return None
    numbers = np.asarray(products_per_company)
    most = max(int(np.quantile(numbers, 0.99, method="higher")), int(numbers.min()))
    width = math.ceil((most - numbers.min() + 1) / _MOST_BARS)
    edges = np.arange(numbers.min(), most + width + 1, width)
    heights, _ = np.histogram(np.minimum(numbers, edges[-1] - 1), edges)
    title = f"Last bar: {plain(int(edges[-2]))} or more" if numbers.max() >= edges[-1] else None
    with chart_style():
        figure, axes = new_chart()
        axes.bar(edges[:-1], heights, width=0.9 * width, color=ACCENT, align="center" if width == 1 else "edge")
        axes.set(xlabel="Products that a company uses", ylabel="Companies")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        axes.yaxis.set_major_formatter(_COUNTS)
        axes.grid(visible=False, axis="x")
        if title:
            axes.set_title(title, fontsize=10, color=MUTED, loc="right")
        middle, least, greatest = (plain(float(value)) for value in (np.median(numbers), numbers.min(), numbers.max()))
        description = f"Histogram of products per company: median {middle}, from {least} to {greatest}."
        return to_svg(figure, "histogram", description)


def draw_ranks(companies_per_product: Sequence[int]) -> Markup | None:
    """Companies per product, most used product first, both axes logarithmic; None if no product is used."""
    numbers = np.sort(np.asarray(companies_per_product, dtype=np.int64))[::-1]
    numbers = numbers[numbers > 0]
    if not numbers.size:
        return None
    drawn = np.unique(np.geomspace(1, numbers.size, _MOST_POINTS).round().astype(np.int64))
    with chart_style():
        figure, axes = new_chart()
        axes.loglog(drawn, numbers[drawn - 1], color=ACCENT, marker="o" if numbers.size == 1 else None)
        axes.set(xlabel="Rank of the product", ylabel="Companies that use it")
        axes.minorticks_off()
        for axis, span in ((axes.xaxis, numbers.size), (axes.yaxis, numbers[0] / numbers[-1])):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5) if span < _FEW_DECADES else (1,)))
            axis.set_major_formatter(_COUNTS)
        most, least = plain(int(numbers[0])), plain(int(numbers[-1]))
        description = (
            f"Companies per product by rank, both axes logarithmic: {most} for the first, {least} for the last."
        )
        return to_svg(figure, "ranks", description)


def draw_ndcg(models: Mapping[str, Mapping[str, Any]], regime: str, cutoff: int, champion: str | None) -> Markup | None:
    """NDCG@K of each model on test in a regime, the champion in colour; None if no model has it."""
    values = {name: model.get(regime, {}).get(f"ndcg_at_{cutoff}") for name, model in models.items()}
    values = {name: value for name, value in values.items() if is_number(value)}
    if not values:
        return None
    with chart_style():
        figure, axes = new_chart(height=0.75 + 0.32 * len(values))
        places = range(len(values))
        colors = [ACCENT if name == champion else REST for name in values]
        axes.barh(places, values.values(), color=colors, height=0.65)
        top = max(*values.values(), 1e-9)
        for place, value in zip(places, values.values(), strict=True):
            axes.text(value + 0.015 * top, place, metric(value), va="center", color=INK, fontsize=10)
        axes.set_yticks(places, [shorten(name) for name in values], color=INK)
        axes.set_xlim(0, 1.18 * top)
        axes.set_title(f"NDCG@{cutoff}, {regime} companies")
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_visible(False)
        axes.spines["bottom"].set_visible(False)
        axes.grid(visible=False)
        listed = ", ".join(f"{name} {metric(value)}" for name, value in values.items())
        return to_svg(figure, f"ndcg-{regime}", f"NDCG@{cutoff} for {regime} companies: {listed}.")


def draw_curves(curves: Mapping[str, Sequence[Mapping[str, float]]]) -> list[Markup]:
    """A chart for each thing recorded per epoch, a line for each model, with a dot where validation was highest."""
    titles = {
        "loss": "Training loss",
        "validation_warm_ndcg": "Validation NDCG, warm",
        "validation_cold_ndcg": "Validation NDCG, cold",
    }
    return [chart for key, title in titles.items() if (chart := _draw_curve(curves, key, title)) is not None]


def _draw_curve(curves: Mapping[str, Sequence[Mapping[str, float]]], key: str, title: str) -> Markup | None:
    lines = {}
    for name, records in curves.items():
        points = [(epoch, record[key]) for epoch, record in enumerate(records, start=1) if is_number(record.get(key))]
        if points:
            lines[name] = np.array(points)
    if not lines:
        return None
    with chart_style():
        figure, axes = new_chart()
        places = {name: place for place, name in enumerate(curves)}
        for name, points in lines.items():
            color = SERIES[places[name] % len(SERIES)]
            axes.plot(
                *points.T, color=color, linestyle=LINE_STYLES[places[name] % len(LINE_STYLES)], label=shorten(name)
            )
            if key != "loss":
                axes.plot(*points[np.argmax(points[:, 1])], color=color, marker="o", markersize=5)
            elif len(points) == 1:
                axes.plot(*points[0], color=color, marker=".")
        axes.set(xlabel="Epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        axes.set_title(title)
        axes.legend(handlelength=2.4)
        ends = ", ".join(f"{name} from {metric(line[0, 1])} to {metric(line[-1, 1])}" for name, line in lines.items())
        return to_svg(figure, key.replace("_", "-"), f"{title} by epoch, first to last: {ends}.")


def new_chart(height: float = _HEIGHT) -> tuple[Figure, Axes]:
    """An empty chart of the page's width, ``height`` in inches."""
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    return figure, figure.add_subplot()


def shorten(name: str) -> str:
    """A name as it fits beside a chart."""
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
