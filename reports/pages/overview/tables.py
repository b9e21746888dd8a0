"""The tables of the page of claims: every claim's verdict, every deviation."""

from protocols.papers.claims import Claim, load_claims
from protocols.papers.papers import load_papers
from protocols.papers.recipes import OF_PROFILE, fold_count, load_profiles, load_recipe
from protocols.spec import FRAMEWORKS
from reports.cells.collect import Collected
from reports.cells.settings import WEIGHTS, Setting
from reports.cells.times import disturbed
from reports.data.numbers import Numbers, verdict_key
from reports.judging.verdicts import NOT_ASKED, Verdict, contests, judge
from reports.tables.builder import Line, numbers, over, table, texts, twins
from reports.tables.cell_text import claim_name, claim_text, verdict_cell
from reports.tables.formats import MISSING, marked, number_text, plural, seconds_text
from reports.tables.table import Table, Td, label, words

PROFILE_WORDS = {  # "{whose}" stands for the papers whose recipes have the value
    "height": "image height, pixels",
    "width": "image width, pixels",
    "train_per_class": "training images a class (fixed)",
    "test_per_class": "test images a class (fixed)",
    "phase1_epochs": "epochs of phase 1 ({whose})",
    "phase2_epochs": "epochs of phase 2 ({whose})",
    "cv_per_class": "images a class (cross-validation)",
    "cv_folds_run": "folds run, of {folds}",
    "cv_epochs": "epochs ({whose})",
    "grey_pooling": "grey rows for the LSTM ({whose}): means of so many pixels square",
    "seeds": "seeds",
    "weights": "weights",
}


def verdict_table(
    collected: Collected, known: Numbers, setting: Setting, anchors: bool = True
) -> Table:
    """Return the table of every claim of the papers: address, printed, measured and verdict in both
    twins. `anchors` says whether other places can link to a claim's row by the claim's id; one
    table of a page may have them."""
    protocols = ", ".join(
        f"{paper.author}'s networks under protocol {paper.protocol}"
        for paper in load_papers().values()
    )
    sections: dict[str, list[Line]] = {}
    for claim in load_claims().values():
        verdicts = [judge(claim, collected, setting, f) for f in FRAMEWORKS]
        behind = [_behind(collected, setting, claim, f) for f in FRAMEWORKS]
        line = [
            label(claim_name(claim), anchor=claim.id if anchors else ""),
            (words if claim.kind == "words" else Td)(claim_text(claim)),
        ]
        line += [
            Td(
                value_text(claim, v) + marks,
                href=href,
                key=known[verdict_key(claim, setting, f)]["value"].key,
                scale=100 if claim.unit == "%" or claim.kind == "ordering" else 1,
            )
            for f, v, (href, marks) in zip(FRAMEWORKS, verdicts, behind, strict=True)
        ]
        line += [verdict_cell(claim, v) for v in verdicts]
        sections.setdefault(f"{load_papers()[claim.paper].name}, {claim.where}", []).append(line)
    return table(
        f"verdicts-{setting.slug}",
        f"Every claim of the papers; {protocols}. Measured for an order: the smallest margin. X: "
        "planned, or part of the set, and not there; –: no run planned, or not comparable.",
        [*texts("Claim"), *numbers("Printed"), over("Measured", twins()),
         over("Verdict", twins("headtext"), "headtext")],
        sections,
        setting=f"By the runs of one setting: {setting.title}.",
    )  # fmt: skip


def _behind(
    collected: Collected, setting: Setting, claim: Claim, framework: str
) -> tuple[str, str]:
    """Return where the runs behind a verdict are shown (for an order, those of the first network),
    and the marks of what they measured: stale, or a time that was measured beside other work."""
    if claim.kind == "count":
        return "images.html", ""
    if claim.metric == "cold_seconds":
        slot = collected.latency.get(setting, {}).get((framework, claim.variant))
        if not slot:
            return "", ""
        beside = slot.usable and disturbed(slot.stored.timings, "cold")
        return slot.href, marked("", slot.state == "stale", beside)
    pairs = contests(claim) if claim.kind == "ordering" else [(claim.variant,)]
    group = collected.group(setting, claim.protocol or "fixed")
    cells = [group.cells.get((framework, name)) for pair in pairs for name in pair]
    whole = all(cell and not cell.lack for cell in cells)
    stale = whole and any(cell.stale for cell in cells if cell)
    return cells[0].href if cells[0] else "", marked("", stale)


def value_text(claim: Claim, verdict: Verdict) -> str:
    """Return the measured value as written in the verdict table."""
    value = verdict.value
    unasked = value is None and verdict.reason.endswith(NOT_ASKED)
    if claim.kind in ("cited", "words") or not verdict.comparable or unasked:
        return "–"
    if value is None:
        return MISSING if verdict.reason != "diverged" else "diverged"
    if claim.kind == "timing":
        return seconds_text(value)
    if claim.kind == "ordering":
        return f"{100 * value:+.2f} points".replace("-", "−") if value == value else "diverged"
    if claim.kind == "count":
        return f"{value:,}"
    return number_text(claim.metric, value, claim.unit)


def plain(value: object) -> str:
    """Return a value of a recipe or a profile as text, with commas between several."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else f"{value}"


def profile_table(settings: list[Setting], suite: str = "", whole: bool = False) -> Table | None:
    """Return the table of where the profiles shown differ from `paper`; None if only `paper` is
    shown. The numbers are those of the networks of `suite`, where these have their own. With
    `whole` the table also has the values that do not differ."""
    profiles = load_profiles()
    names = dict.fromkeys(s.profile for s in settings if s.profile in profiles)
    shown = [profiles[n] for n in names if n != "paper"]
    if not shown:
        return None
    lines: list[Line] = []
    for key, text in PROFILE_WORDS.items():
        values = [_number(key, p.number(key, suite)) for p in (profiles["paper"], *shown)]
        if whole or len(set(values)) > 1:
            name = text.format(whose=_whose(key), folds=fold_count())
            lines.append([name, *map(Td, values)])
    return table(
        "profiles",
        "The profiles' numbers, beside the published protocol's."
        if whole
        else "Where the profiles shown differ from the published protocol.",
        [*texts(""), *numbers("paper", *(p.name for p in shown))],
        lines,
    )


def _whose(key: str) -> str:
    """Return the authors of the papers whose recipes have a value of a profile."""
    keys = [name for name, of_profile in OF_PROFILE.items() if of_profile == key]
    papers = [p for p in load_papers().values() if load_recipe(p.key).keys() & keys]
    return ", ".join(paper.author for paper in papers)


def _number(key: str, value: object) -> str:
    if isinstance(value, str):
        return WEIGHTS.get(value, value)
    return "all" if key.endswith("per_class") and value == 0 else plain(value)


def deviations(collected: Collected) -> list[str]:
    """Return sentences on what departs from the papers in the runs shown, beyond the assumed
    values."""
    sentences = []
    weights = {s.weights for s in collected.papers}
    if "random" in weights:
        sentences.append(
            "Random weights: where the papers start from ImageNet weights, these networks start "
            "from random ones. Backbones that begin frozen get their moving statistics from "
            "training images first (the value “calibration images” below), without which every "
            "image would have the same feature; the others are trained from the beginning."
        )
    for other in sorted(weights - {"random", "imagenet"}):
        sentences.append(f"Weights of another source than ImageNet's: {other}.")
    if any(s.data == "phantom" for s in collected.settings):
        sentences.append("Phantom images: drawn by the suite, not photographs of real cells.")
    precisions = sorted({s.precision for s in collected.settings} - {"float32"})
    if precisions:
        sentences.append(f"Precision other than float32: {', '.join(precisions)}.")
    extras = sorted({s.extra for s in collected.settings if not s.as_published})
    sentences += [
        f"Sensitivity runs, kept out of the papers' tables: {plural(1, 'set')} with {extra}."
        for extra in extras
    ]
    return sentences
