"""A matplotlib figure as SVG inside the page: coloured by the page's style sheet, the same bytes every time."""

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure

INK, MUTED, GRID, ACCENT, REST = "#000001", "#000002", "#000003", "#000004", "#000005"
PAPER = "#00000c"
SERIES = ("#000006", "#000007", "#000008", "#000009", "#00000a", "#00000b")
_VARIABLES = {INK: "ink", MUTED: "muted", GRID: "grid", ACCENT: "accent", REST: "rest", PAPER: "paper"} | {
    color: f"series-{number}" for number, color in enumerate(SERIES, start=1)
}
_PLACEHOLDER = re.compile("|".join(_VARIABLES))
_STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
}


@contextmanager
def chart_style() -> Iterator[None]:
    """matplotlib's defaults with the page's style, whatever the user has set; theirs is back afterwards."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def to_svg(figure: Figure, name: str, description: str) -> Markup:
    """The figure as one <svg> element.

    Args:
        figure: drawn with the placeholder colours of this module, which become variables of the style sheet.
        name: unique on the page; all ids begin with it.
        description: read aloud in place of the picture.
    """
    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(text, format="svg", transparent=True, metadata=no_metadata)
    root = ET.fromstring(text.getvalue())  # noqa: S314 matplotlib's own output
    for parent in list(root.iter()):
        for style in parent.findall("{*}style"):
            parent.remove(style)
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = {_local(key): _adapt(_local(key), value, name) for key, value in element.attrib.items()}
    root.attrib = {"class": "chart", "viewBox": root.attrib["viewBox"], "role": "img", "aria-label": description}
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 ElementTree escapes


def standalone(svg: Markup, style: str) -> str:
    """A chart of the page as the text of an SVG file, coloured by ``style``."""
    start = '<svg xmlns="http://www.w3.org/2000/svg" '
    return str(svg).replace("<svg ", start, 1).replace(">", f"><style>{style}</style>", 1)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _adapt(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key == "style":
        return _PLACEHOLDER.sub(lambda match: f"var(--{_VARIABLES[match.group()]})", value)
    return value.replace("#", f"#{name}-") if key in ("href", "clip-path") else value
