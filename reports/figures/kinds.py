"""Draws dots by network, and bars."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from reports.figures import ticks
from reports.figures.drawing import Drawing, drawn
from reports.figures.svg import AXIS, COLOURS, INK, PAPER, draw
from reports.tables.formats import NAMES

MARKERS = {"keras": "o", "torch": "s", "": "D"}
DASHES: dict[str, tuple[float, ...]] = {"keras": (), "torch": (5, 2), "": ()}
LETTER = 0.078  # the inches of a letter's width in a row's name; most letters are narrower
WIDE = 9  # the most numbers on an axis as wide as the figure


@dataclass(frozen=True)
class Bar:
    """A number as a bar; `text` stands at the bar's end and is "X" where there is no number."""

    measure: str
    value: float | None
    text: str


def dots(
    name: str,
    description: str,
    rows: list[str],
    series: list[dict[str, Any]],
    xlabel: str,
    *,
    log: bool = False,
    line: tuple[float, str] | None = None,
    whiskers: str = "",
) -> Drawing:
    """Draws dots, in one row for each network from top to bottom.

    Each of `series` has "framework" (or None), "label", "points": [(row, value, low, high)], and
    "hollow" if its dots are. `line` is a value with its label, at which a vertical line stands;
    `whiskers` says what they span, if there are any.
    """
    left = 0.2 + LETTER * max(map(len, rows))
    figure, (ax,) = draw(0.95 + 0.32 * len(rows), 1, left, 0.72, top=0.1)
    both = {"keras", "torch"} <= {entry["framework"] for entry in series if entry["points"]}
    shift: dict[str | None, float] = {"keras": -0.14, "torch": 0.14} if both else {}
    spans = False
    for entry in series:
        framework = entry["framework"]
        colour = COLOURS.get(framework, INK)
        if not entry["points"]:
            continue
        row, value, low, high = np.array(entry["points"], float).T
        ax.errorbar(
            value,
            row + shift.get(framework, 0),
            xerr=np.maximum([value - low, high - value], 0),
            marker=MARKERS.get(framework, "D"),
            color=colour,
            markerfacecolor=PAPER if entry.get("hollow") else colour,
            elinewidth=1.2,
            linestyle="none",
            label=entry["label"],
        )
        spans |= bool((low != high).any())
    if log:
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:g}")
    else:
        ends = [end for entry in series for _, *own in entry["points"] for end in own]
        limits = ticks.limits(ends)
        ax.set_xticks(*ticks.linear(*limits, WIDE))
        ax.set_xlim(limits)
    if line:
        ax.axvline(line[0], color=INK, linewidth=0.9, linestyle="--", label=line[1])
    ax.set_yticks(range(len(rows)), rows)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="y", color=AXIS, linewidth=0.3, alpha=0.5)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(xlabel)
    handles, names = ax.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles, names, loc="lower center", ncols=5, handlelength=2.4, columnspacing=1.4
        )
    return drawn(figure, name, description, whiskers if spans else "")


def bars(
    name: str, description: str, titles: list[str], panels: list[dict[str, list[Bar]]]
) -> Drawing:
    """Draws bars of precision, recall, F and accuracy, each with its number.

    A panel maps each series ("printed", or a twin) to its bars, from top to bottom; all series have
    the same measures.
    """
    series = list(panels[0])
    measures = [bar.measure for bar in panels[0][series[0]]]
    step = len(series) + 0.7
    height = 0.75 + 0.155 * step * len(measures)
    figure, axes = draw(height, len(panels), 1.42, 0.46, top=0.28, right=0.42)
    for ax, heading, panel in zip(axes, titles, panels, strict=True):
        for offset, (key, some) in enumerate(panel.items()):
            for place, bar in enumerate(some):
                y = place * step + offset
                there = bar.value is not None and math.isfinite(bar.value)
                value = bar.value if there else None
                if value is not None:
                    ax.barh(
                        y, value, 0.78, facecolor=COLOURS.get(key, "none"),
                        edgecolor=COLOURS.get(key, INK), linewidth=0.9,
                    )  # fmt: skip
                ax.text((value or 0) + 0.015, y, bar.text, va="center", fontsize=8)
        ticks = [(p * step + o, NAMES.get(k, k)) for p in range(len(measures))
                 for o, k in enumerate(series)]  # fmt: skip
        ax.set_yticks(*zip(*ticks, strict=True))
        ax.tick_params(axis="y", length=0)
        ax.set_xlim(0, 1)
        ax.set_ylim(step * len(measures) - 1, -0.8)
        ax.set_title(heading, loc="left")
        ax.set_xlabel("share")
        if ax is not axes[0]:
            ax.set_yticklabels([])
    for place, measure in enumerate(measures):
        axes[0].annotate(
            measure, (0, place * step + (len(series) - 1) / 2), (-96, 0), va="center",
            xycoords=axes[0].get_yaxis_transform(), textcoords="offset points", fontsize=9,
        )  # fmt: skip
    return drawn(figure, name, description)
