"""What a study found: a table of figures by point and model, the same in short as Markdown, and a chart per figure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

from hcf_spark.errors import ConfigError
from hcf_spark.report.formats import ABSENT, is_number, metric
from hcf_spark.report.study_chart import Line, draw_lines
from hcf_spark.report.svg import standalone

_REPEATS = "seed"
_SIZES = ("companies", "products", "interactions", "density")


@dataclass(frozen=True)
class Study:
    """A study in tables and charts.

    Attributes:
        table: a row per point and model: the axes, the size of the training matrix, model, the figures (NaN where a
            model has not got one), fit_seconds.
        markdown: means over seeds, with least and greatest where there are several.
        charts: SVG by file name.
    """

    table: pd.DataFrame
    markdown: str
    charts: dict[str, str]

    def write(self, folder: Path) -> list[Path]:
        """Write table.csv, table.parquet, table.md and the charts; returns their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        texts = {"table.md": self.markdown + "\n", **self.charts}
        self.table.to_csv(folder / "table.csv", index=False)
        self.table.to_parquet(folder / "table.parquet", index=False)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        return [folder / name for name in ("table.csv", "table.parquet", *texts)]


def render_study(
    labels: Sequence[Mapping[str, Any]], results: Sequence[Mapping[str, Any]], figures: Mapping[str, str]
) -> Study:
    """Tables and charts of a study.

    Args:
        labels: of each point, axis to what its value is called.
        results: of each point: ``dataset`` (companies, products, interactions, density) and ``models``, name to row
            (``HarnessResult.rows``).
        figures: label to dotted name in the row of a model, such as ``cold.auc``.

    Raises:
        ConfigError: no model of any point has a figure.
    """
    table = _tabulate(labels, results, figures)
    axes = [axis for axis in labels[0] if axis != _REPEATS]
    means, low, high = (
        table.groupby([*axes, "model"], sort=False)[list(figures)].agg(how) for how in ("mean", "min", "max")
    )
    repeated = len({point.get(_REPEATS) for point in labels}) > 1
    return Study(table, _format(means, low, high, repeated), _draw(means, low, high, axes))


def _tabulate(
    labels: Sequence[Mapping[str, Any]], results: Sequence[Mapping[str, Any]], figures: Mapping[str, str]
) -> pd.DataFrame:
    table = pd.DataFrame(
        [
            {
                **point,
                **{size: result["dataset"][size] for size in _SIZES},
                "model": name,
                **{label: _look_up(row, figure) for label, figure in figures.items()},
                "fit_seconds": row["fit_seconds"],
            }
            for point, result in zip(labels, results, strict=True)
            for name, row in result["models"].items()
        ]
    )
    missing = [label for label in figures if table[label].isna().all()]
    if missing:
        known = ", ".join(key for key, value in next(iter(results[0]["models"].values())).items() if value)
        raise ConfigError(
            f"study.figures: no model has {figures[missing[0]]}; a figure is named as in metrics.json, "
            f"beginning with one of {known}"
        )
    return table


def _look_up(row: Mapping[str, Any], name: str) -> float | None:
    found: Any = row
    for key in name.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return float(found) if is_number(found) else None


def _format(means: pd.DataFrame, low: pd.DataFrame, high: pd.DataFrame, repeated: bool) -> str:
    header = [*means.index.names, *means.columns]
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    for key in means.index:
        cells = []
        for figure in means.columns:
            mean, least, greatest = (metric(frame.loc[key, figure]) for frame in (means, low, high))
            cells.append(f"{mean} ({least} to {greatest})" if repeated and mean != ABSENT else mean)
        lines.append("| " + " | ".join([*map(str, key if isinstance(key, tuple) else (key,)), *cells]) + " |")
    return "\n".join(lines)


def _draw(means: pd.DataFrame, low: pd.DataFrame, high: pd.DataFrame, axes: Sequence[str]) -> dict[str, str]:
    """A chart per figure over the points; where there is only one point, one chart over the figures."""
    style = files("hcf_spark.report").joinpath("report.css").read_text(encoding="utf-8")
    if axes:
        spread = [frame.unstack("model", sort=False) for frame in (means, low, high)]
        drawn = {
            figure: draw_lines(
                _slug(figure), figure, ", ".join(axes), [_join(key) for key in spread[0].index],
                {model: Line(*(frame[figure, model] for frame in spread)) for model in spread[0][figure].columns},
            )
            for figure in means.columns
        }  # fmt: skip
    else:
        lines = {model: Line(*(frame.loc[model] for frame in (means, low, high))) for model in means.index}
        drawn = {"figures": draw_lines("figures", "", "", list(means.columns), lines)}
    return {f"{_slug(name)}.svg": standalone(chart, style) for name, chart in drawn.items()}


def _join(key: Any) -> str:
    return ", ".join(map(str, key)) if isinstance(key, tuple) else str(key)


def _slug(name: str) -> str:
    return re.sub(r"\W+", "-", name.lower()).strip("-")
