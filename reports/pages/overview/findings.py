"""The three findings of the first page: what the papers' networks reach, how many photographs the
test images show, and what contradicts and leaks."""

from collections import Counter
from dataclasses import dataclass

from protocols.classes import CLASSES
from protocols.papers.papers import load_papers
from protocols.papers.variants import load_variants
from protocols.spec import FRAMEWORKS
from reports.cells.collect import Collected
from reports.cells.settings import Setting
from reports.figures import findings as pictures
from reports.figures.drawing import Drawing
from reports.judging.contrasts import Contrast, contrasts
from reports.judging.pairings import ordered_pairs
from reports.judging.uncertainty import interval_words, why_wide
from reports.pages.audit import page as audit_page
from reports.pages.audit.finding import Finding as AuditFinding
from reports.pages.audit.finding import Word
from reports.pages.content import of_papers
from reports.pages.leakage.evidence import part
from reports.pages.overview.tested import Tested, gaps
from reports.tables.formats import NAMES, number_text, percent, points, title


@dataclass(frozen=True)
class Finding:
    """One of the findings: its number, its sentences, its picture, and the page that has more."""

    heading: str
    sentences: list[str]
    picture: Drawing
    caption: str
    href: str
    more: str  # the words of the link


def findings(
    collected: Collected,
    setting: Setting | None,
    claims: list[Tested],
    audit: list[AuditFinding],
) -> list[Finding]:
    """Return the findings. `claims` are the accuracies beside which runs of the setting may stand;
    the first finding is left out where there are none."""
    own = [_reached(collected, setting, claims)] if setting and claims else []
    return [*own, _photographs(claims), _arithmetic(audit)]


def _reached(collected: Collected, setting: Setting, claims: list[Tested]) -> Finding:
    rows = [
        pictures.Reached(
            title(one.claim.variant), 100 * one.claim.number,
            {f: one.ends(f) for f in one.cells},
        )
        for one in claims
    ]  # fmt: skip
    known = sum(v.published for v in load_variants().values())
    how = (
        "smaller or shorter than published, so no claim is judged"
        if any(one.indicative for one in claims)
        else "as published"
    )
    shown = [f for f in FRAMEWORKS if any(f in one.cells for one in claims)]
    marks = [f"{pictures.MARK_NAMES[f]}: {NAMES[f]}" for f in shown]
    return Finding(
        gaps(claims),
        [f"That is where {len(rows)} of the papers' {known} networks end, trained again {how}.",
         *_questions(collected, setting)],
        pictures.reached(rows),
        f"Diamond: printed; {', '.join(marks)}; line: 95% interval on new photographs.",
        "claims.html", "Every claim",
    )  # fmt: skip


def _questions(collected: Collected, setting: Setting) -> list[str]:
    """Return a sentence for each question of a paper that the runs can speak of: what a network
    gains over the one that the paper sets it against."""
    found: dict[tuple[str, str], list[str]] = {}
    for paper in load_papers().values():
        own = collected.group(setting, paper.protocol).of(paper.key)
        for pair in ordered_pairs(own):
            for framework, one in contrasts(own, *pair).items():
                if one and (said := _difference(one)):
                    found.setdefault(pair, []).append(f"{said} in {NAMES[framework]}")
    return [
        f"{title(first)} minus {title(second)}: {', '.join(said)}."
        for (first, second), said in found.items()
    ]


def _difference(one: Contrast) -> str:
    """Write a difference of two networks with its interval on new photographs; "" if there is
    none."""
    if one.value is None or one.on_images is None:
        return ""
    interval = one.on_images.estimate.linearised
    if interval.reason or interval.low is None or interval.high is None:
        return f"{points(one.value)} points"
    shown = ", so no difference is shown" if interval.low <= 0 <= interval.high else ""
    return f"{points(one.value)} points (95% interval {interval_words(interval)}{shown})"


def _photographs(claims: list[Tested]) -> Finding:
    """Return the finding on the public test images; the first accuracy with an interval on new
    photographs shows how certain they are."""
    test = part("TEST")
    images = {
        name.lower(): sorted(
            Counter(row.original for row in test if row.class_name == name).values(), reverse=True
        )
        for name in CLASSES
    }
    count = len({row.original for row in test})
    return Finding(
        f"{count} photographs behind {len(test):,} test images",
        [_interval(claims)],
        pictures.photographs(images),
        "Each block is a photograph, as wide as the number of its images; beside them their count.",
        "evidence.html", "How certain these numbers are",
    )  # fmt: skip


def _interval(claims: list[Tested]) -> str:
    """Write the first interval on new photographs that an accuracy has, and why it is wide."""
    for one in claims:
        for framework, cell in one.cells.items():
            if interval := one.interval(framework):
                value = number_text(one.claim.metric, one.value(framework))
                why = why_wide(cell)
                return (
                    f"{title(one.claim.variant)}'s {value} ({NAMES[framework]}) has a 95% interval "
                    f"of {interval_words(interval, digits=1)} on new photographs"
                    + (f", so wide because {why}." if why else ".")
                )
    return "The images are turned and stretched copies: far fewer cases than they seem."


def _arithmetic(audit: list[AuditFinding]) -> Finding:
    words = audit_page.by_claim(audit)
    wrong = sum(said[0] == Word.CONTRADICTORY for said in words.values())
    count = sum(one.word == Word.CONTRADICTORY for one in audit)
    bars = {f"Contradictory claims: {wrong} of {len(words)}": wrong / len(words)}
    for key, module in of_papers("leakage").items():
        author, share = load_papers()[key].author, module.seen_in_training()
        bars[f"{author}: {percent(share, 1)} of test images overlap with training"] = share
    return Finding(
        f"{count} contradictions in print, found without a run",
        [f"They fall on {wrong} of the {len(words)} printed claims. And test and training overlap: "
         "of many test images the photograph, or one that overlaps it, is in the training part."],
        pictures.shares(bars),
        "Filled: the share of all claims, and of the test images of each paper's protocol.",
        "audit.html", "The papers' own arithmetic",
    )  # fmt: skip
