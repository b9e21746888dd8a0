"""What both twins of a network get wrong: by photograph, image by image, and drawn."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from protocols.classes import CLASSES
from protocols.spec import FRAMEWORKS
from reports.answers import Answers, name_of, photographs
from reports.collect import Cell
from reports.forms import FOLDER
from reports.tables import (
    NAMES,
    STALE,
    STALE_NOTE,
    THIN,
    Table,
    Td,
    an,
    head,
    label,
    plural,
    title,
    words,
)

MOST = 12  # rows of a table of many, photographs in a row of pictures
WHOLE = 80  # photographs: up to so many all stand in the table
PAGE = "errors"


@dataclass(frozen=True)
class Wrong:
    """An image that both twins get wrong, in one seed or more; numbers are means over all seeds."""

    id: str
    label: int
    photograph: str
    seeds: int  # in which both are wrong
    said: tuple[int, ...]  # by twin, the class it says most often when it is wrong
    of_true: tuple[float, ...]  # by twin, probability of the true class


@dataclass(frozen=True)
class Drawn:
    """An image with its words; `picture` is the name of one of the page's."""

    picture: str
    alt: str
    name: str
    said: tuple[tuple[str, str], ...]  # twin, what it says


@dataclass(frozen=True)
class Photograph:
    """A photograph's images that both twins get wrong."""

    anchor: str
    heading: str
    images: list[Drawn]


@dataclass(frozen=True)
class Both:
    """All of it for one network."""

    sentence: str
    by_photograph: Table | None
    surest: Table | None
    overview: list[Drawn]  # the hardest photographs themselves
    photographs: list[Photograph]
    undrawn: str  # how many images aren't drawn, and why
    href: str  # of the whole list
    lists: list[Table]

    @property
    def pictures(self) -> list[str]:
        """Names of the pictures it needs."""
        drawn = [*self.overview, *(d for p in self.photographs for d in p.images)]
        return [one.picture for one in drawn]


def comparable(twins: list[Answers]) -> bool:
    """Whether both twins are there and tested the same images in the same seeds."""
    if len(twins) != len(FRAMEWORKS):
        return False
    first, second = twins
    return np.array_equal(first.ids, second.ids) and np.array_equal(first.seeds, second.seeds)


def both(
    name: str, variant: str, cells: list[Cell], twins: list[Answers], at_hand: dict[str, str]
) -> Both:
    """Of a network whose `cells` and their answers `twins` (Keras, PyTorch) are comparable.

    `at_hand`: pictures of images and photographs, by name."""
    wrong = images(twins)
    counts = _counts(twins)
    hardest = [p for p, count in counts.items() if count]
    shown = {p: [one for one in wrong if one.photograph == p] for p in hardest}
    anchors = {p: f"wrong-{name}-{name_of(p)}".replace(".", "-") for p in hardest}
    groups = [_photograph(anchors[p], counts[p], some, at_hand) for p, some in shown.items()]
    groups = [group for group in groups if group.images]
    drawn = {group.anchor for group in groups}
    links = {p: f"#{anchors[p]}" for p in hardest if anchors[p] in drawn}
    marked = _marked(variant, cells)
    whole, listed = (_whole_table(name, marked, cells, twins), _list(name, marked, cells, twins))
    return Both(
        _sentence(variant, twins),
        _by_photograph(name, marked, cells, twins, counts, links),
        _surest(name, marked, cells, wrong),
        [_overview(p, counts[p], shown[p][0].label) for p in hardest[:MOST] if p in at_hand],
        groups,
        _undrawn(len(wrong), sum(len(group.images) for group in groups)),
        f"{FOLDER}/{PAGE}-{listed.name}.csv" if wrong else "",
        [whole, listed] if wrong else [whole],
    )


def images(twins: list[Answers]) -> list[Wrong]:
    """Those that both get wrong, by the probability that they leave to the true class."""
    first = twins[0]
    both_wrong = ~twins[0].right & ~twins[1].right
    shown = photographs(first.ids)
    found = []
    for image, places in _places(first.ids, both_wrong):
        here = places[both_wrong[places]]
        said = [np.bincount(one.predicted[here]).argmax() for one in twins]
        left = [one.of_true[places].mean(dtype=np.float64) for one in twins]
        found.append(
            Wrong(
                image, int(first.labels[here[0]]), str(shown[here[0]]), len(here),
                tuple(map(int, said)), tuple(map(float, left)),
            )
        )  # fmt: skip
    return sorted(found, key=lambda one: (sum(one.of_true), one.id))


def _places(ids: np.ndarray, wanted: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Each image with one wanted test, and where all its tests stand."""
    order = np.argsort(ids, kind="stable")
    names, starts = np.unique(ids[order], return_index=True)
    for image, places in zip(names, np.split(order, starts[1:]), strict=True):
        if wanted[places].any():
            yield str(image), places


def _counts(twins: list[Answers]) -> dict[str, int]:
    """Photograph -> its tests that both get wrong, most first."""
    shown, both_wrong = photographs(twins[0].ids), ~twins[0].right & ~twins[1].right
    names, place = np.unique(shown, return_inverse=True)
    count = np.bincount(place, both_wrong).astype(int)
    order = np.argsort(-count, kind="stable")
    return {str(names[i]): int(count[i]) for i in order}


def _share(value: float) -> str:
    return f"{100 * value:.1f}{THIN}%"


def _sentence(variant: str, twins: list[Answers]) -> str:
    wrong = [~one.right for one in twins]
    n, seeds = len(wrong[0]), len(np.unique(twins[0].seeds))
    tests = f"{n:,} tests" + (f" ({plural(seeds, 'seed')})" if seeds > 1 else "")
    return (
        f"{title(variant)}: of {tests}, {int((wrong[0] & wrong[1]).sum()):,} are wrong in both "
        f"twins, {int((wrong[0] != wrong[1]).sum()):,} in one alone."
    )


def _undrawn(wrong: int, drawn: int) -> str:
    if drawn == wrong:
        return ""
    if drawn:
        return f"{drawn:,} of {wrong:,} images are drawn; all stand in the list."
    return (
        "X: the images themselves aren’t drawn, for they aren’t at hand: name their folder "
        "(WBC_DATA or --data) and write the report again."
    )


def _photograph(anchor: str, count: int, some: list[Wrong], at_hand: dict[str, str]) -> Photograph:
    true = CLASSES[some[0].label].lower()
    shown = [_drawn(one) for one in some if one.id in at_hand]
    tests = plural(count, "test").replace("\u00a0", " ")
    heading = f"Photograph {name_of(some[0].photograph)}, {true}: {tests} wrong in both"
    return Photograph(anchor, heading, shown)


def _drawn(one: Wrong) -> Drawn:
    true = CLASSES[one.label].lower()
    said = tuple(
        (framework, f"{CLASSES[c].lower()}, {_share(p)}")
        for framework, c, p in zip(FRAMEWORKS, one.said, one.of_true, strict=True)
    )
    spoken = "; ".join(f"{NAMES[f]} says {text} for the true class" for f, text in said)
    return Drawn(one.id, f"{an(true).capitalize()}: {spoken}", _short(one.id), said)


def _overview(photograph: str, count: int, true: int) -> Drawn:
    name = CLASSES[true].lower()
    caption = f"{name_of(photograph)}, {name}: {count:,}"
    return Drawn(photograph, f"Photograph {name_of(photograph)}, {an(name)}", caption, ())


def _short(image: str) -> str:
    """TEST/EOSINOPHIL/_0_1616.jpeg -> _0_1616; BloodImage_00001.jpg#2 -> 1, copy 2."""
    photograph, _, copy = image.partition("#")
    if copy and photograph.startswith("BloodImage_"):
        return f"{name_of(photograph)}, copy {copy}" if int(copy) else name_of(photograph)
    return image.rpartition("/")[2].partition(".")[0]


def _marked(variant: str, cells: list[Cell]) -> tuple[str, list[str]]:
    """The network's title, and the note on stale numbers where there are some."""
    stale = any(cell.stale for cell in cells)
    return title(variant) + (f" {STALE}" if stale else ""), [STALE_NOTE] if stale else []


def _twins(cells: list[Cell], span: int = 1) -> list[Td]:
    """A column heading for each twin, linked to its runs."""
    return [
        Td(NAMES[c.framework], kind="head", span=span, colour=c.framework, href=c.href)
        for c in cells
    ]


def _rows(cells: list[Cell], twins: list[Answers], links: dict[str, str]) -> dict[str, list[Td]]:
    """A row for each photograph: tests, wrong, what it is taken for, what the true class gets."""
    shown, wrong = photographs(twins[0].ids), [~one.right for one in twins]
    names, place = np.unique(shown, return_inverse=True)
    rows = {}
    for number, photograph in enumerate(names):
        here = np.flatnonzero(place == number)
        true = int(twins[0].labels[here[0]])
        said = [one.predicted[here][w[here]] for one, w in zip(twins, wrong, strict=True)]
        said = np.bincount(np.concatenate(said), minlength=len(CLASSES))
        taken = CLASSES[int(said.argmax())].lower() if said.any() else "–"
        link = links.get(str(photograph), "")
        rows[str(photograph)] = [
            label(name_of(str(photograph))), words(CLASSES[true].lower()), Td(f"{len(here):,}"),
            *(Td(f"{int(w[here].sum()):,}", href=c.href)
              for w, c in zip(wrong, cells, strict=True)),
            Td(f"{int((wrong[0] & wrong[1])[here].sum()):,}", href=link), words(taken),
            *(Td(_share(one.of_true[here].mean()), href=c.href)
              for one, c in zip(twins, cells, strict=True)),
        ]  # fmt: skip
    return rows


def _heads(cells: list[Cell]) -> list[list[Td]]:
    return [
        [head("Photograph", rows=2, kind="headtext"), head("Class", rows=2, kind="headtext"),
         head("Tests", rows=2), head("Wrong in", span=3),
         head("Mostly taken for", rows=2, kind="headtext"),
         head("Mean probability of the true class", span=2)],
        [*_twins(cells), head("both"), *_twins(cells)],
    ]  # fmt: skip


def _by_photograph(
    name: str,
    marked: tuple[str, list[str]],
    cells: list[Cell],
    twins: list[Answers],
    counts: dict[str, int],
    links: dict[str, str],
) -> Table:
    """Every photograph, those with most tests wrong in both first; of many, the first MOST."""
    rows = _rows(cells, twins, links)
    kept = list(counts)[: len(counts) if len(counts) <= WHOLE else MOST]
    notes, more = list(marked[1]), len(counts) - len(kept)
    if more:
        notes.append(f"{plural(more, 'photograph')} with fewer such tests left out; CSV has all.")
    return Table(
        f"wrong-{name}",
        f"{marked[0]}: each photograph, and how many tests of its images are wrong; those that "
        "both twins get wrong most often first.",
        _heads(cells),
        [("", [rows[photograph] for photograph in kept])],
        notes,
    )


def _whole_table(
    name: str, marked: tuple[str, list[str]], cells: list[Cell], twins: list[Answers]
) -> Table:
    rows = _rows(cells, twins, {})
    caption = f"{marked[0]}: every photograph, and how many tests of its images are wrong."
    return Table(f"photographs-{name}", caption, _heads(cells), [("", list(rows.values()))],
                 list(marked[1]))  # fmt: skip


def _surest(
    name: str, marked: tuple[str, list[str]], cells: list[Cell], wrong: list[Wrong]
) -> Table | None:
    """The images that both twins get wrong and are surest of."""
    rows = []
    for one in wrong[:MOST]:
        row = [label(one.id), words(name_of(one.photograph)), words(CLASSES[one.label].lower())]
        for said, left, cell in zip(one.said, one.of_true, cells, strict=True):
            row += [words(CLASSES[said].lower()), Td(_share(left), href=cell.href)]
        rows.append(row)
    heads = [[head("Image", rows=2, kind="headtext"), head("Photograph", rows=2, kind="headtext"),
              head("Class", rows=2, kind="headtext"), *_twins(cells, span=2)],
             [head("taken for", kind="headtext"), head("true class")] * 2]  # fmt: skip
    caption = (
        f"{marked[0]}: the images wrong in both twins that give the true class the least "
        "probability, at the selected epoch."
    )
    return Table(f"surest-{name}", caption, heads, [("", rows)], marked[1]) if rows else None


def _list(
    name: str, marked: tuple[str, list[str]], cells: list[Cell], twins: list[Answers]
) -> Table:
    """Every test that both twins get wrong."""
    first, rows = twins[0], []
    shown = photographs(first.ids)
    for i in np.flatnonzero(~twins[0].right & ~twins[1].right):
        row = [label(str(first.ids[i])), words(str(shown[i])), Td(str(first.seeds[i])),
               words(CLASSES[first.labels[i]].lower())]  # fmt: skip
        for one in twins:
            said = one.predicted[i]
            row += [words(CLASSES[said].lower()), Td(f"{one.probabilities[i, said]:.4f}"),
                    Td(f"{one.of_true[i]:.4f}")]  # fmt: skip
        rows.append(row)
    texts = ("Image", "Photograph", "Seed", "Class")
    heads = [[*(head(text, rows=2) for text in texts), *_twins(cells, span=3)],
             [head("taken for"), head("its probability"), head("probability of the true class")]
             * 2]  # fmt: skip
    caption = f"{marked[0]}: every test that both twins get wrong, at the selected epoch."
    return Table(f"both-{name}", caption, heads, [("", rows)], marked[1])
