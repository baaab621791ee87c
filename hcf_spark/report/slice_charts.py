"""For whom the champion works: its recall in slices of the test, beside that of the best simple method."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup

from hcf_spark.report.charts import new_chart, shorten
from hcf_spark.report.formats import metric, plain
from hcf_spark.report.metric_table import Models
from hcf_spark.report.svg import ACCENT, REST, chart_style, to_svg

_KINDS = {
    "known_products": "number of known products",
    "told_products": "number of products told",
    "text_tokens": "length of the text in tokens",
    "popularity": "use of the products",
}
_BARS_WIDTH = 0.8

Slices = Mapping[str, Mapping[str, Any]]


def draw_slices(models: Models, champion: str | None, regime: str, cutoff: int) -> list[Markup]:
    """A chart of Recall@K for each kind of slice that the champion has in a regime; none without a champion."""
    model = models.get(champion, {})
    baseline = model.get("over_baseline", {}).get(regime, {}).get("baseline")
    shown = {
        name: models[name].get("slices", {}).get(regime, {})
        for name in dict.fromkeys([champion, baseline])
        if name in models
    }
    return [
        _draw({name: slices[kind] for name, slices in shown.items()}, regime, kind, cutoff)
        for kind in _KINDS
        if shown and all(slices.get(kind) for slices in shown.values())
    ]


def _draw(slices: Mapping[str, Slices], regime: str, kind: str, cutoff: int) -> Markup:
    """Bars side by side, a group for each slice: the champion's first and in colour."""
    title = f"{regime.capitalize()}: Recall@{cutoff} by {_KINDS[kind]}"
    parts = next(iter(slices.values()))
    places, width = np.arange(len(parts)), _BARS_WIDTH / len(slices)
    listed = []
    with chart_style():
        figure, axes = new_chart()
        for number, (name, own) in enumerate(slices.items()):
            values = [own[part][f"recall_at_{cutoff}"] for part in parts]
            axes.bar(places + number * width, values, width, color=REST if number else ACCENT, label=shorten(name))
            listed.append(f"{name} {', '.join(map(metric, values))}")
        labels = [f"{part}\n({plain(figures['companies'])})" for part, figures in parts.items()]
        axes.set_xticks(places + width * (len(slices) - 1) / 2, labels)
        axes.tick_params(axis="x", length=0)
        axes.set_title(title)
        axes.grid(visible=False, axis="x")
        figure.legend(loc="outside lower left", ncols=len(slices), handlelength=1.2)
        return to_svg(
            figure, f"{regime}-{kind.replace('_', '-')}", f"{title}, {', '.join(parts)}: {'; '.join(listed)}."
        )
