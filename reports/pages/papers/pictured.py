"""Liang's figures of images and of feature maps, made again: Figs. 3, 4, 7 and 8."""

from pathlib import Path

import numpy as np

from protocols.classes import CLASSES
from protocols.papers.backbones import Layer, load_backbones
from protocols.papers.papers import load_papers
from protocols.papers.recipes import load_profiles
from protocols.papers.variants import load_variants
from protocols.runs import activations
from reports.cells.answers import name_of, short_id
from reports.cells.cell import Group
from reports.figures import sheets
from reports.figures.pictures import SEEN, png, read
from reports.pages.content import Drawn
from reports.tables.formats import NAMES, STALE, minus, title, with_article

PAPER = next(paper for paper in load_papers().values() if paper.pictured)
PICTURED = PAPER.pictured or {}
NETWORK = PICTURED["network"]  # the network whose maps the paper shows
BACKBONE = load_variants()[NETWORK].backbones[0]
AFTER = f"After {PAPER.author}'s"
ACROSS = 8  # maps side by side
WIDEST = 72  # pixels of a map
MANY = 6  # images side by side, of one photograph
LETTERS = "abcd"
LACKING = (
    f"X: {PAPER.author}'s {PICTURED['classes']} and {PICTURED['turned']} need the images. Name the "
    "images' folder (WBC_DATA or --data) and write the report again."
)


def of_images(group: Group, out: Path) -> list[Drawn]:
    """Return the figures of an image of each class, and of one photograph as the set turns it.
    They are of the pictures in the report's folder `out`."""
    twins = group.activations(NETWORK)
    if not twins:
        return []
    data = group.slots[0].spec.data
    images = read(out / SEEN).get(data["digest"], {})
    if not images:
        return [Drawn(None, "", LACKING)] if data["kind"] == "real" else []
    arrays = next(iter(twins.values()))
    ids = [str(i) for i in arrays["ids"]]
    classes = [CLASSES[c].lower() for c in arrays["labels"]]
    made = (_classes(group, ids, classes, images), _turned(group, ids[0], classes[0], images))
    return [one for one in made if one]


def _classes(
    group: Group, ids: list[str], classes: list[str], images: dict[str, str]
) -> Drawn | None:
    shown = [(i, c) for i, c in zip(ids, classes, strict=True) if i in images]
    if not shown:
        return None
    row = [
        sheets.Sheet(images[i], f"({letter}) {c}, {short_id(i)}")
        for letter, (i, c) in zip(LETTERS, shown, strict=False)
    ]
    said = "; ".join(f"{with_article(c)}, stained: {short_id(i)}" for i, c in shown)
    name, said = f"classes-{group.setting.slug}", f"One image of each class: {said}"
    return Drawn(
        sheets.rows(name, said, [row], len(CLASSES), above=False),
        f"{AFTER} {PICTURED['classes']}: one image of each class. The paper doesn't say which "
        "images it shows; here are the first that are tested.",
    )


def _turned(group: Group, image: str, name: str, images: dict[str, str]) -> Drawn | None:
    rows = [row for row in activations.turned(image) if row.file in images]
    if len(rows) < 2:
        return None
    words = [minus(f"{row.angle:.0f}°") + (", mirrored" if row.mirrored else "") for row in rows]
    row = [sheets.Sheet(images[r.file], text) for r, text in zip(rows, words, strict=True)]
    said = f"One photograph of {with_article(name)}, turned by degrees: {'; '.join(words)}"
    return Drawn(
        sheets.rows(f"turned-{group.setting.slug}", said, [row], MANY, above=False),
        f"{AFTER} {PICTURED['turned']}: photograph {name_of(rows[0].original)} as images of the "
        "public set show it. The paper speaks of rotation alone; the set's images are mirrored and "
        "drawn out, too.",
    )


def of_maps(group: Group) -> list[Drawn]:
    """Return a figure for each of the paper's figures of maps, with both twins side by side."""
    twins = group.activations(NETWORK)
    if not twins:
        return []
    layers: dict[str, list[Layer]] = {}
    for layer in load_backbones()[BACKBONE].layers:
        layers.setdefault(layer.reason.removeprefix(f"{PAPER.author} "), []).append(layer)
    made = (_maps(group, number, own, twins) for number, own in layers.items())
    return [one for one in made if one]


def _maps(
    group: Group,
    number: str,
    layers: list[Layer],
    twins: dict[str, dict[str, np.ndarray]],
) -> Drawn | None:
    rows, said = [], []
    for layer in layers:
        row = []
        for framework, of in twins.items():
            values = activations.values(of, f"{BACKBONE}/{layer.name}")
            if not np.isfinite(values).all():
                continue
            mark = f" {STALE}" if group.cells[framework, NETWORK].stale else ""
            ends = minus(f"{values.min():.3g} to {values.max():.3g}")
            words = f"{NAMES[framework]}{mark}, {layer.name}: {ends}"
            row.append(sheets.Sheet(png(*sheets.grid(values, ACROSS, WIDEST)), words, crisp=True))
            said.append(f"{words}, {len(values)} maps of {_by(values.shape[1:])}")
        if row:
            rows.append(row)
    if not rows:
        return None
    arrays = next(iter(twins.values()))
    image = f"{CLASSES[arrays['labels'][0]].lower()}, {short_id(str(arrays['ids'][0]))}"
    name = f"maps-{number.lower().replace('. ', '')}-{group.setting.slug}"
    alternative = f"Feature maps of {title(NETWORK)} for {with_article(image)}: {'; '.join(said)}"
    return Drawn(
        sheets.rows(name, alternative, rows, max(map(len, rows)), above=True),
        f"{AFTER} {number}: {_about(layers, arrays, image)}{_size(group)}",
    )


def _about(layers: list[Layer], arrays: dict[str, np.ndarray], image: str) -> str:
    """Return what the maps are, how they are drawn, and what the paper leaves open."""
    what = "pooling layers" if layers[0].pools else "first convolution"
    counts = " and ".join(dict.fromkeys(str(layer.maps) for layer in layers))
    maps = f"{counts} maps{' of each' if len(layers) > 1 else ''} of {title(NETWORK)}'s {what}"
    sizes = (_by(arrays[f"layer/{BACKBONE}/{layer.name}"].shape[1:]) for layer in layers)
    return (
        f"the first {maps}, {', '.join(sizes)}, for one image ({image}). Each map from its lowest "
        "value (black) to its highest (white); above, the range of all. The network as its "
        "training ended, first seed. The paper doesn't say of which image its maps are."
    )


def _size(group: Group) -> str:
    """Return a sentence on the size of the images, if it isn't the paper's."""
    numbers, data = load_profiles()["paper"], group.slots[0].spec.data
    published, used = (numbers.height, numbers.width), (data["height"], data["width"])
    if published == used:
        return ""
    return f" The paper's images have {_by(published)} pixels, these {_by(used)}."


def _by(shape: tuple[int, ...]) -> str:
    """Return a size as width × height, from the height and the width."""
    height, width = shape
    return f"{width} × {height}"
