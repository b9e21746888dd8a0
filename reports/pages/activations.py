"""The page "What the networks look at": pictures of images, maps and Grad-CAM, in both twins.
The pictures of images and maps are made after a paper's figures."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from protocols.classes import CLASSES
from protocols.papers.backbones import load_backbones
from protocols.papers.papers import load_papers
from protocols.papers.variants import load_variants
from protocols.runs import activations
from protocols.spec import FRAMEWORKS
from reports.cells.answers import short, short_id
from reports.cells.cell import Group
from reports.cells.collect import Collected
from reports.figures.pictures import SEEN, heat, png, read
from reports.pages.content import PageRecord, Results, worth_showing
from reports.tables.formats import NAMES, STALE, STALE_NOTE, THIN, minus, title, with_article

PAPER = next(paper for paper in load_papers().values() if paper.pictured)
DRAWN = PAPER.pictured or {}
FIGURES = DRAWN["network"]  # the network whose maps the paper shows
OF = load_variants()[FIGURES].backbones[0]
LACKING = {
    "real": f"X: {PAPER.author}’s {DRAWN['classes']} and {DRAWN['turned']} need the images, and so "
    "do the heat maps to stand on them; here they stand alone. Name the images’ folder (WBC_DATA "
    "or --data) and write the report again.",
    "phantom": "X: the drawn images are no longer in the cache; the heat maps stand alone.",
}
AFTER = f"After {PAPER.author}’s"
ACROSS = 8  # maps side by side
WIDEST = 72  # pixels of a map
EVEN = 0.5  # a map whose lowest value is above this share of its highest has no peak
Marks = dict[tuple[str, str], str]  # by twin and network, what marks its numbers as stale


@dataclass(frozen=True)
class Picture:
    """An image with its text alternative and its caption."""

    source: str  # its data address
    alt: str
    caption: str
    framework: str = ""


@dataclass(frozen=True)
class Figure:
    """Some pictures under one heading; `wide` says that they are few and large."""

    anchor: str
    heading: str
    caption: str
    pictures: list[Picture]
    wide: bool = False


@dataclass(frozen=True)
class Section:
    """The figures of one group of runs."""

    caption: str
    figures: list[Figure]
    notes: list[str]


def recorded(group: Group, variant: str) -> dict[str, dict[str, np.ndarray]]:
    """Return, by twin, the arrays of activations.npz from the first run of the first seed.
    Twins without such a file are left out."""
    found = {}
    for framework in FRAMEWORKS:
        cell = group.cells.get((framework, variant))
        slots = [s for s in cell.of_seed(cell.seeds[0]) if s.usable] if cell else []
        if not slots:
            continue
        arrays = slots[0].stored.activations
        if arrays is not None:
            found[framework] = arrays
    return found


def are_there(collected: Collected) -> bool:
    """Return whether the page has any section."""
    return any(recorded(g, v) for g in _groups(collected)[0] for v in g.variants)


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
        seen = {v: r for v in group.variants if (r := recorded(group, v))}
        if not seen:
            continue
        spec = next(s.spec for s in group.slots if s.spec.variant in seen)
        images = pictures.get(spec.data["digest"], {})
        notes = [] if images else [LACKING[spec.data["kind"]]]
        stale = {key for key, cell in group.cells.items() if cell.stale}
        notes += [STALE_NOTE] if stale else []
        marks = {key: f" {STALE}" if key in stale else "" for key in group.cells}
        name = f"{group.setting.slug}-{group.protocol}"
        figures = [*_shown(name, next(iter(seen.values())), images)]
        if FIGURES in seen:
            figures += _layers(name, seen[FIGURES], marks)
        figures += [_cams(name, v, of, images, marks) for v, of in seen.items()]
        found.append(Section(group.caption, figures, notes))
    return found


def _shown(
    name: str, twins: dict[str, dict[str, np.ndarray]], images: dict[str, str]
) -> list[Figure]:
    """Return the figures of an image of each class, and of one photograph as the set turns it."""
    arrays = next(iter(twins.values()))
    ids = [str(i) for i in arrays["ids"]]
    classes = [CLASSES[c].lower() for c in arrays["labels"]]
    some = [
        Picture(
            images[i],
            f"{with_article(c).capitalize()}, stained: {short_id(i)}",
            f"{c}, {short_id(i)}",
        )
        for i, c in zip(ids, classes, strict=True)
        if i in images
    ]
    figures = []
    if some:
        text = f"{AFTER} {DRAWN['classes']}: one image of each class, the first that is tested."
        figures.append(Figure(f"classes-{name}", "One image of each class", text, some))
    rows = [row for row in activations.turned(ids[0]) if row.file in images]
    turned = [
        Picture(
            images[row.file],
            f"The same {classes[0]}, {'mirrored and ' if row.mirrored else ''}turned by "
            f"{row.angle:.0f} degrees: {short_id(row.file)}",
            minus(f"{row.angle:.0f}°") + (", mirrored" if row.mirrored else ""),
        )
        for row in rows
    ]
    if len(turned) > 1:
        text = (
            f"{AFTER} {DRAWN['turned']}: photograph {short(rows[0].original)} as images of the "
            "public set show it, turned, mirrored, drawn out."
        )
        figures.append(Figure(f"turned-{name}", "One photograph, turned", text, turned))
    return figures


def _grid(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the maps (n, h, w) on one sheet, and where on the sheet there is a map.
    Each map is scaled from its lowest to its highest value; ACROSS maps stand side by side, and the
    rest of the sheet is paper."""
    n, h, w = values.shape
    low, high = (f(values, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
    scaled = (255 * (values - low) / np.where(high > low, high - low, 1)).astype(np.uint8)
    if w > WIDEST:
        size = (WIDEST, round(h * WIDEST / w))
        scaled = np.stack([np.asarray(Image.fromarray(one).resize(size)) for one in scaled])
        _, h, w = scaled.shape
    sheet = np.zeros((-(-n // ACROSS) * (h + 1) - 1, ACROSS * (w + 1) - 1), np.uint8)
    drawn = np.zeros(sheet.shape, bool)
    for i, one in enumerate(scaled):
        y, x = i // ACROSS * (h + 1), i % ACROSS * (w + 1)
        sheet[y : y + h, x : x + w] = one
        drawn[y : y + h, x : x + w] = True
    return sheet, drawn


def _layers(name: str, twins: dict[str, dict[str, np.ndarray]], marks: Marks) -> list[Figure]:
    """Return the figures of the layers whose maps the paper shows."""
    figures = []
    arrays = next(iter(twins.values()))
    image = f"{CLASSES[arrays['labels'][0]].lower()}, {short_id(str(arrays['ids'][0]))}"
    for layer in load_backbones()[OF].layers:
        key = f"{OF}/{layer.name}"
        pictures = []
        for framework, of in twins.items():
            values = activations.values(of, key)
            if not np.isfinite(values).all():
                continue
            ends = minus(f"{values.min():.3g} to {values.max():.3g}")
            said = f"{NAMES[framework]}{marks[framework, FIGURES]}: {ends}"
            alt = (
                f"{NAMES[framework]} {title(FIGURES)}: the first {len(values)} maps of "
                f"{layer.name} for {with_article(image)}, values from {ends}"
            )
            pictures.append(Picture(png(*_grid(values)), alt, said, framework))
        what = "pooling layer" if layer.pools else "first convolution"
        height, width = arrays[f"layer/{key}"].shape[1:]
        text = (
            f"After {layer.reason}: the first {layer.maps} maps of {title(FIGURES)}’s {what} "
            f"{layer.name}, {height} × {width}, for one image ({image}). Each map from its "
            "lowest value (black) to its highest (white); below, the range of all. The network as "
            "its training ended, after fine-tuning."
        )
        anchor = f"{layer.name}-{name}".replace("_", "-")
        figures.append(Figure(anchor, f"{title(FIGURES)}, {layer.name}", text, pictures, wide=True))
    return figures


def _even(cam: np.ndarray) -> str:
    """Return words for a map without a peak, whose colours show small differences, or ""."""
    if not cam.any():
        return "; nowhere"
    share = cam.min() / cam.max()
    return f"; everywhere at least {100 * share:.0f}{THIN}% of the highest" if share > EVEN else ""


def _cams(
    name: str,
    variant: str,
    twins: dict[str, dict[str, np.ndarray]],
    images: dict[str, str],
    marks: Marks,
) -> Figure:
    pictures = []
    for framework, of in twins.items():
        several = len(activations.backbones(of)) > 1
        for backbone in activations.backbones(of):
            for i, (image, label) in enumerate(zip(of["ids"], of["labels"], strict=True)):
                cam, p = of[f"cam/{backbone}"][i], of["probabilities"][i]
                true = CLASSES[label].lower()
                if not (np.isfinite(cam).all() and np.isfinite(p).all()):
                    continue
                mark = marks[framework, variant]
                said = f"{CLASSES[p.argmax()].lower()}, {100 * p.max():.0f}{THIN}%{mark}"
                of_network = f" ({title(backbone)})" if several else ""
                pictures.append(
                    Picture(
                        heat(cam, images.get(str(image), "")),
                        f"{NAMES[framework]} {title(variant)}{of_network}: where it looks for "
                        f"{said}; {short_id(str(image))} is {with_article(true)}",
                        f"{true}: taken for {said}{of_network}{_even(cam)}",
                        framework,
                    )
                )
    text = (
        "Grad-CAM (Selvaraju et al. 2017) of the last feature map towards the class that the "
        "network names, over the image in grey: the redder, the more a place speaks for that "
        "class. In each picture the colours reach from the map’s lowest value (clear) to its "
        "highest (dark red). The network as its training ended."
    )
    return Figure(f"cam-{variant}-{name}", f"{title(variant)}: where it looks", text, pictures)


def page(results: Results) -> dict[str, object]:
    """Return the content of the page."""
    left = bool(_groups(results.collected)[1])
    return {"sections": sections(results.collected, results.out), "left_out": left}


PAGE = PageRecord(
    "activations.html", "What the networks look at", "Activations",
    page,
    place=6, group="Evidence",
    is_there=lambda results: are_there(results.collected),
)  # fmt: skip
