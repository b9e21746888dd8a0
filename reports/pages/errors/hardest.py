"""The photographs of one setting that its networks get wrong most, all networks together."""

from dataclasses import dataclass

import numpy as np

from protocols.classes import CLASSES
from reports.cells.answers import Answers, name_of, photographs
from reports.tables.builder import Line, numbers, table, texts
from reports.tables.exports import FOLDER
from reports.tables.formats import marked, percent, plural, with_article
from reports.tables.table import Table, Td

MOST = 24  # photographs that the page shows


@dataclass(frozen=True)
class Drawn:
    """An image or a photograph with its words; `picture` names one of the page's pictures."""

    picture: str
    alt: str
    name: str
    said: tuple[tuple[str, str], ...]  # the twin, and its answer


@dataclass(frozen=True)
class Hardest:
    """The hardest photographs: drawn where they are at hand, in a table, and all of them as CSV."""

    sentence: str
    drawn: list[Drawn]
    shown: Table
    whole: Table
    href: str


@dataclass(frozen=True)
class _Photograph:
    name: str
    true: int
    answers: int
    wrong: int
    taken: str  # the class that the wrong answers name most

    @property
    def share(self) -> float:
        return self.wrong / self.answers


def hardest(
    name: str, found: list[Answers], stale: bool, at_hand: dict[str, str], runs: str
) -> Hardest:
    """Return the photographs by the share of wrong answers, the highest first.
    `found` has the answers of every whole network and twin, `at_hand` the pictures by name; `runs`
    is the link to the first of the runs that answered."""
    every = _photographs(found)
    worst = every[:MOST]
    heads = [
        *texts("Photograph", "Class"),
        Td("Answers", kind="head", href=runs),
        *numbers("Wrong"),
        *texts("Mostly taken for"),
    ]
    lines = [_line(one, stale) for one in every]
    caption = (
        "by the share of wrong answers of all networks, in Keras and PyTorch, together, "
        "hardest first."
    )
    whole = table(
        f"every-hardest-{name}", f"Every photograph, {caption}", heads, lines, listed=True
    )
    shown = table(
        f"hardest-{name}",
        f"The {plural(len(worst), 'photograph')} that the networks get wrong most, {caption}",
        heads,
        lines[:MOST],
    )
    return Hardest(
        _sentence(every),
        [_drawn(one) for one in worst if one.name in at_hand],
        shown,
        whole,
        f"{FOLDER}/errors-{whole.name}.csv",
    )


def _photographs(found: list[Answers]) -> list[_Photograph]:
    shown = np.concatenate([photographs(one.ids) for one in found])
    labels, said = (
        np.concatenate([getattr(one, name) for one in found]) for name in ("labels", "predicted")
    )
    names, first, place = np.unique(shown, return_index=True, return_inverse=True)
    wrong = said != labels
    taken = np.zeros((len(names), len(CLASSES)), int)
    np.add.at(taken, (place[wrong], said[wrong]), 1)
    answers = np.bincount(place)
    made = [
        _Photograph(
            str(names[i]), int(labels[first[i]]), int(answers[i]), int(taken[i].sum()),
            CLASSES[int(taken[i].argmax())].lower() if taken[i].any() else "–",
        )
        for i in range(len(names))
    ]  # fmt: skip
    return sorted(made, key=lambda one: (-one.share, -one.wrong, one.name))


def _line(one: _Photograph, stale: bool) -> Line:
    return [
        name_of(one.name),
        CLASSES[one.true].lower(),
        one.answers,
        Td(marked(percent(one.share, 1), stale)),
        one.taken,
    ]


def _drawn(one: _Photograph) -> Drawn:
    name, true = name_of(one.name), CLASSES[one.true].lower()
    caption = f"{name}, {true}: {percent(one.share, 0)} wrong"
    if one.wrong:
        caption += f", mostly {one.taken}"
    return Drawn(one.name, f"Photograph {name}, {with_article(true)}", caption, ())


def _sentence(every: list[_Photograph]) -> str:
    """Return how many answers are wrong, and on how few photographs half of these are."""
    wrong = sorted((one.wrong for one in every), reverse=True)
    total, answers = sum(wrong), sum(one.answers for one in every)
    text = (
        f"All networks, in Keras and PyTorch, together, {percent(total / answers, 1)} of the "
        "answers are wrong"
    )
    if not total:
        return f"{text}."
    half = int(np.searchsorted(np.cumsum(wrong), total / 2)) + 1
    few = plural(half, "photograph")
    return f"{text}; half of the wrong ones are on {few} of {len(every)}."
