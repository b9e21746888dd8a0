"""The claims audit: what the papers' printed numbers say of each other, by arithmetic alone."""

from collections.abc import Iterator
from fractions import Fraction

from protocols.claims import load_claims
from reports import arithmetic
from reports.audit_jane import AUDITS as JANE
from reports.audit_liang import AUDITS as LIANG
from reports.finding import (
    ATTAINABLE,
    CONTRADICTORY,
    NOT_ATTAINABLE,
    NOT_CHECKED,
    Claims,
    Finding,
    Side,
    judged,
    percent,
    side,
)
from reports.tables import Table, Td, head, label, words

TITLES = {"liang": "Liang 2018", "jane": "Jane 2022"}
WORDS = (CONTRADICTORY, NOT_ATTAINABLE, ATTAINABLE, NOT_CHECKED)
BODIES = {ATTAINABLE: "What fits", NOT_CHECKED: "Not checked"}
OK = {ATTAINABLE: True, NOT_CHECKED: None}


def findings() -> dict[str, list[Finding]]:
    """All of them, by paper."""
    claims = load_claims()
    audits = {"liang": LIANG, "jane": JANE}
    return {
        paper: [*granularity(claims, paper), *(f for audit in audits[paper] for f in audit(claims))]
        for paper in audits
    }


def finding_table(paper: str, found: list[Finding]) -> Table:
    """Both sides, the calculation and the word of each finding."""
    heads = ("Question", "It says", "and it says", "Calculation", "So")
    table = Table(
        f"audit-{paper}",
        f"{TITLES[paper]}: printed numbers against each other. ✓ they can stand together, ✗ they "
        "can’t.",
        [[head(text, kind="headtext") for text in heads]],
        [],
    )
    rows: dict[str, list[list[Td]]] = {"What does not fit": [], "What fits": [], "Not checked": []}
    for one in found:
        sides = [words(s.text, s.where) for s in one.sides]
        body = rows[BODIES.get(one.word, "What does not fit")]
        body.append(
            [label(one.title), *sides, *[words("–")] * (2 - len(sides)), words(one.sums)]
            + [Td(one.word, kind="text", ok=OK.get(one.word, False))]
        )
    table.bodies += [(f"{title}: {len(body)}", body) for title, body in rows.items() if body]
    return table


def claim_table(found: list[Finding]) -> Table:
    """Every claim, and the words of the findings about it."""
    rows = []
    for claim in load_claims().values():
        seen = [f.word for f in found if claim.id in f.claims]
        counted = [f"{word} ({seen.count(word)})" for word in WORDS if word in seen]
        place = side(claim)
        rows.append([label(claim.id, anchor=f"audit-{claim.id}"), words(place.text, place.where),
                     words(", ".join(counted))])  # fmt: skip
    heads = ("Claim", "As printed", "By arithmetic (findings)")
    return Table("audit-claims", "Every claim of both papers, and what became of it.",
                 [[head(text, kind="headtext") for text in heads]], [("", rows)])  # fmt: skip


def page() -> dict[str, object]:
    """What the audit's page shows."""
    found = findings()
    every = [f for of_paper in found.values() for f in of_paper]
    counts = {word: sum(f.word == word for f in every) for word in WORDS}
    return {
        "counts": counts,
        "tables": [finding_table(paper, of_paper) for paper, of_paper in found.items()],
        "claims": claim_table(every),
    }


def granularity(claims: Claims, paper: str) -> Iterator[Finding]:
    """Accuracies of n images are multiples of 1/n."""
    parts = [claims[f"liang.data.test.{letter}"] for letter in "elmn"]
    n_sum = sum(int(part.value) for part in parts)
    for claim in claims.values():
        if not claim.n or claim.metric != "accuracy" or claim.paper != paper:
            continue
        interval = arithmetic.printed(claim)
        found = arithmetic.attainable_counts(interval, claim.n)
        said = _counted(found, claim.n)
        if claim.paper == "liang":
            other = arithmetic.attainable_counts(interval, n_sum)
            said += f" Of the {n_sum:,} that the printed class counts add up to: " + (
                _counted(other, n_sum) if other else "no count gives it."
            )
        images = f"{claim.n:,} test images"
        whence = Side("Liang III.A", images) if claim.paper == "liang" else Side(
            "Jane 3.1", f"{images}, 500 of each class, each tested once in ten folds")  # fmt: skip
        yield Finding(
            "Is there a number of right answers that gives it?", (claim.id,),
            (side(claim), whence), said, judged(bool(found), NOT_ATTAINABLE),
        )  # fmt: skip


def _counted(found: list[int], n: int) -> str:
    if not found:
        return f"No k of {n:,} rounds to it."
    few = f"{found[0]:,}" if len(found) == 1 else f"{found[0]:,} to {found[-1]:,}"
    return f"{few} of {n:,} = {percent(Fraction(found[0], n), 4)}" + (
        "." if len(found) == 1 else f" to {percent(Fraction(found[-1], n), 4)}."
    )
