"""The page "What the networks look at": Grad-CAM of every network, in both twins."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from protocols.classes import CLASSES
from protocols.papers.papers import load_papers
from protocols.runs import activations
from reports.cells.answers import short_id
from reports.cells.cell import Group
from reports.cells.collect import Collected
from reports.figures.pictures import SEEN, heat, read
from reports.pages.content import PageRecord, Results, worth_showing
from reports.tables.formats import NAMES, STALE, STALE_NOTE, THIN, title, with_article

LACKING = {
    "real": "X: the heat maps stand alone, for the images aren't at hand. Name the images' folder "
    "(WBC_DATA or --data) and write the report again.",
    "phantom": "X: the drawn images are no longer in the cache; the heat maps stand alone.",
}
ABOUT = (
    "Grad-CAM (Selvaraju et al. 2017) of the last feature map towards the class that the network "
    "names, over the image in grey: the redder, the more a place speaks for that class. In each "
    "picture the colours reach from the map's lowest value (clear) to its highest (dark red); "
    "“nowhere” stands where no place speaks for the class. The network as its training ended."
)
EVEN = 0.5  # a map whose lowest value is above this share of its highest has no peak


@dataclass(frozen=True)
class Picture:
    """An image with its text alternative and its caption."""

    source: str  # its data address
    alt: str
    caption: str
    framework: str = ""


@dataclass(frozen=True)
class Figure:
    """Some pictures under one heading."""

    anchor: str
    heading: str
    pictures: list[Picture]


@dataclass(frozen=True)
class Section:
    """The figures of one group of runs."""

    caption: str
    figures: list[Figure]
    notes: list[str]


def _groups(collected: Collected) -> tuple[list[Group], list[Group]]:
    """Return the groups of the request, or all if the request has none: those that are shown and
    those that are left out."""
    return worth_showing([g for g in collected.groups if g.setting.planned] or collected.groups)


def sections(collected: Collected, out: Path) -> list[Section]:
    """Return a section for each group whose runs recorded activations.
    The groups are those of the request; if the request has none, all groups."""
    pictures = read(out / SEEN)
    found = []
    for group in _groups(collected)[0]:
        seen = {v: r for v in group.variants if (r := group.activations(v))}
        if not seen:
            continue
        spec = next(s.spec for s in group.slots if s.spec.variant in seen)
        images = pictures.get(spec.data["digest"], {})
        stale = any(cell.stale for cell in group.cells.values())
        notes = ([] if images else [LACKING[spec.data["kind"]]]) + [STALE_NOTE] * stale
        figures = [_cams(group, variant, of, images) for variant, of in seen.items()]
        found.append(Section(group.caption, figures, notes))
    return found


def _even(cam: np.ndarray) -> str:
    """Return words for a map without a peak, whose colours show small differences, or ""."""
    if not cam.any():
        return "; nowhere"
    share = cam.min() / cam.max()
    return f"; everywhere at least {100 * share:.0f}{THIN}% of the highest" if share > EVEN else ""


def _cams(
    group: Group, variant: str, twins: dict[str, dict[str, np.ndarray]], images: dict[str, str]
) -> Figure:
    pictures = []
    for framework, of in twins.items():
        several = len(activations.backbones(of)) > 1
        mark = f" {STALE}" * group.cells[framework, variant].stale
        for backbone in activations.backbones(of):
            for i, (image, label) in enumerate(zip(of["ids"], of["labels"], strict=True)):
                cam, p = of[f"cam/{backbone}"][i], of["probabilities"][i]
                true = CLASSES[label].lower()
                if not (np.isfinite(cam).all() and np.isfinite(p).all()):
                    continue
                said = f"{CLASSES[p.argmax()].lower()}, {100 * p.max():.0f}{THIN}%{mark}"
                of_network = f" ({title(backbone)})" if several else ""
                alternative = (
                    f"{NAMES[framework]} {title(variant)}{of_network}: where it looks for {said}; "
                    f"{short_id(str(image))} is {with_article(true)}"
                )
                caption = f"{true}: taken for {said}{of_network}{_even(cam)}"
                picture = heat(cam, images.get(str(image), ""))
                pictures.append(Picture(picture, alternative, caption, framework))
    anchor = f"cam-{variant}-{group.setting.slug}-{group.protocol}"
    return Figure(anchor, f"{title(variant)}: where it looks", pictures)


def page(results: Results) -> dict[str, object]:
    """Return the content of the page."""
    left = bool(_groups(results.collected)[1])
    maps = next(paper for paper in load_papers().values() if paper.pictured)
    return {
        "sections": sections(results.collected, results.out),
        "about": ABOUT,
        "left_out": left,
        "maps_file": f"{maps.key}.html",
        "maps_author": maps.author,
    }


PAGE = PageRecord(
    "activations.html", "What the networks look at", "Activations",
    page,
    place=6, group="Evidence",
    is_there=lambda results: any(
        group.activations(v) for group in _groups(results.collected)[0] for v in group.variants
    ),
)  # fmt: skip
