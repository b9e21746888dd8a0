"""The page on the images: which photograph each one shows, and which photographs overlap."""

import json
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from protocols.photographs import provenance
from protocols.photographs.provenance import Original, Overlap
from reports.cells.answers import name_of
from reports.figures.photographs import OVERLAPS
from reports.figures.pictures import read
from reports.pages.content import PageRecord
from reports.pages.leakage.evidence import part
from reports.tables.builder import Line, numbers, over, table, texts
from reports.tables.formats import minus, percent, plural
from reports.tables.table import Table, Td

COMMAND = "python runner.py --provenance"
SHARP = 1.5  # the ratio of sharpness from which one photograph counts as out of focus


@dataclass(frozen=True)
class Pair:
    """Two photographs of one field: their names, the evidence, and a picture if there is one."""

    title: str
    said: str
    picture: str


def _checks() -> Table:
    found = provenance.checks(provenance.shown(), provenance.originals())
    return table(
        "provenance-checks",
        "What must hold, and needs no ground truth.",
        [*texts("It must hold that", "Found"), *numbers("Holds")],
        [[c.title, c.said, Td("yes" if c.ok else "no", ok=c.ok)] for c in found],
    )


def _names(original: Original) -> str:
    what = original.label.lower() or "no label"
    return f"{name_of(original.file)} ({what}, {original.split or 'in neither part'})"


def kind(pair: Overlap, known: dict[str, Original]) -> str:
    """Return in which parts of the set the two photographs of a pair stand."""
    splits = {known[pair.first].split, known[pair.second].split}
    if splits == {"TRAIN", "TEST"}:
        return "One in TRAIN, one in TEST"
    if "" in splits:
        return "One or both in neither part"
    return f"Both in {splits.pop()}"


KINDS = ("One in TRAIN, one in TEST", "Both in TEST", "Both in TRAIN",
         "One or both in neither part")  # fmt: skip


def _evidence(pair: Overlap, known: dict[str, Original]) -> str:
    first, second = known[pair.first], known[pair.second]
    shift = minus(f"shift {pair.dx:+d}, {pair.dy:+d} pixels")
    said = [f"{shift}; {percent(pair.share, 0)} of the field in both",
            f"correlation {pair.correlation:.2f}",
            plural(pair.features, "SIFT feature") + " in the same place"]  # fmt: skip
    if max(pair.sharpness, 1 / pair.sharpness) >= SHARP:
        blurred = first if pair.sharpness < 1 else second
        said.append(f"{name_of(blurred.file)} is out of focus")
    if first.label != second.label:
        said.append("labels differ")
    return "; ".join(said) + "."


def pairs(out: Path) -> dict[str, list[Pair]]:
    """Return every overlap by where its photographs stand, with its picture if `out` has one."""
    pictures = read(out / OVERLAPS)
    known = {o.file: o for o in provenance.originals()}
    found: dict[str, list[Pair]] = {name: [] for name in KINDS}
    for pair in provenance.overlaps():
        title = " and ".join(_names(known[name]) for name in pair[:2])
        picture = pictures.get(f"{pair.first} {pair.second}", "")
        found[kind(pair, known)].append(Pair(title, _evidence(pair, known), picture))
    return {name: some for name, some in found.items() if some}


def _consequences() -> Table:
    known = {o.file: o for o in provenance.originals()}
    of, groups = provenance.groups(), Counter(provenance.groups().values())
    test = {of[o.file] for o in known.values() if o.split == "TEST"}
    train = {of[o.file] for o in known.values() if o.split == "TRAIN"}
    both = test & train
    lines: list[Line] = []
    for split, own in (("TEST", test), ("TRAIN", train)):
        images = part(split)
        near = [row for row in images if of[row.original] in both]
        lines.append([
            split, len(images), len({row.original for row in images}), len(own),
            len({row.original for row in near}),
            Td(f"{len(near):,}", percent(len(near) / len(images), 1)),
        ])  # fmt: skip
    heads = ("Images", "Photographs", "Groups", "Photographs whose group is in both parts",
             "Images of those")  # fmt: skip
    largest = max(groups.values())
    return table(
        "provenance-groups",
        f"What the {len(known)} photographs come to. A group is what overlaps connect: "
        f"{len(groups)} groups, {sum(n > 1 for n in groups.values())} of more than one photograph, "
        f"the largest of {largest}.",
        [*texts("Part"), *numbers(*heads)],
        lines,
        ["The grouped protocols let no group stand on both sides."],
    )


def _maps() -> Table:
    """Return the table of how the images of each part show their photographs."""
    lines: list[Line] = []
    for split in ("TRAIN", "TEST", "TEST_SIMPLE"):
        images = part(split)
        turned = sorted(min(abs(row.angle), 180 - abs(row.angle)) for row in images)
        drawn = sorted(row.stretch for row in images)
        moved = sorted(math.hypot(row.right, row.down) for row in images)
        line = [split, Td(percent(sum(row.mirrored for row in images) / len(images), 1))]
        for values, digits in ((turned, 1), (drawn, 3), (moved, 1)):
            middle, high = values[len(values) // 2], values[99 * len(values) // 100]
            line += [Td(f"{middle:.{digits}f}"), Td(f"{high:.{digits}f}")]
        lines.append(line)
    below = numbers("median", "99%")
    return table(
        "provenance-maps",
        "The affine map from each photograph to its image: whether it mirrors, how far it turns "
        "(degrees from upright or upside down), how far it draws out along one direction (1: not "
        "at all), how far it moves the centre (pixels of 320 × 240). TEST_SIMPLE wasn't augmented: "
        "what it shows is the fit's own error.",
        [*texts("Part"), *numbers("Mirrored"),
         *(over(name, below) for name in ("Turned by", "Drawn out by", "Moved by"))],
        lines,
    )  # fmt: skip


def _unlike() -> int:
    label_of = {o.file: o.label for o in provenance.originals()}
    return sum(label_of[p.first] != label_of[p.second] for p in provenance.overlaps())


def page(out: Path) -> dict[str, object]:
    """Return the content of the page."""
    search = json.loads((provenance.FOLDER / provenance.SEARCH).read_text(encoding="utf-8"))
    images = provenance.shown()
    sure = sum(not row.doubtful for row in images)
    found = pairs(out)
    return {
        "lead": f"{len(images):,} images show {len({r.original for r in images})} photographs. "
        "Which one each shows was found from the pixels alone: SIFT features, both photograph and "
        "mirror image, and a robust affine fit (OpenCV). "
        f"{sure:,} matches are sure, {len(images) - sure} doubtful.",
        "tables": [_checks(), _maps(), _consequences()],
        "overlap": f"All {search['pairs']:,} pairs of photographs were correlated at every shift "
        f"that leaves a twentieth of the field, {search['pairs_looked_at']:,} of them again in "
        f"colour detail: {search['overlaps']} show one field, with correlations of "
        f"{search['lowest']:.2f} and more. No other pair that would share a tenth of the field "
        f"reaches {search['bound']:.2f} (highest: {search['next_best']:.2f}), and where one "
        f"photograph is mirrored, so that only chance is left, none does (highest: "
        f"{search['chance']:.2f}; pairs found so: {search['found_by_chance']}). For smaller parts "
        f"features must agree as well. {_unlike()} pairs have two labels: another white cell of "
        "the field, or the same one named twice, which the eye must say.",
        "found": found,
        "pictured": any(pair.picture for some in found.values() for pair in some),
        "command": COMMAND,
    }


PAGE = PageRecord(
    "images.html", "Which photographs do the images show?", "Images",
    lambda results: page(results.out), place=9, group="Data", settings=lambda _: [],
)  # fmt: skip
