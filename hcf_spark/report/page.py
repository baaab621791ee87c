"""The report as one HTML page that needs nothing else."""

from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hcf_spark.report import charts, formats
from hcf_spark.report.cost import build_costs, total_seconds
from hcf_spark.report.data import ReportData
from hcf_spark.report.detail_tables import build_detail_tables
from hcf_spark.report.headline import REGIMES, build_results, champion_verdict, role
from hcf_spark.report.map_chart import NUMBERED, draw_map
from hcf_spark.report.metric_table import MetricTable, build_metric_table, build_probe_table
from hcf_spark.report.reliability import build_calibration_table, draw_reliability, find_bins
from hcf_spark.report.slice_charts import draw_slices
from hcf_spark.report.svg import standalone
from hcf_spark.report.usage import summarise_usage

_SHOWN_PRODUCTS = 24
_SHOWN_CHARACTERS = 400
_GROUPS = {
    "warm": "Warm: companies with some known products",
    "cold": "Cold: companies known by their text alone",
    "companies_warm": "Warm, the other way round: companies for a product",
    "companies_cold": "Cold, the other way round: companies for a product",
}
_PROBE = "BPDM: what the company vectors hold"


def render_report(data: ReportData) -> str:
    """The page, with its style and charts inside; the same data give the same text."""
    environment = Environment(
        loader=PackageLoader("hcf_spark", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for write in (formats.plain, formats.metric, formats.percent, formats.seconds, formats.settings, formats.label):
        environment.filters[write.__name__] = write
    results, costs = build_results(data), build_costs(data.models)
    bins = find_bins(data.models, data.champion)
    style = files("hcf_spark.report").joinpath("report.css").read_text(encoding="utf-8")
    return environment.get_template("report.html").render(
        data=data,
        role=role(data),
        style=Markup(style),  # noqa: S704 our own file
        results=results,
        verdict=champion_verdict(data, results),
        quarantined=_rows_set_aside(data),
        usage=summarise_usage(data.products_per_company, data.companies_per_product),
        metric_tables=_metric_tables(data),
        has_gains=any(model.get("bpdm_gain") for model in data.models.values()),
        detail_tables={
            f"{regime.capitalize()}: {title}": table
            for regime in REGIMES
            for title, table in build_detail_tables(data.models, regime, data.cutoff).items()
        },
        density_chart=charts.draw_density(data.steps),
        usage_charts=_drawn(
            charts.draw_histogram(data.products_per_company), charts.draw_ranks(data.companies_per_product)
        ),
        ndcg_charts=_drawn(*(charts.draw_ndcg(data.models, regime, data.cutoff, data.champion) for regime in REGIMES)),
        slice_charts=[
            chart for regime in REGIMES for chart in draw_slices(data.models, data.champion, regime, data.cutoff)
        ],
        calibration_table=build_calibration_table(data.models),
        reliability=bins,
        reliability_charts=[draw_reliability(found, regime) for regime, found in bins.items()],
        curve_charts=charts.draw_curves(data.curves),
        map_chart=data.company_map and draw_map(data.company_map),
        numbered=NUMBERED,
        costs=costs,
        total_seconds=total_seconds(costs),
        shown_products=_SHOWN_PRODUCTS,
        shown_characters=_SHOWN_CHARACTERS,
    )


def render_plots(data: ReportData) -> dict[str, str]:
    """The page's model charts by file name, each an SVG file of its own, for an MLflow run."""
    style = files("hcf_spark.report").joinpath("report.css").read_text(encoding="utf-8")
    drawn = {
        "density": charts.draw_density(data.steps),
        **{f"ndcg_{regime}": charts.draw_ndcg(data.models, regime, data.cutoff, data.champion) for regime in REGIMES},
        **{f"training_{number}": chart for number, chart in enumerate(charts.draw_curves(data.curves), start=1)},
    }
    return {f"{name}.svg": standalone(chart, style) for name, chart in drawn.items() if chart is not None}


def _metric_tables(data: ReportData) -> dict[str, MetricTable]:
    tables = {title: build_metric_table(data.models, group, data.cutoff) for group, title in _GROUPS.items()}
    tables[_PROBE] = build_probe_table(data.models, data.cutoff)
    return {title: table for title, table in tables.items() if table is not None}


def _drawn(*drawings: Markup | None) -> list[Markup]:
    return [drawing for drawing in drawings if drawing is not None]


def _rows_set_aside(data: ReportData) -> list[tuple[str, str, int]]:
    return [(table, rule, rows) for table, rules in data.quarantine.items() for rule, rows in rules.items() if rows]
