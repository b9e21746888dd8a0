"""The tables of what both twins of a network get wrong."""

import numpy as np

from protocols.classes import CLASSES
from reports.cells.answers import Answers, Wrong, name_of, photographs
from reports.cells.cell import Cell
from reports.tables.table import (
    NAMES,
    STALE,
    STALE_NOTE,
    THIN,
    Table,
    Td,
    head,
    label,
    plural,
    title,
    words,
)

MOST = 12  # rows of a table of many
WHOLE = 80  # photographs: up to so many all stand in the table


def share(value: float) -> str:
    """A probability in %."""
    return f"{100 * value:.1f}{THIN}%"


def marked_title(variant: str, cells: list[Cell]) -> tuple[str, list[str]]:
    """The network's title, and the note on stale numbers where there are some."""
    stale = any(cell.stale for cell in cells)
    return title(variant) + (f" {STALE}" if stale else ""), [STALE_NOTE] if stale else []


def _twins(cells: list[Cell], span: int = 1) -> list[Td]:
    return [head(NAMES[c.framework], span, colour=c.framework) for c in cells]


def by_row(cells: list[Cell], twins: list[Answers], links: dict[str, str]) -> dict[str, list[Td]]:
    """A row for each photograph: tests, wrong, what it is taken for, what the true class gets."""
    shown, wrong = photographs(twins[0].ids), [~one.right for one in twins]
    names, place = np.unique(shown, return_inverse=True)
    rows = {}
    for number, photograph in enumerate(names):
        here = np.flatnonzero(place == number)
        true = int(twins[0].labels[here[0]])
        said = [one.predicted[here][w[here]] for one, w in zip(twins, wrong, strict=True)]
        count = np.bincount(np.concatenate(said), minlength=len(CLASSES))
        taken = CLASSES[int(count.argmax())].lower() if count.any() else "–"
        link = links.get(str(photograph), "")
        rows[str(photograph)] = [
            label(name_of(str(photograph))), words(CLASSES[true].lower()), Td(f"{len(here):,}"),
            *(Td(f"{int(w[here].sum()):,}", href=c.href)
              for w, c in zip(wrong, cells, strict=True)),
            Td(f"{int((wrong[0] & wrong[1])[here].sum()):,}", href=link), words(taken),
            *(Td(share(one.of_true[here].mean()), href=c.href)
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


def by_photograph(
    name: str,
    marked: tuple[str, list[str]],
    cells: list[Cell],
    rows: dict[str, list[Td]],
    counts: dict[str, int],
) -> Table:
    """Every photograph, those with most tests wrong in both (`counts`) first; of many, MOST."""
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


def every_photograph(
    name: str, marked: tuple[str, list[str]], cells: list[Cell], rows: dict[str, list[Td]]
) -> Table:
    """The same of all photographs, as a list."""
    caption = f"{marked[0]}: every photograph, and how many tests of its images are wrong."
    return Table(f"photographs-{name}", caption, _heads(cells), [("", list(rows.values()))],
                 list(marked[1]), listed=True)  # fmt: skip


def surest(
    name: str, marked: tuple[str, list[str]], cells: list[Cell], wrong: list[Wrong]
) -> Table | None:
    """The images that both twins get wrong and are surest of."""
    rows = []
    for one in wrong[:MOST]:
        row = [label(one.id), words(name_of(one.photograph)), words(CLASSES[one.label].lower())]
        for said, left, cell in zip(one.said, one.of_true, cells, strict=True):
            row += [words(CLASSES[said].lower()), Td(share(left), href=cell.href)]
        rows.append(row)
    heads = [[head("Image", rows=2, kind="headtext"), head("Photograph", rows=2, kind="headtext"),
              head("Class", rows=2, kind="headtext"), *_twins(cells, span=2)],
             [head("taken for", kind="headtext"), head("true class")] * 2]  # fmt: skip
    caption = (
        f"{marked[0]}: the images wrong in both twins that give the true class the least "
        "probability, at the selected epoch."
    )
    return Table(f"surest-{name}", caption, heads, [("", rows)], marked[1]) if rows else None


def every_test(
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
    return Table(f"both-{name}", caption, heads, [("", rows)], marked[1], listed=True)
