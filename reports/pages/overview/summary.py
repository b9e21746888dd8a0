"""The first screen: the answer in a sentence, every claim as a square, what a verdict takes."""

from collections import Counter
from dataclasses import dataclass

from protocols.papers.claims import Claim, load_claims
from protocols.papers.papers import load_papers
from protocols.papers.recipes import fold_count, load_profiles
from protocols.papers.variants import load_variants
from protocols.spec import FIXED, FRAMEWORKS
from protocols.weights.table import load_pretrained
from reports.cells.collect import Collected
from reports.cells.settings import Setting
from reports.judging.verdicts import INDICATIVE, MIN_SEEDS, NOT_TESTED, class_counts, judge
from reports.pages.audit import page as audit_page
from reports.pages.audit.finding import Finding, Word
from reports.pages.overview.tables import value_text
from reports.pages.overview.tested import Tested, Verdicts, gaps
from reports.tables.cell_text import claim_name, claim_text
from reports.tables.formats import NAMES, THIN

# each word with its sign and its class of style.css
SIGNS = {
    "compatible": ("✓", "good"),
    "supported": ("✓", "good"),
    "above": ("▲", "off"),
    "below": ("▼", "off"),
    "refuted": ("✗", "bad"),
    "undecided": ("?", "open"),
    INDICATIVE: ("#", "near"),
    NOT_TESTED: ("·", "none"),
    Word.ATTAINABLE: ("\u00a0", "none"),
    Word.NOT_ATTAINABLE: ("✗", "bad"),
    Word.CONTRADICTORY: ("≠", "bad"),
    Word.OPEN: ("?", "open"),
    Word.NOT_CHECKED: ("–", "none"),
}
MEANINGS = {  # words that a reader could take for more than they say
    INDICATIVE: "a number of smaller runs stands beside it; no verdict",
    Word.ATTAINABLE: "nothing printed speaks against it; no verdict either",
    Word.CONTRADICTORY: "can't be true beside another printed number, or the files",
    Word.NOT_ATTAINABLE: "no count of right answers gives this number",
    Word.OPEN: "true under one reading alone",
    NOT_TESTED: "no run here, or none that may judge it",
}
JUDGED = ("compatible", "supported", "above", "below", "refuted", "undecided")
FULL = "python runner.py --suite all --gpu 0"


@dataclass(frozen=True)
class Square:
    """One claim in one column of the matrix."""

    sign: str
    look: str  # a class of style.css
    text: str  # the claim and its verdict, in words
    href: str


@dataclass(frozen=True)
class Line:
    """The claims of one table or figure of a paper: squares by column."""

    title: str
    squares: dict[str, list[Square]]


Sign = tuple[str, str, str]  # a square's sign, its class of style.css, and what it means


@dataclass(frozen=True)
class Summary:
    """The content of the first screen."""

    answer: str
    setting: Setting | None
    twins: list[str]  # whose squares are shown: none where nothing is tested or indicative
    lines: list[Line]
    legend: list[tuple[str, list[Sign]]]  # what is said by arithmetic, and what by training
    absent: str  # why a twin has no column; "" where both have one, or neither
    takes: list[tuple[str, str]]  # what a full verdict takes; empty once nothing is untested
    others: list[Setting]  # settings that judge nothing here: of other tables, or of other networks


def judging(collected: Collected) -> list[Setting]:
    """Return the settings that the first page and that of the claims show, of runs as published.
    The one whose runs judge most claims stands first, even if it is of an earlier request; then
    the one whose runs are indicative of most. Settings that are equal in both keep their order."""
    settings = [setting for setting in collected.papers if setting.as_published]
    shown = [s for s in settings if s.planned or s.comparable] or settings[:1]

    def judged(setting: Setting) -> tuple[int, int]:
        claims = load_claims().values()
        found = [judge(c, collected, setting, f) for c in claims for f in FRAMEWORKS]
        return sum(v.judged for v in found), sum(v.word == INDICATIVE for v in found)

    return sorted(shown, key=judged, reverse=True)


def summary(
    collected: Collected,
    settings: list[Setting],
    verdicts: Verdicts,
    beside: list[Tested],
    found: list[Finding],
) -> Summary:
    """Return the first screen.
    `settings` are those with runs of the papers' networks, and the first one's runs judge:
    `verdicts` are theirs, and `beside` the accuracies beside which they may stand. `found` is what
    the audit of the papers' arithmetic found."""
    setting = settings[0] if settings else None
    claims = load_claims()
    words = audit_page.by_claim(found)
    lines: dict[str, Line] = {}
    seen = {f for (f, _), verdict in verdicts.items() if verdict.word != NOT_TESTED}
    twins = [f for f in FRAMEWORKS if f in seen]
    for key, claim in sorted(claims.items(), key=_order):
        name = f"{load_papers()[claim.paper].name}, {_place(claim)}"
        line = lines.setdefault(name, Line(name, {c: [] for c in ("audit", *twins)}))
        audited = _square(claim, words[key][0], "by arithmetic", f"audit.html#audit-{key}")
        line.squares["audit"].append(audited)
        for f in twins:
            measured = f"{NAMES[f]} {value_text(claim, verdicts[f, key])}"
            square = _square(claim, verdicts[f, key].word, measured, f"claims.html#{key}")
            line.squares[f].append(square)
    printed: set[str] = {of[0] for of in words.values()}
    trained = {verdicts[f, key].word for f in twins for key in claims}
    legend = [("By arithmetic", _legend(printed)), ("By training", _legend(trained))]
    untested = any(v.word == NOT_TESTED for v in verdicts.values())
    return Summary(
        answer(verdicts, beside, setting),
        setting,
        twins,
        list(lines.values()),
        [(column, signs) for column, signs in legend if signs],
        _absent(twins),
        _takes(collected) if untested else [],
        settings[1:] if settings else collected.settings,
    )


def _square(claim: Claim, word: str, said: str, href: str) -> Square:
    sign, look = SIGNS[word]
    text = f"{claim_name(claim)}: printed {claim_text(claim)}, {said}: {word}"
    return Square(sign, look, text, href)


def _absent(twins: list[str]) -> str:
    """Say why a twin has no column where the other has one."""
    lacking = [NAMES[f] for f in FRAMEWORKS if f not in twins]
    if not twins or not lacking:
        return ""
    return f"{lacking[0]} has no column: none of its runs here can stand beside a claim."


def _legend(used: set[str]) -> list[Sign]:
    """Return each sign of a column with its class and the words of `used` that it stands for."""
    found: dict[tuple[str, str], list[str]] = {}
    for word, look in SIGNS.items():
        if word in used:
            meaning = f": {MEANINGS[word]}" if word in MEANINGS else ""
            found.setdefault(look, []).append(word + meaning)
    return [(sign, look, ", ".join(words)) for (sign, look), words in found.items()]


def _place(claim: Claim) -> str:
    """Return the table that a claim stands in, or "figures", or "text" for a section of it."""
    if claim.where.startswith("Table"):
        return claim.where
    return "figures" if "Fig." in claim.where else "text"


def _order(entry: tuple[str, Claim]) -> tuple[int, bool, str]:
    """Return what the squares are sorted by: the paper, in it the tables, the figures, the text."""
    place = _place(entry[1])
    return list(load_papers()).index(entry[1].paper), not place.startswith("Table"), place


def answer(verdicts: Verdicts, beside: list[Tested], setting: Setting | None) -> str:
    """Return the answer in one sentence: how many claims got which word, by twin; where none is
    judged, how far the networks that may stand beside a claim are from it, or what the runs are."""
    claims = len(load_claims())
    counted = {f: Counter(v.word for (of, _), v in verdicts.items() if of == f) for f in FRAMEWORKS}
    if any(counted[f][word] for f in FRAMEWORKS for word in JUDGED):
        parts = []
        for framework in FRAMEWORKS:
            counts = [f"{counted[framework][w]} {w}" for w in (*JUDGED, INDICATIVE, NOT_TESTED)
                      if counted[framework][w]]  # fmt: skip
            parts.append(f"{NAMES[framework]}: {', '.join(counts)}")
        return f"Of {claims} printed claims, {'; '.join(parts)}."
    if near := max(counted[f][INDICATIVE] for f in FRAMEWORKS):
        return (
            f"None of the {claims} printed claims is confirmed or refuted yet, for these runs have "
            f"smaller images or fewer epochs than published; beside {near} of them stand numbers "
            f"of the papers' own networks{f', which end {gaps(beside)}' if beside else ''}."
        )
    profile = load_profiles().get(setting.profile) if setting else None
    why = f"; they are {profile.about} (profile {profile.name})" if profile else ""
    return f"Not one of the {claims} printed claims has been tested by these runs{why}."


def _takes(collected: Collected) -> list[tuple[str, str]]:
    """Return the command, the runs, the GPU hours, the disk and the weights that a full verdict
    takes."""
    profile, known = load_profiles()["paper"], load_variants().values()
    runs = 0
    parts: list[str] = []
    for paper in load_papers().values():
        networks = sum(v.suite == paper.key for v in known)
        parts.append(f"{networks} {'' if parts else 'networks '}of {paper.author}")
        if paper.protocol not in FIXED:
            networks *= fold_count()
            parts[-1] += f" in {fold_count()} folds"
        runs += len(FRAMEWORKS) * len(profile.seeds) * networks
    names = {name for v in known if v.published for name in v.backbones}
    weights = sum(found.official.size for key, found in load_pretrained().items() if key in names)
    images = sum(sum(class_counts(part)) for part in ("train", "test"))
    decoded = images * profile.height * profile.width * 3
    return [
        ("Command", FULL),
        ("Runs", f"{runs} trainings: Keras and PyTorch, {len(profile.seeds)} seeds (a verdict "
         f"needs {MIN_SEEDS}), {', '.join(parts)}"),
        ("GPU hours", _hours(collected)),
        ("Disk", f"{decoded / 1e9:.1f}{THIN}GB of decoded images, and the features of frozen "
         "networks (the plan says how much)"),
        ("Weights", f"ImageNet's, {weights / 1e6:.0f}{THIN}MB, downloaded or from a folder"),
    ]  # fmt: skip


def _hours(collected: Collected) -> str:
    """Return the hours that the `paper` runs at hand took, by device; without such a run, no
    guess."""
    seconds: dict[str, list[float]] = {}
    for slot in collected.slots:
        if slot.usable and slot.spec.stage == "train" and slot.spec.profile == "paper":
            seconds.setdefault(slot.spec.device, []).append(slot.stored.timings["total_seconds"])
    if not seconds:
        return ("not measured by any run here; --calibrate, then --plan, tell them for the GPU at "
                "hand")  # fmt: skip
    return "; ".join(
        f"{sum(values) / 3600:.1f} h for the {len(values)} runs made on {device}"
        for device, values in seconds.items()
    )
