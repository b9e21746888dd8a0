"""The parts of a finding of the claims audit; page.py collects all findings.

No run is read. Each finding sets two sides, with their places, beside each other, and shows the
calculation. Its word is `attainable`, `not attainable`, `contradictory` (the two sides can't both
hold), `open` (both can hold under the reading that the finding names) or `not checked`.
"""

from dataclasses import dataclass
from enum import StrEnum

from protocols.papers.claims import Claim
from protocols.papers.papers import load_papers
from reports.tables.cell_text import claim_text
from reports.tables.formats import title


class Word(StrEnum):
    """What a check says; the gravest word first."""

    CONTRADICTORY = "contradictory"
    NOT_ATTAINABLE = "not attainable"
    OPEN = "open"
    ATTAINABLE = "attainable"
    NOT_CHECKED = "not checked"


Claims = dict[str, Claim]


@dataclass(frozen=True)
class Side:
    """A place in a paper or in the files, and what is written there."""

    where: str
    text: str


@dataclass(frozen=True)
class Finding:
    """One check. `claims` are the ids of the claims that the check is about.
    `at_fault` are those of the claims that the word falls on, so that the others can stand; if it
    is empty, the numbers don't say which claim is at fault, and the word falls on all."""

    title: str
    claims: tuple[str, ...]
    sides: tuple[Side, ...]
    sums: str
    word: Word
    at_fault: tuple[str, ...] = ()

    def word_on(self, claim: str) -> Word:
        """Return what the check says of one of its claims."""
        return self.word if claim in (self.at_fault or self.claims) else Word.ATTAINABLE


def quoted(text: str) -> str:
    """Return words of a paper, as they are printed there, in quotation marks."""
    return f"“{text}”"


def side(claim: Claim) -> Side:
    """Return a claim as one side of a finding."""
    text = claim.column if claim.row == "text" else f"{row(claim)}, {claim.column}"
    return Side(where(claim), f"{text}: {claim_text(claim)}" if claim.printed else text)


def where(claim: Claim) -> str:
    """Return a claim's address: the paper's author and the place in the paper."""
    return f"{load_papers()[claim.paper].author} {claim.where}"


def row(claim: Claim) -> str:
    """Return what the claim is about; a network has its printed name."""
    return title(claim.row)


def judged(holds: bool, otherwise: Word = Word.CONTRADICTORY) -> Word:
    """Return the word of a check: `attainable` if it holds, else `otherwise`."""
    return Word.ATTAINABLE if holds else otherwise


def images(a: Claim, b: Claim) -> int:
    """Return how many images more are right by `a` than by `b`, of the n images of `a`."""
    return round((a.number - b.number) * a.n)
