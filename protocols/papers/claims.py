"""The claims of both papers as data: claims.toml, checked."""

import math
from dataclasses import dataclass

from protocols.errors import TableError
from protocols.metrics import COURSE, METRICS
from protocols.papers import toml_rows
from protocols.papers.recipes import TABLE3_EPOCHS
from protocols.spec import PROTOCOLS

# kind -> the metrics that a claim of it may name; none where it measures nothing
KINDS = {
    "metric": (*METRICS, *COURSE),
    "timing": ("phase2_seconds", "cold_seconds"),
    "ordering": METRICS,
    "count": ("",),
    "cited": ("", *METRICS),
    "words": ("",),
}
UNITS = ("", "%", "fraction", "nat", "epoch", "h", "s", "images")
POINTS = ("", "selected", *(f"epoch {e}" for e in TABLE3_EPOCHS))  # of a schedule


@dataclass(frozen=True)
class Claim:
    """One printed claim and its address in the paper."""

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
    at: str = ""  # "selected" or "epoch N"
    n: int = 0  # test images behind the number
    seconds: float = 0.0
    reason: str = ""

    @property
    def value(self) -> float | None:
        """The printed number in the unit it is measured in: accuracies as fractions."""
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
        """The value of a claim that is a number. Raises ValueError where it is words."""
        if self.value is None:
            raise ValueError(f"{self.id}: {self.printed!r} is not a number")
        return self.value

    @property
    def address(self) -> tuple[str, str, str, str]:
        """Paper, table or section, row and column: no two claims have the same."""
        return self.paper, self.where, self.row, self.column

    @property
    def epoch(self) -> int | None:
        """The published epoch a Table III number belongs to, else None."""
        return int(self.at.split()[1]) if self.at.startswith("epoch ") else None


def load_claims() -> dict[str, Claim]:
    """All claims by id. Raises TableError on an unknown kind, variant, unit, protocol, metric,
    point of the schedule or key, on a number that can't be read, and where two claims have one
    address."""
    claims = toml_rows.rows(toml_rows.FOLDER / "claims.toml", Claim, "id")
    known = ("", *toml_rows.raw(toml_rows.FOLDER / "variants.toml"))
    taken: dict[tuple[str, ...], str] = {}
    for claim in claims.values():
        for what, value, allowed in (
            ("kind", claim.kind, KINDS),
            ("variant", claim.variant, known),
            ("unit", claim.unit, UNITS),
            ("protocol", claim.protocol, ("", *PROTOCOLS)),
            ("metric", claim.metric, KINDS.get(claim.kind, ())),
            ("point of the schedule", claim.at, POINTS),
        ):
            if value not in allowed:
                raise TableError(f"claims.toml [{claim.id}]: the {what} {value!r} is unknown")
        if claim.kind in ("metric", "count") and claim.value is None:
            raise TableError(f"claims.toml [{claim.id}]: {claim.printed!r} is not a number")
        first = taken.setdefault(claim.address, claim.id)
        if first != claim.id:
            raise TableError(f"claims.toml [{claim.id}]: [{first}] has the same address")
    return claims


def of_table(claims: dict[str, Claim], paper: str, where: str, metric: str) -> list[Claim]:
    """The claims of one table of a paper on one metric: as its rows, or its columns, follow."""
    return [
        claim for claim in claims.values()
        if (claim.paper, claim.where, claim.metric) == (paper, where, metric)
    ]  # fmt: skip


def of_network(found: list[Claim], variant: str) -> list[Claim]:
    """Those about one network."""
    return [claim for claim in found if claim.variant == variant]
