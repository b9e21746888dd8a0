"""The claims of both papers as data: claims.toml, checked."""

from dataclasses import dataclass

from protocols import tables

KINDS = ("metric", "timing", "ordering", "count", "cited", "words")


@dataclass(frozen=True)
class Claim:
    """One printed claim and its address in the paper."""

    id: str
    paper: str
    where: str
    row: str
    column: str
    printed: str
    unit: str  # "%", "fraction", "nat", "epoch", "h", "s", "images" or ""
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
        return number / 100 if self.unit == "%" else number

    @property
    def epoch(self) -> int | None:
        """The published epoch a Table III number belongs to, else None."""
        return int(self.at.split()[1]) if self.at.startswith("epoch ") else None


def load_claims() -> dict[str, Claim]:
    """All claims by id. Raises ValueError on an unknown kind, variant or key."""
    claims = tables.rows("claims.toml", Claim, "id")
    known = set(tables.raw("variants.toml"))
    for claim in claims.values():
        if claim.kind not in KINDS or (claim.variant and claim.variant not in known):
            raise ValueError(f"claims.toml [{claim.id}]: unknown kind or variant")
    return claims
