"""The claims audit: what the papers' printed numbers say of each other, by arithmetic alone."""

import math
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction

from protocols.papers.claims import load_claims
from protocols.papers.papers import load_papers
from reports.pages.audit import prose
from reports.pages.audit.finding import Claims, Finding, Side, Word, judged, side, where
from reports.pages.content import PageRecord, of_papers
from reports.statistics import printed
from reports.tables.builder import Line, table, texts
from reports.tables.formats import percent
from reports.tables.table import Table, Td, label, words

NO_FIT = "What does not fit"
BODIES = {Word.OPEN: "What is open", Word.ATTAINABLE: "What fits", Word.NOT_CHECKED: "Not checked"}
OK = {Word.OPEN: None, Word.ATTAINABLE: True, Word.NOT_CHECKED: None}


def findings() -> dict[str, list[Finding]]:
    """Return all findings, by paper."""
    claims = load_claims()
    return {
        paper: [
            *granularity(claims, paper),
            *(f for audit in module.AUDITS for f in audit(claims)),
            *sources(claims, paper),
        ]
        for paper, module in of_papers("audit").items()
    }


def by_claim(found: list[Finding]) -> dict[str, list[Word]]:
    """Return what the findings say of each claim, the gravest word first.
    A claim that no finding is about is `not checked`."""
    words_of: dict[str, list[Word]] = {key: [] for key in load_claims()}
    for one in found:
        for key in one.claims:
            words_of[key].append(one.word_on(key))
    return {
        key: sorted(said, key=list(Word).index) or [Word.NOT_CHECKED]
        for key, said in words_of.items()
    }


def said(found: list[Finding]) -> str:
    """Return sentences: how many contradictions there are, and how many claims have which word."""
    claims = Counter(words_of[0] for words_of in by_claim(found).values())
    others = [
        f"{claims[w]} {'is' if claims[w] == 1 else 'are'} {w}" for w in list(Word)[1:] if claims[w]
    ]
    wrong = claims[Word.CONTRADICTORY]
    count = sum(one.word == Word.CONTRADICTORY for one in found)
    return (
        f"Arithmetic alone, without any run, finds {count} contradictions. They fall on {wrong} of "
        f"the {claims.total()} printed claims; of the other {claims.total() - wrong}, "
        f"{' and '.join([', '.join(others[:-1]), *others[-1:]])}."
    )


def finding_table(paper: str, found: list[Finding]) -> tuple[Table, int]:
    """Return the table of both sides, the calculation and the word of each finding, and how many of
    its first bodies stand open: what doesn't fit, and what is open."""
    lines: dict[str, list[Line]] = {NO_FIT: []}
    lines |= {body: [] for body in BODIES.values()}
    for one in found:
        sides = [words(s.text, s.where) for s in one.sides]
        word = Td(one.word, kind="text", ok=OK.get(one.word, False))
        lines[BODIES.get(one.word, NO_FIT)].append(
            [one.title, *sides, *["–"] * (2 - len(sides)), one.sums, word]
        )
    made = table(
        f"audit-{paper}",
        f"{load_papers()[paper].name}: what is printed, against other places and the files. ✓ both "
        "can stand, ✗ they can't.",
        texts("Question", "It says", "and it says", "Calculation", "So"),
        {f"{title}: {len(body)}": body for title, body in lines.items()},
    )
    return made, sum(title.startswith((NO_FIT, BODIES[Word.OPEN])) for title, _ in made.bodies)


def claim_table(found: list[Finding]) -> Table:
    """Return the table of every claim, with the words of the findings about it."""
    lines: list[Line] = []
    words_of = by_claim(found)
    for claim in load_claims().values():
        count = Counter(words_of[claim.id])
        counted = ", ".join(f"{word} ({number})" for word, number in count.items())
        place = side(claim)
        first = label(claim.id, anchor=f"audit-{claim.id}")
        lines.append([first, words(place.text, place.where), counted])
    heads = texts("Claim", "As printed", "By arithmetic (findings)")
    caption = "Every claim of both papers, and what became of it."
    return table("audit-claims", caption, heads, lines)


def page() -> dict[str, object]:
    """Return the content of the audit's page."""
    found = findings()
    every = [f for of_paper in found.values() for f in of_paper]
    return {
        "said": said(every),
        "tables": [finding_table(paper, of_paper) for paper, of_paper in found.items()],
        "claims": claim_table(every),
    }


def granularity(claims: Claims, paper: str) -> Iterator[Finding]:
    """Check each accuracy of n images: such an accuracy is a multiple of 1/n."""
    parts = [claims[f"liang.data.test.{letter}"] for letter in "elmn"]
    n_sum = sum(int(part.number) for part in parts)
    tested = getattr(of_papers("audit").get(paper), "tested", None)
    for claim in claims.values():
        if not claim.n or claim.metric != "accuracy" or claim.paper != paper:
            continue
        interval = printed.printed(claim)
        found = printed.attainable_counts(interval, claim.n)
        said, images = _counted(found, claim.n), f"{claim.n:,} test images"
        whence = tested(images) if tested else Side(load_papers()[paper].name, images)
        if claim.kind == "cited":  # of others' images, whose number is printed beside it
            whence = Side(where(claim), f"{claim.n} images")
            if not found:
                below = math.floor(claim.number * claim.n)
                near = [f"{k} of {claim.n} = {percent(Fraction(k, claim.n))}"
                        for k in (below, below + 1)]  # fmt: skip
                said += f" The nearest: {' and '.join(near)}."
        elif claim.paper == "liang":
            other = printed.attainable_counts(interval, n_sum)
            said += f" Of the {n_sum:,} that the printed class counts add up to: " + (
                _counted(other, n_sum) if other else "no count gives it."
            )
        yield Finding(
            "Is there a number of right answers that gives it?", (claim.id,),
            (side(claim), whence), said, judged(bool(found), Word.NOT_ATTAINABLE),
        )  # fmt: skip


def sources(claims: Claims, paper: str) -> Iterator[Finding]:
    """Return a finding, `not checked`, for each claim cited from a paper that isn't read here."""
    for claim in claims.values():
        if (claim.paper, claim.kind) == (paper, "cited") and claim.id not in prose.OF_LIANG:
            said = f"{claim.reason}; that" if claim.reason else "that"
            yield Finding(
                "Is it cited rightly?", (claim.id,), (side(claim),),
                f"{said[0].upper()}{said[1:]} paper is not read here.", Word.NOT_CHECKED,
            )  # fmt: skip


def _counted(found: list[int], n: int) -> str:
    if not found:
        return f"No k of {n:,} rounds to it."
    few = f"{found[0]:,}" if len(found) == 1 else f"{found[0]:,} to {found[-1]:,}"
    return f"{few} of {n:,} = {percent(Fraction(found[0], n), 4)}" + (
        "." if len(found) == 1 else f" to {percent(Fraction(found[-1], n), 4)}."
    )


PAGE = PageRecord(
    "audit.html", "Do the printed numbers fit together?", "Arithmetic", lambda _: page(),
    place=3, group="Claims",
    settings=lambda _: [],
)  # fmt: skip
