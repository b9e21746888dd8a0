"""Draws pictures in rows, with words above or below each, as one figure that can be saved."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from markupsafe import Markup

from reports.figures.drawing import Drawing, drawn
from reports.figures.pictures import pixels_of
from reports.figures.svg import INK, WIDTH, canvas

GAP = 0.1  # the inches between pictures
WORDS = 0.24  # the inches of the words of a row
SMALL = 8  # points


@dataclass(frozen=True)
class Sheet:
    """A picture, and the words that stand with it."""

    address: str  # its data address
    words: str
    crisp: bool = False  # whether its pixels are shown as squares

    @property
    def ratio(self) -> float:
        """How tall the picture is when it is one inch wide."""
        height, width = pixels_of(self.address).shape[:2]
        return height / width


def rows(
    name: str, description: str, wanted: Sequence[Sequence[Sheet]], across: int, *, above: bool
) -> Drawing:
    """Draws rows of pictures, each so wide that `across` of them fill the figure; their words stand
    above or below them."""
    wide = (WIDTH - GAP * (across - 1)) / across
    tall = [wide * max(one.ratio for one in row) for row in wanted]
    height = sum(tall) + (WORDS + GAP) * len(wanted)
    figure, top, images = canvas(height), 0.0, []
    for row, own in zip(wanted, tall, strict=True):
        for column, one in enumerate(row):
            left, down = column * (wide + GAP), top + (WORDS if above else 0)
            box = (left / WIDTH, 1 - (down + own) / height, wide / WIDTH, own / height)
            ax = figure.add_axes(box)
            ax.set_axis_off()
            ax.imshow(pixels_of(one.address), interpolation="none", aspect="auto")
            words = top + WORDS / 2 if above else top + own + WORDS / 2
            figure.text(
                left / WIDTH, 1 - words / height, one.words, fontsize=SMALL, va="center", color=INK
            )
            images.append(_element(one, left, down, wide, own))
        top += own + WORDS + GAP
    made, left_over = drawn(figure, name, description), iter(images)
    # these stand for Matplotlib's own images, which are larger
    svg = re.sub(r"<image\b[^>]*/>", lambda _: next(left_over), made.svg)
    return replace(made, svg=Markup(svg))


def _element(one: Sheet, left: float, top: float, wide: float, tall: float) -> str:
    """Returns the picture as an SVG element; its place and size are given in inches."""
    x, y, width, height = (f"{72 * inches:.2f}" for inches in (left, top, wide, tall))
    look = ' image-rendering="pixelated"' if one.crisp else ""
    return (
        f'<image x="{x}" y="{y}" width="{width}" height="{height}" preserveAspectRatio="none"'
        f'{look} href="{one.address}"/>'
    )


def grid(values: np.ndarray, across: int, widest: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the maps (n, h, w) on one sheet, and where on the sheet there is a map.
    Each map is scaled from its lowest to its highest value, and is at most `widest` pixels wide;
    `across` maps stand side by side, and the rest of the sheet is paper."""
    from PIL import Image  # noqa: PLC0415 (slow import)

    n, h, w = values.shape
    low, high = (f(values, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
    scaled = (255 * (values - low) / np.where(high > low, high - low, 1)).astype(np.uint8)
    if w > widest:
        size = (widest, round(h * widest / w))
        scaled = np.stack([np.asarray(Image.fromarray(one).resize(size)) for one in scaled])
        _, h, w = scaled.shape
    made = np.zeros((-(-n // across) * (h + 1) - 1, across * (w + 1) - 1), np.uint8)
    there = np.zeros(made.shape, bool)
    for i, one in enumerate(scaled):
        y, x = i // across * (h + 1), i % across * (w + 1)
        made[y : y + h, x : x + w] = one
        there[y : y + h, x : x + w] = True
    return made, there
