"""Reads and checks the claims of the papers, which stand in the claims.toml of each paper.

A file has the results first, then the rest of the paper in its order. The kinds of claims are:
metric    a number, beside which a measured one can stand (variant, protocol, metric, at)
timing    seconds; ours come from another device, so they are shown beside and never judged
ordering  an order of networks, judged only from complete sets of runs of profile `paper`
count     a number of the data
cited     a number that the paper quotes; not tested here (`n` stands where the paper tells it)
words     a sentence of the text: `printed` quotes words of it, `column` says what it claims
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from protocols.errors import TableError
from protocols.metrics import COURSE, METRICS
from protocols.papers import papers
from protocols.papers.variants import load_variants
from protocols.spec import PROTOCOLS

FILE = "claims.toml"

# kind -> the metrics that a claim of the kind may name; "" where the claim names no metric
KINDS = {
    "metric": (*METRICS, *COURSE),
    "timing": ("phase2_seconds", "cold_seconds"),
    "ordering": METRICS,
    "count": ("",),
    "cited": ("", *METRICS),
    "words": ("",),
}
UNITS = ("", "%", "fraction", "nat", "epoch", "h", "s", "images")


@dataclass(frozen=True)
class Claim:
    """One printed claim, with its address in the paper."""

    id: str
    paper: str
    where: str
    row: str
    column: str
    printed: str
    unit: str  # one of UNITS
    kind: str
    variant: str = ""
    protocol: str = ""
    metric: str = ""
    at: str = ""  # "selected" (lowest validation loss), or "epoch N" of the published schedule
    n: int = 0  # the number of test images behind the claim
    seconds: float = 0.0
    reason: str = ""

    @property
    def value(self) -> float | None:
        """The printed number, finite and in the unit of our measurements (accuracies as fractions,
        times in seconds); None where the claim has no such number."""
        if self.kind == "timing":
            return self.seconds
        try:
            number = float(self.printed.replace(",", ""))
        except ValueError:
            return None
        if not math.isfinite(number):
            return None
        return number / 100 if self.unit == "%" else number

    @property
    def number(self) -> float:
        """The value of a claim that is a number. Raises ValueError where the claim has none."""
        if self.value is None:
            raise ValueError(f"{self.id}: {self.printed!r} is not a number")
        return self.value

    @property
    def address(self) -> tuple[str, str, str, str]:
        """The paper, the table or section, the row and the column: no two claims share all four."""
        return self.paper, self.where, self.row, self.column

    @property
    def epoch(self) -> int | None:
        """The epoch of the published schedule that the number belongs to, else None."""
        return int(self.at.split()[1]) if self.at.startswith("epoch ") else None


def load_claims() -> dict[str, Claim]:
    """Gives all claims by id. Raises TableError on an unknown kind, variant, unit, protocol,
    metric, point of the schedule or key, on a number that can't be read, and where two claims have
    one address."""
    claims = dict(papers.rows(FILE, Claim, "id"))
    known = ("", *load_variants())
    points = {
        key: ("", "selected", *(f"epoch {e}" for e in paper.milestones))
        for key, paper in papers.load_papers().items()
    }
    taken: dict[tuple[str, ...], str] = {}
    for claim in claims.values():
        for what, value, allowed in (
            ("kind", claim.kind, KINDS),
            ("variant", claim.variant, known),
            ("unit", claim.unit, UNITS),
            ("protocol", claim.protocol, ("", *PROTOCOLS)),
            ("metric", claim.metric, KINDS.get(claim.kind, ())),
            ("point of the schedule", claim.at, points[claim.paper]),
        ):
            if value not in allowed:
                raise TableError(f"{FILE} [{claim.id}]: the {what} {value!r} is unknown")
        if claim.kind in ("metric", "count") and claim.value is None:
            raise TableError(f"{FILE} [{claim.id}]: {claim.printed!r} is not a number")
        first = taken.setdefault(claim.address, claim.id)
        if first != claim.id:
            raise TableError(f"{FILE} [{claim.id}]: [{first}] has the same address")
    return claims


def of_table(claims: dict[str, Claim], paper: str, where: str, metric: str) -> list[Claim]:
    """Gives the claims of one table of a paper on one metric, in the order of `claims`, which is
    that of the table's rows or columns."""
    return [
        claim for claim in claims.values()
        if (claim.paper, claim.where, claim.metric) == (paper, where, metric)
    ]  # fmt: skip


def of_network(found: Iterable[Claim], variant: str) -> list[Claim]:
    """Gives those of the claims `found` that are about one network."""
    return [claim for claim in found if claim.variant == variant]
