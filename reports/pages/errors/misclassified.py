"""The images that both twins of a network get wrong: by photograph, image by image, and drawn."""

from dataclasses import dataclass

import numpy as np

from protocols.classes import CLASSES
from protocols.spec import FRAMEWORKS
from reports.cells.answers import Answers, Wrong, name_of, short_id, tests_wrong, wrong_in_both
from reports.cells.cell import Cell
from reports.pages.errors import tables as errors_tables
from reports.pages.errors.hardest import Drawn
from reports.tables.exports import FOLDER
from reports.tables.formats import percent, plural, title, with_article
from reports.tables.table import Table

FEW = 4  # images; photographs with fewer are drawn together
STAND_INS = "X: these tests are of drawn stand-ins, not of cells; they aren't shown."


@dataclass(frozen=True)
class Photograph:
    """The images of one photograph that both twins get wrong."""

    anchor: str
    heading: str
    images: list[Drawn]


@dataclass(frozen=True)
class Both:
    """The images of one network that both twins get wrong, in tables and drawn."""

    sentence: str
    counted: str  # the number of the tests that both twins get wrong, in words
    by_photograph: Table | None
    surest: Table | None
    photographs: list[Photograph]
    undrawn: str  # how many images aren't drawn, and why
    href: str  # the file of the whole list
    lists: list[Table]  # all photographs, and all tests that both get wrong

    @property
    def pictures(self) -> list[str]:
        """The names of all pictures that are drawn here."""
        return [one.picture for p in self.photographs for one in p.images]


def both(
    name: str,
    variant: str,
    cells: list[Cell],
    twins: list[Answers],
    at_hand: dict[str, str] | None,
) -> Both:
    """Return what both twins get wrong of a network.

    The answers `twins` of the `cells` (Keras, PyTorch) must be comparable. `at_hand` has the
    pictures of images and photographs by name; None stands for drawn stand-ins, which are never
    shown.
    """
    wrong, counts, there = wrong_in_both(twins), tests_wrong(twins), at_hand or {}
    shown = {p: [one for one in wrong if one.photograph == p] for p, n in counts.items() if n}
    groups, links = _groups(name, shown, there)
    network, stale = title(variant), [cell.stale for cell in cells]
    rows = errors_tables.by_row(cells, twins, links)
    whole = errors_tables.every_photograph(name, network, rows, stale)
    listed = errors_tables.every_test(name, network, twins, stale)
    drawn = sum(len(group.images) for group in groups)
    return Both(
        _sentence(variant, twins),
        f"{plural(sum(counts.values()), 'test')} wrong in both",
        errors_tables.by_photograph(name, network, rows, counts, stale),
        errors_tables.surest(name, network, cells, wrong),
        groups,
        STAND_INS if at_hand is None else _undrawn(len(wrong), drawn),
        f"{FOLDER}/errors-{listed.name}.csv" if wrong else "",
        [whole, listed] if wrong else [whole],
    )


def _groups(
    name: str, shown: dict[str, list[Wrong]], at_hand: dict[str, str]
) -> tuple[list[Photograph], dict[str, str]]:
    """Return the images by photograph, and the link to the images of each photograph.
    The images of photographs with fewer than FEW stand together at the end."""
    there = {p: [one for one in some if one.id in at_hand] for p, some in shown.items()}
    few = [p for p, some in there.items() if 0 < len(some) < FEW]
    few = few if len(few) > 1 else []
    parts = {name_of(p): [p] for p, some in there.items() if some and p not in few}
    parts |= {"more": few} if few else {}
    groups: list[Photograph] = []
    links: dict[str, str] = {}
    for key, photographs in parts.items():
        tests = plural(sum(one.seeds for p in photographs for one in shown[p]), "test")
        what = f"Photograph {key}, {CLASSES[shown[photographs[0]][0].label].lower()}"
        if photographs == few:
            what = f"{len(few)} more photographs"
        anchor = f"wrong-{name}-{key}".replace(".", "-")
        images = [_drawn(one, photographs == few) for p in photographs for one in there[p]]
        groups.append(Photograph(anchor, f"{what}: {tests} wrong in both", images))
        links |= dict.fromkeys(photographs, f"#{anchor}")
    return groups, links


def _sentence(variant: str, twins: list[Answers]) -> str:
    wrong = [~one.right for one in twins]
    n, seeds = len(wrong[0]), len(np.unique(twins[0].seeds))
    tests = f"{n:,} tests" + (f" ({plural(seeds, 'seed')})" if seeds > 1 else "")
    return (
        f"{title(variant)}: of {tests}, {int((wrong[0] & wrong[1]).sum()):,} are wrong in both "
        f"Keras and PyTorch, {int((wrong[0] != wrong[1]).sum()):,} in one alone."
    )


def _undrawn(wrong: int, drawn: int) -> str:
    if drawn == wrong:
        return ""
    if drawn:
        return f"{drawn:,} of {wrong:,} images are drawn; all stand in the list."
    return (
        "X: the images themselves aren't drawn, for they aren't at hand: name their folder "
        "(WBC_DATA or --data) and write the report again."
    )


def _drawn(one: Wrong, named: bool) -> Drawn:
    """Return an image with its words.
    With `named` the words have the photograph and the class, which elsewhere a heading tells."""
    true = CLASSES[one.label].lower()
    said = tuple(
        (framework, f"{CLASSES[c].lower()}, {percent(p, 1)}")
        for framework, c, p in zip(FRAMEWORKS, one.said, one.of_true, strict=True)
    )
    words = f"{name_of(one.photograph)}, {true}: " if named else ""
    return Drawn(
        one.id,
        f"{with_article(true).capitalize()}: {short_id(one.id)}",
        words + short_id(one.id),
        said,
    )
