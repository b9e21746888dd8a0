"""Tables as data, and how every number is written: rounding happens here and nowhere before."""

from dataclasses import dataclass, field

from protocols.papers.variants import load_variants

NAMES = {"keras": "Keras", "torch": "PyTorch"}
THIN = "\u202f"  # no-break space between a number and its unit
FIRM = "\u00a0"  # no-break space
MISSING = "X"
STALE = "†"
STALE_NOTE = f"{STALE} stale: of another results version of this suite; shown, never judged."


@dataclass(frozen=True)
class Td:
    """One cell. `kind`: "num", "text" or "head"; `note` is small print under the text."""

    text: str
    note: str = ""
    kind: str = "num"
    span: int = 1
    rows: int = 1
    href: str = ""
    ref: int = 0  # number of a footnote of the same table
    id: str = ""
    colour: str = ""  # a framework's name: its mark stands before the text
    ok: bool | None = None  # whether a bound was kept: a sign and a colour
    key: str = ""  # the number's place in results.json, "id:path" (docs/files.md)
    near: str = ""  # that of the interval in the small print
    scale: int = 1  # by what the number is multiplied to be written; 100 for points


@dataclass
class Table:
    """A caption, one or two rows of column headings, and bodies with optional titles."""

    name: str  # unique on its page
    caption: str
    heads: list[list[Td]]
    bodies: list[tuple[str, list[list[Td]]]]
    notes: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)  # footnotes, numbered from 1
    tight: bool = False  # many narrow columns
    listed: bool = False  # too long for its page, so in CSV alone

    @property
    def columns(self) -> int:
        """How many there are."""
        return sum(cell.span for cell in self.heads[0])

    def reason(self, text: str) -> int:
        """The number of the footnote `text`, added if it is new; 0 for no text."""
        if not text:
            return 0
        if text not in self.reasons:
            self.reasons.append(text)
        return self.reasons.index(text) + 1


def head(text: str, span: int = 1, rows: int = 1, colour: str = "", kind: str = "head") -> Td:
    """A column heading; over text rather than numbers with kind "headtext"."""
    return Td(text, kind=kind, span=span, rows=rows, colour=colour)


def label(text: str, note: str = "", rows: int = 1, anchor: str = "") -> Td:
    """A row's heading."""
    return Td(text, note, kind="row", rows=rows, id=anchor)


def words(text: str, note: str = "", ref: int = 0, href: str = "") -> Td:
    """A cell of text."""
    return Td(text, note, kind="text", ref=ref, href=href)


def title(variant: str) -> str:
    """The network's name as the papers print it."""
    return load_variants()[variant].title


def minus(text: str) -> str:
    """A number's text with a typographic minus."""
    return text.replace("-", "−")


def points(value: float) -> str:
    """A difference of two fractions, in points."""
    if value != value:
        return "diverged"
    text = f"{100 * value:+.2f}"
    return minus(text) if float(text) else "0.00"


def plural(count: int, noun: str) -> str:
    """ "1 seed", "2 seeds"."""
    return f"{count}{FIRM}{noun}" + ("" if count == 1 else "s")


def with_article(noun: str) -> str:
    """ "a neutrophil", "an eosinophil"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
