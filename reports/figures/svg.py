"""Writes Matplotlib's figures as inline SVG, the same bytes for the same numbers.

The figures are drawn in the colours of the light page. In a page these become CSS variables, so
that one figure reads on a light page, a dark page and on paper.
"""

import io
import re
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from protocols.files import ROOT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

_STYLE = (ROOT / "reports" / "templates" / "style.css").read_text(encoding="utf-8")
LIGHT = dict(reversed(re.findall(r"(--\w+): (#\w+)", _STYLE)))  # the light page's come first
INK, AXIS, PAPER, WARN = (LIGHT[name] for name in ("--ink", "--axis", "--paper", "--warn"))
COLOURS = {"keras": LIGHT["--keras"], "torch": LIGHT["--torch"], "": INK}  # blue and vermilion
_VARIABLES = {
    LIGHT[name]: f"var({name})"
    for name in ("--ink", "--axis", "--paper", "--warn", "--keras", "--torch")
}
WIDTH = 7.2  # the inches of every figure
LABEL = 0.56  # the inches that an axis's numbers and name take
_RC: "dict[RcKeyType, Any]" = {
    "svg.fonttype": "none",
    "svg.hashsalt": "wbc",
    "font.size": 9,
    "axes.edgecolor": AXIS,
    "axes.labelcolor": INK,
    "axes.titlesize": 9,
    "axes.titlecolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": AXIS,
    "ytick.color": AXIS,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.4,
    "lines.markersize": 5,
}


def variable(colour: str) -> str:
    """Returns the CSS variable of a colour of the light page; another colour stays."""
    return _VARIABLES.get(colour, colour)


def canvas(height: float, width: float = WIDTH) -> "Figure":
    """Makes an empty figure of so many inches, in the style of all figures."""
    import matplotlib  # noqa: PLC0415 (slow import)
    from matplotlib.figure import Figure  # noqa: PLC0415

    matplotlib.rcParams.update(_RC)
    figure = Figure(figsize=(width, height))
    figure.patch.set_visible(False)
    return figure


def draw(
    height: float,
    columns: int,
    left: float,
    below: float,
    *,
    top: float,
    right: float = 0.0,
    width: float = WIDTH,
) -> tuple["Figure", list["Axes"]]:
    """Makes a figure with fixed margins, in inches (a layout engine would cost as much again).
    `below` is the room for what stands below the axes, `right` that for words beside each panel."""
    figure = canvas(height, width)
    axes = figure.subplots(1, columns, squeeze=False)[0]
    panel = (width - left - columns * right - (columns - 1) * LABEL) / columns
    figure.subplots_adjust(
        left=left / width, right=1 - max(right, 0.1) / width, top=1 - top / height,
        bottom=below / height, wspace=(right + LABEL) / panel,
    )  # fmt: skip
    for ax in axes:
        ax.patch.set_visible(False)
    return figure, list(axes)


def to_svg(figure: "Figure", name: str, description: str) -> Markup:
    """Returns the figure as an inline <svg>, whose ids begin with `name` and so are unique on the
    page; the name has no characters but letters, digits, dots and dashes."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415 (slow import)

    buffer = io.StringIO()
    empty = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    FigureCanvasSVG(figure).print_svg(buffer, metadata=empty)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, count=1, flags=re.S)
    used = set(re.findall(r"[\"(]#([\w.-]+)[\")]", text))
    text = re.sub(
        r' id="([\w.-]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text
    )
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    text = re.sub(r" xmlns(:xlink)?=\"[^\"]*\"", "", text).replace("xlink:href", "href")
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.S)
    for colour, name_of in _VARIABLES.items():
        text = text.replace(colour, name_of)
    text = re.sub(r"\s*\n\s*", "\n", text)
    opening = f'<svg role="img" aria-label="{escape(description)}" stroke-linejoin="round"'
    text = re.sub(r' width="[\d.]+pt" height="[\d.]+pt"', "", text, count=1)
    text = re.sub(r' style="([^"]*)"', _attributes, text)
    return Markup(text.replace("<svg", opening, 1))


def _attributes(style: re.Match[str]) -> str:
    """Returns an element's style as SVG attributes, as the pages' content security policy allows no
    inline style."""
    pairs = (part.split(":", 1) for part in style[1].split(";") if part.strip())
    return "".join(f' {name.strip()}="{value.strip()}"' for name, value in pairs)
