"""The page "Where they err": by class, by photograph, image by image, and how sure they were."""

from dataclasses import dataclass
from typing import Any

from protocols.spec import FRAMEWORKS
from reports.cells.answers import Answers, accuracies, answers, comparable
from reports.cells.cell import Cell, Group
from reports.cells.collect import Collected
from reports.cells.parallel import spread
from reports.data.numbers import Numbers
from reports.figures import errors, photographs, pictures
from reports.figures.drawing import Drawing
from reports.pages.content import PageRecord, Results, worth_showing
from reports.pages.errors import misclassified
from reports.pages.errors.hardest import Hardest, hardest
from reports.statistics.reliability import reliability
from reports.tables.builder import numbers, over_twins, table, texts
from reports.tables.cell_text import NOT_ASKED
from reports.tables.formats import MISSING, marked, points, title
from reports.tables.table import Table, Td


@dataclass(frozen=True)
class Block:
    """The figures and tables of one network."""

    anchor: str
    heading: str
    reliability: Drawing | None
    photographs: Drawing | None
    twins: int  # how many of the twins are whole
    both: misclassified.Both | None  # what both get wrong; None unless they have the same tests


@dataclass(frozen=True)
class Section:
    """The networks of one group of runs."""

    caption: str
    hardest: Hardest
    calibration: Table
    blocks: list[Block]


def page(results: Results) -> dict[str, Any]:
    """Return the content of the page: the groups with a whole cell, planned ones first. `pool` has
    the pictures that the page draws, by name, from the report's folder, which may have none."""
    collected, out = results.collected, results.out
    at_hand = pictures.read(out / pictures.WRONG) | pictures.read(out / photographs.PHOTOGRAPHS)
    answered = [group for group in collected.groups if any(map(answers, group.cells.values()))]
    shown, left = worth_showing(answered)
    known = [(group, _answers(group), at_hand if _real(group) else None) for group in shown + left]
    wanted = [
        (group, variant, found, pictured, place < len(shown))
        for place, (group, found, pictured) in enumerate(known)
        for variant in group.variants
    ]
    blocks = iter(spread(_block, wanted, collected.jobs))
    made = []
    for group, found, pictured in known:
        own = [block for block in (next(blocks) for _ in group.variants) if block]
        stale = any(cell.stale for cell in group.cells.values())
        name = f"{group.setting.slug}-{group.protocol}"
        runs = group.cells[next(iter(found))].href
        worst = hardest(name, list(found.values()), stale, pictured or {}, runs)
        made.append(Section(group.caption, worst, _calibration(group, results.numbers), own))
    sections, left_out = made[: len(shown)], made[len(shown) :]
    both = [b.both for section in sections for b in section.blocks if b.both]
    used = {name for one in both for name in one.pictures}
    used |= {one.picture for section in sections for one in section.hardest.drawn}
    keys = {name: f"i{number}" for number, name in enumerate(sorted(used))}
    return {
        "sections": sections,
        "left_out": left_out,
        "keys": keys,
        "pool": {name: at_hand[name] for name in keys},
    }


def wrong_images(collected: Collected) -> list[list[str]]:
    """Return, for each network of the real images, the images that both twins get wrong."""
    found = []
    for group in filter(_real, collected.groups):
        known = _answers(group)
        for variant in group.variants:
            own = [known[f, variant] for f in FRAMEWORKS if (f, variant) in known]
            if comparable(own):
                found.append(sorted(set(own[0].ids[~own[0].right & ~own[1].right].tolist())))
    return found


def _real(group: Group) -> bool:
    return all(slot.spec.data["kind"] == "real" for slot in group.slots)


def _answers(group: Group) -> dict[tuple[str, str], Answers]:
    found = {key: answers(cell) for key, cell in group.cells.items()}
    return {key: one for key, one in found.items() if one}


def _calibration(group: Group, known: Numbers) -> Table:
    return table(
        f"calibration-{group.setting.slug}-{group.protocol}",
        "How far probabilities can be believed, at the selected epoch: expected calibration error "
        "(10 equal bins of the predicted class's probability), and mean probability minus "
        "accuracy: positive where the network is too sure.",
        [
            *texts("Network"),
            *over_twins(numbers("calibration error, points", "too sure by, points")),
        ],
        [
            [title(v), *(td for cell in group.twins(v) for td in _sure(cell, known))]
            for v in group.variants
        ],
        setting=group.caption,
    )


def _sure(cell: Cell | None, known: Numbers) -> list[Td]:
    """Return the calibration error of one cell, and by how much the cell is too sure."""
    if cell is None:
        return [NOT_ASKED, Td("–")]
    record = known[cell.key]
    if "calibration" not in record:
        return [Td(MISSING, cell.lack or "diverged", href=cell.href), Td(MISSING, href=cell.href)]
    error, excess = (record["calibration"][name] for name in ("error", "excess"))
    return [
        Td(marked(text, cell.stale), href=cell.href, key=found.key, scale=100)
        for text, found in ((f"{100 * error.value:.2f}", error), (points(excess.value), excess))
    ]


def _block(
    wanted: tuple[Group, str, dict[tuple[str, str], Answers], dict[str, str] | None, bool],
) -> Block | None:
    """Return the figures, unless they aren't shown, and the tables of one network; None where no
    twin of it is whole."""
    group, variant, found, at_hand, shown = wanted
    own = {f: found[f, variant] for f in FRAMEWORKS if (f, variant) in found}
    if not own:
        return None
    name = f"{variant}-{group.setting.slug}-{group.protocol}"
    curves = {f: reliability(one.labels, one.probabilities) for f, one in own.items()}
    twins = list(own.values())
    cells = [group.cells[f, variant] for f in own]
    both = misclassified.both(name, variant, cells, twins, at_hand) if comparable(twins) else None
    return Block(
        f"errors-{name}",
        title(variant),
        errors.reliability(f"rel-{name}", title(variant), curves) if shown else None,
        errors.by_photograph(f"photo-{name}", title(variant), accuracies(own)) if shown else None,
        len(twins),
        both,
    )


PAGE = PageRecord("errors.html", "Where they err", "Errors", page, place=5, group="Evidence")
