"""Draws reliability diagrams, and the accuracy photograph by photograph."""

from typing import Any

import numpy as np

from reports.cells.answers import Share, name_of
from reports.figures.drawing import Drawing, drawn
from reports.figures.kinds import MARKERS, NAMES, STYLES
from reports.figures.svg import AXIS, COLOURS, PAPER, again, legend
from reports.statistics.reliability import BINS, Reliability

NARROWEST = 0.3  # the width of the narrowest panel, as a share of the widest one's


def reliability(name: str, network: str, curves: dict[str, Reliability]) -> Drawing:
    """Draws, for each twin, the accuracy over the probability of the predicted class, bin by bin,
    and the share of images in each bin."""
    figure, (left, right) = again("reliability", 2.6, 2)
    left.plot([0, 1], [0, 1], color=AXIS, linewidth=0.8, linestyle=":")
    for framework, one in curves.items():
        there = one.images > 0
        look: dict[str, Any] = {
            "color": COLOURS[framework],
            "linestyle": STYLES[framework],
            "marker": MARKERS[framework],
            "markersize": 4,
            "markerfacecolor": COLOURS[framework] if framework == "keras" else PAPER,
        }
        text = f"{NAMES[framework]}, calibration error {100 * one.error:.1f} points"
        left.plot(one.confidence[there], one.accuracy[there], label=text, **look)
        middle = (np.arange(BINS) + 0.5) / BINS
        right.plot(middle, 100 * one.images / one.images.sum(), **look)
    for ax in (left, right):
        ax.set_xlim(0, 1.02)
        ax.set_xlabel("probability of the predicted class")
    left.set_ylim(-0.02, 1.04)
    left.set_ylabel("share predicted rightly")
    left.set_title("on the dotted line: as sure as right", loc="left", y=1)
    right.set_ylim(bottom=0)
    right.set_ylabel("images, %")
    legend(figure, [left])
    said = "; ".join(
        f"{NAMES[f]}: expected calibration error {100 * c.error:.1f} points"
        for f, c in curves.items()
    )
    return drawn(figure, name, f"{network}: accuracy by predicted probability. {said}")


def by_photograph(name: str, network: str, classes: dict[str, list[Share]]) -> Drawing:
    """Draws a dot for each photograph and twin, in a panel for each class, from the hardest
    photograph to the easiest."""
    counts = [len(shares) for shares in classes.values()]
    widths = tuple(max(count, NARROWEST * max(counts), 1) for count in counts)
    figure, axes = again("photographs", 2.5, len(classes), widths=widths)
    twins = next((list(shares[0].of) for shares in classes.values() if shares), [])
    titles = {}
    for ax, count, (heading, shares) in zip(axes, counts, classes.items(), strict=True):
        for framework in twins:
            group = f"{heading}-{framework}"
            titles[group] = [_named(share, framework) for share in shares]
            ax.plot(
                range(1, count + 1), [100 * share.of[framework] for share in shares],
                linestyle="none", gid=group,
                marker=MARKERS[framework], markersize=4, color=COLOURS[framework],
                markerfacecolor=COLOURS[framework] if framework == "keras" else "none",
                label=NAMES[framework],
            )  # fmt: skip
        ax.set_title(f"{heading.lower()}, {count}", loc="left", y=1)
        ax.set_ylim(-4, 104)
        ax.set_xlim(0, max(count, 1) + 1)
        ax.set_xticks([])
        ax.set_xlabel("photographs")
        ax.xaxis.set_label_coords(0.5, -0.07)  # there are no numbers between
        ax.tick_params(labelleft=ax is axes[0])
    axes[0].set_ylabel("accuracy, %")
    legend(figure, axes)
    return drawn(figure, name, _said(network, twins, classes), titles=titles)


def _named(share: Share, framework: str) -> str:
    value = f"{100 * share.of[framework]:.0f} %"
    return f"photograph {name_of(share.photograph)}, {NAMES[framework]}: {value}"


def _said(network: str, twins: list[str], classes: dict[str, list[Share]]) -> str:
    shares = [share for some in classes.values() for share in some]
    hard = "; ".join(
        f"{NAMES[f]} is right on less than half of the images of "
        f"{sum(share.of[f] < 0.5 for share in shares)}"
        for f in twins
    )
    return f"{network}: accuracy on each of {len(shares)} photographs, by class and twin. {hard}"
