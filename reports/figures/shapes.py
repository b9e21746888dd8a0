"""The few shapes that curves are made of, as SVG for a page and as Matplotlib's figure for a PDF.

Places are in points of 1/72 inch, from the left and from above. A report has hundreds of these
figures; written directly they take a tenth of the time and half of the room of Matplotlib's SVG.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

from markupsafe import Markup, escape

from reports.figures.svg import INK, canvas, variable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Place = tuple[float, float]
Side = Literal["left", "center", "right"]
SIDES: dict[str, Side] = {"start": "left", "middle": "center", "end": "right"}
MIDDLE = 0.36  # of a word's size: how far its middle stands above its baseline


@dataclass(frozen=True)
class Line:
    """A line through places; it is broken at a place that isn't finite."""

    places: Sequence[Place]
    colour: str
    width: float
    dash: tuple[float, ...] = ()  # lengths of strokes and gaps, as multiples of the width
    opacity: float = 1.0


@dataclass(frozen=True)
class Area:
    """A filled shape without an outline."""

    corners: Sequence[Place]
    colour: str
    opacity: float


@dataclass(frozen=True)
class Marks:
    """Marks of one kind: circles "o", squares "s", diamonds "D" or upright strokes "|"."""

    places: Sequence[Place]
    kind: str
    size: float
    colour: str
    fill: str = ""  # "": the colour itself
    width: float = 0.0  # of the outline
    titles: Sequence[str] = ()  # what each mark says where it is pointed at


@dataclass(frozen=True)
class Word:
    """A word on its baseline; `align` is "start", "middle" or "end"."""

    text: str
    place: Place
    align: str = "start"
    size: float = 9
    colour: str = INK


Shape = Line | Area | Marks | Word


@dataclass(frozen=True)
class Part:
    """A part of a figure that can stand by itself, and its box: left, top, width, height."""

    box: tuple[float, float, float, float]
    shapes: list[Shape]


def _at(place: Place) -> str:
    return f"{place[0]:.1f} {place[1]:.1f}"


def _path(places: Iterable[Place]) -> str:
    """Returns the path through places, broken at those that aren't finite."""
    runs = (list(run) for there, run in groupby(places, lambda p: math.isfinite(p[1])) if there)
    return "".join(f"M{'L'.join(map(_at, run))}" for run in runs)


def _mark(kind: str, size: float, x: float, y: float) -> str:
    half = size / 2
    if kind == "o":
        arc = f"a{half:g} {half:g} 0 1 0 "
        return f"M{x - half:.1f} {y:.1f}{arc}{size:g} 0{arc}-{size:g} 0z"
    if kind == "s":
        return f"M{x - half:.1f} {y - half:.1f}h{size:g}v{size:g}h-{size:g}z"
    if kind == "|":
        return f"M{x:.1f} {y - half:.1f}v{size:g}"
    half *= math.sqrt(2)  # a square on its corner
    corners = ((x - half, y), (x, y - half), (x + half, y), (x, y + half))
    return f"{_path(corners)}z"


def _element(shape: Shape) -> str:
    if isinstance(shape, Word):
        x, y = shape.place
        align = "" if shape.align == "start" else f' text-anchor="{shape.align}"'
        return (
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{shape.size:g}"{align} '
            f'fill="{variable(shape.colour)}">{escape(shape.text)}</text>'
        )
    if isinstance(shape, Area):
        look = f'fill="{variable(shape.colour)}" fill-opacity="{shape.opacity:g}"'
        return f'<path d="{_path(shape.corners)}z" {look}/>'
    outline = f'stroke="{variable(shape.colour)}" stroke-width="{shape.width:g}"'
    if isinstance(shape, Marks):
        marks = [_mark(shape.kind, shape.size, *place) for place in shape.places]
        look = f'fill="{variable(shape.fill or shape.colour)}" {outline}'
        if not shape.titles:
            return f'<path d="{"".join(marks)}" {look}/>'
        told = zip(marks, map(escape, shape.titles), strict=True)
        each = [f'<path d="{d}"><title>{title}</title></path>' for d, title in told]
        return f"<g {look}>{''.join(each)}</g>"
    dash = " ".join(f"{length * shape.width:.2f}" for length in shape.dash)
    outline += f' stroke-dasharray="{dash}"' * bool(dash)
    outline += f' stroke-opacity="{shape.opacity:g}"' * (shape.opacity < 1)
    return f'<path d="{_path(shape.places)}" fill="none" {outline}/>'


def to_svg(
    width: float, height: float, parts: list[Part], description: str
) -> tuple[Markup, Markup]:
    """Returns the figure as one <svg>, and as an <svg> for each part, which a page sets beside or
    below each other."""
    inside = ["\n".join(map(_element, part.shapes)) for part in parts]
    about = f'role="img" aria-label="{escape(description)}"'
    whole = "\n".join([f'<svg {about} stroke-linejoin="round" {_box(0, 0, width, height)}>',
                       *inside, "</svg>"])  # fmt: skip
    each = [
        f'<svg stroke-linejoin="round" width="{100 * part.box[2] / width:.2f}%" {_box(*part.box)}>'
        f"\n{own}\n</svg>"
        for part, own in zip(parts, inside, strict=True)
    ]
    return Markup(whole), Markup("\n".join([f'<div class="panels" {about}>', *each, "</div>"]))


def _box(left: float, top: float, width: float, height: float) -> str:
    return f'viewBox="{left:g} {top:g} {width:g} {height:g}"'


def to_figure(width: float, height: float, shapes: Iterable[Shape]) -> "Figure":
    """Returns the figure as one of Matplotlib's."""
    from matplotlib.transforms import Affine2D  # noqa: PLC0415 (slow import)

    figure = canvas(height / 72, width / 72)
    places = Affine2D().scale(1 / 72, -1 / 72).translate(0, height / 72) + figure.dpi_scale_trans
    for artist in _artists(shapes):
        artist.set_transform(places)
        figure.add_artist(artist)
    return figure


def _artists(shapes: Iterable[Shape]) -> Iterator[Any]:
    from matplotlib.lines import Line2D  # noqa: PLC0415 (slow import)
    from matplotlib.patches import Polygon  # noqa: PLC0415 (slow import)
    from matplotlib.text import Text  # noqa: PLC0415 (slow import)

    for shape in shapes:
        if isinstance(shape, Word):
            yield Text(
                *shape.place, shape.text, color=shape.colour, fontsize=shape.size,
                horizontalalignment=SIDES[shape.align], verticalalignment="baseline",
            )  # fmt: skip
        elif isinstance(shape, Area):
            yield Polygon(
                list(shape.corners), facecolor=shape.colour, alpha=shape.opacity, linewidth=0
            )
        elif isinstance(shape, Marks):
            yield Line2D(
                *_columns(shape.places), linestyle="none", marker=shape.kind,
                markersize=shape.size, color=shape.colour, markeredgewidth=shape.width,
                markerfacecolor=shape.fill or shape.colour,
            )  # fmt: skip
        else:
            yield Line2D(
                *_columns(shape.places), color=shape.colour, linewidth=shape.width,
                linestyle=(0, shape.dash) if shape.dash else "-", alpha=shape.opacity,
            )  # fmt: skip


def _columns(places: Sequence[Place]) -> tuple[list[float], list[float]]:
    return [x for x, _ in places], [y for _, y in places]
