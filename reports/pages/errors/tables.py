"""The tables of what both twins of a network get wrong."""

import numpy as np

from protocols.classes import CLASSES
from reports.cells.answers import Answers, Wrong, name_of, photographs
from reports.cells.cell import Cell
from reports.tables.builder import Line, Over, Value, numbers, over, over_twins, table, texts, twins
from reports.tables.formats import marked, percent, plural
from reports.tables.table import Table, Td

MOST = 12  # rows that a long table shows
WHOLE = 80  # photographs; up to this number all stand in the table


def _heads(stale: list[bool]) -> list[Td | Over]:
    """Return the headings over the rows of `by_row`; a twin whose numbers are `stale` is marked."""
    both = Td(marked("both", any(stale)), kind="head")
    return [*texts("Photograph", "Class"), *numbers("Tests"),
            over("Wrong in", [*twins(stale=stale), both]), *texts("Mostly taken for"),
            over("Mean probability of the true class", twins(stale=stale))]  # fmt: skip


def by_row(cells: list[Cell], twins: list[Answers], links: dict[str, str]) -> dict[str, Line]:
    """Return a row for each photograph, by its name.
    The row has the tests, the wrong ones, what the photograph is mostly taken for, and the mean
    probability of the true class."""
    shown, wrong = photographs(twins[0].ids), [~one.right for one in twins]
    names, place = np.unique(shown, return_inverse=True)
    rows: dict[str, Line] = {}
    for number, photograph in enumerate(names):
        here = np.flatnonzero(place == number)
        true = int(twins[0].labels[here[0]])
        said = [one.predicted[here][w[here]] for one, w in zip(twins, wrong, strict=True)]
        count = np.bincount(np.concatenate(said), minlength=len(CLASSES))
        taken = CLASSES[int(count.argmax())].lower() if count.any() else "–"
        link = links.get(str(photograph), "")
        rows[str(photograph)] = [
            name_of(str(photograph)), CLASSES[true].lower(), len(here),
            *(Td(f"{int(w[here].sum()):,}", href=c.href)
              for w, c in zip(wrong, cells, strict=True)),
            Td(f"{int((wrong[0] & wrong[1])[here].sum()):,}", href=link), taken,
            *(Td(percent(one.of_true[here].mean(), 1), href=c.href)
              for one, c in zip(twins, cells, strict=True)),
        ]  # fmt: skip
    return rows


def by_photograph(
    name: str, network: str, rows: dict[str, Line], counts: dict[str, int], stale: list[bool]
) -> Table:
    """Return the table of photographs, those with most tests wrong in both twins (`counts`) first.
    Where there are more than WHOLE photographs, the table has only the first MOST."""
    kept = list(counts)[: len(counts) if len(counts) <= WHOLE else MOST]
    more = len(counts) - len(kept)
    left = f"{plural(more, 'photograph')} with fewer such tests left out; CSV has all."
    return table(
        f"wrong-{name}",
        f"{network}: each photograph, and how many tests of its images are wrong; those that "
        "Keras and PyTorch both get wrong most often first.",
        _heads(stale),
        [rows[photograph] for photograph in kept],
        [left] if more else [],
    )


def every_photograph(name: str, network: str, rows: dict[str, Line], stale: list[bool]) -> Table:
    """Return the table of all photographs as a list."""
    caption = f"{network}: every photograph, and how many tests of its images are wrong."
    return table(f"photographs-{name}", caption, _heads(stale), rows.values(), listed=True)


def surest(name: str, network: str, cells: list[Cell], wrong: list[Wrong]) -> Table | None:
    """Return the table of the images that both twins get wrong and are surest of."""
    lines: list[Line] = []
    for one in wrong[:MOST]:
        line: list[Value] = [one.id, name_of(one.photograph), CLASSES[one.label].lower()]
        for said, left, cell in zip(one.said, one.of_true, cells, strict=True):
            line += [CLASSES[said].lower(), Td(percent(left, 1), href=cell.href)]
        lines.append(line)
    if not lines:
        return None
    return table(
        f"surest-{name}",
        f"{network}: the images wrong in both Keras and PyTorch that give the true class the least "
        "probability, at the selected epoch.",
        [*texts("Image", "Photograph", "Class"),
         *over_twins([*texts("taken for"), *numbers("true class")], [c.stale for c in cells])],
        lines,
    )  # fmt: skip


def every_test(name: str, network: str, answers: list[Answers], stale: list[bool]) -> Table:
    """Return the list of every test that Keras and PyTorch both get wrong."""
    first, shown = answers[0], photographs(answers[0].ids)
    lines: list[Line] = []
    for i in np.flatnonzero(~answers[0].right & ~answers[1].right):
        line: list[Value] = [str(first.ids[i]), str(shown[i]), Td(str(first.seeds[i])),
                CLASSES[first.labels[i]].lower()]  # fmt: skip
        for one in answers:
            said = one.predicted[i]
            line += [CLASSES[said].lower(), Td(f"{one.probabilities[i, said]:.4f}"),
                     Td(f"{one.of_true[i]:.4f}")]  # fmt: skip
        lines.append(line)
    below = numbers("taken for", "its probability", "probability of the true class")
    caption = f"{network}: every test that Keras and PyTorch both get wrong, at the selected epoch."
    own = numbers("Image", "Photograph", "Seed", "Class")
    return table(f"both-{name}", caption, [*own, *over_twins(below, stale)], lines, listed=True)
