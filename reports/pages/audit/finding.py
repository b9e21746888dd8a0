"""What the findings of the claims audit are made of; audit.py has them all.

No run is read. Each finding sets two sides, with their places, beside each other, and shows the
calculation; its word is `attainable`, `not attainable`, `contradictory` (the two can't both hold),
`open` (they can under the reading that it names) or `not checked`.
"""

from dataclasses import dataclass
from fractions import Fraction

from protocols.papers.claims import Claim
from protocols.papers.papers import load_papers
from protocols.papers.variants import load_variants
from reports.tables.cell_text import claim_text
from reports.tables.formats import THIN

ATTAINABLE, NOT_ATTAINABLE = "attainable", "not attainable"
CONTRADICTORY, OPEN, NOT_CHECKED = "contradictory", "open", "not checked"
WORDS = (CONTRADICTORY, NOT_ATTAINABLE, OPEN, ATTAINABLE, NOT_CHECKED)  # the gravest first
Claims = dict[str, Claim]


@dataclass(frozen=True)
class Side:
    """What stands where."""

    where: str
    text: str


@dataclass(frozen=True)
class Finding:
    """One check; `claims` are the ids of those it is about, `at_fault` of those among them that its
    word falls on: all, if the numbers don't say which, and the others can stand."""

    title: str
    claims: tuple[str, ...]
    sides: tuple[Side, ...]
    sums: str
    word: str
    at_fault: tuple[str, ...] = ()

    def word_on(self, claim: str) -> str:
        """What the check says of one of its claims."""
        return self.word if claim in (self.at_fault or self.claims) else ATTAINABLE


def quoted(text: str) -> str:
    """Words of a paper, as they stand there."""
    return f"“{text}”"


def side(claim: Claim) -> Side:
    """A claim as one side."""
    text = claim.column if claim.row == "text" else f"{row(claim)}, {claim.column}"
    return Side(where(claim), f"{text}: {claim_text(claim)}" if claim.printed else text)


def where(claim: Claim) -> str:
    """A claim's address."""
    return f"{load_papers()[claim.paper].author} {claim.where}"


def row(claim: Claim) -> str:
    """What the claim is about; networks by their printed names."""
    known = load_variants()
    return known[claim.row].title if claim.row in known else claim.row


def judged(holds: bool, otherwise: str = CONTRADICTORY) -> str:
    """The word of a check."""
    return ATTAINABLE if holds else otherwise


def percent(value: Fraction | float, digits: int = 2) -> str:
    """A fraction, written in percent."""
    return f"{100 * float(value):.{digits}f}{THIN}%"


def images(a: Claim, b: Claim) -> int:
    """How many more of n images are right in `a`."""
    return round((a.number - b.number) * a.n)
