"""The words that a claim gets, by the rules of docs/reading-a-report.md; no other module judges.

Metric claims: the claim against the 95% prediction interval of one more training run. Orderings:
the 95% interval of the mean difference, paired by seed. Both, and how often they err, stand in
reports.statistics.between_seeds.
"""

from dataclasses import dataclass
from functools import cache

from protocols.classes import LETTERS
from protocols.images import dataset
from protocols.papers.claims import Claim
from protocols.papers.variants import load_variants
from reports.cells.cell import Cell, Group, Number
from reports.cells.collect import Collected
from reports.cells.settings import Setting
from reports.judging.contrasts import Contrast
from reports.statistics.between_seeds import against, order

MIN_SEEDS = 3
# Widest half-width that is still agreement, by the claim's unit. Accuracies: 2 points. The rule
# names points only; the bounds for losses and epochs are our reading of it.
WIDEST = {"%": 0.02, "fraction": 0.02, "nat": 0.05, "epoch": 5.0}
NOT_ASKED = "not part of the request"
class_counts = cache(dataset.class_counts)  # reads the whole manifest


@dataclass(frozen=True)
class Verdict:
    """A word, its reason, and what it rests on (measured value in the claim's unit as fraction)."""

    word: str
    reason: str
    value: float | None = None  # mean over seeds; None: incomplete; NaN: diverged
    half_width: float | None = None  # of the prediction interval
    seeds: int = 0

    @property
    def judged(self) -> bool:
        """Whether the numbers were held against the claim."""
        return self.word != "not tested"


def rounding(claim: Claim) -> float:
    """Half a unit of the last printed digit, as a fraction for percentages; 0 for epochs."""
    if claim.unit == "epoch":
        return 0.0
    digits = len(claim.printed.partition(".")[2])
    return 0.5 * 10**-digits / (100 if claim.unit == "%" else 1)


def why_not_judged(setting: Setting, cell: Cell | None, number: Number | None) -> str:
    """Why these runs can't judge a claim; empty if they can."""
    if setting.objections:
        return "; ".join(setting.objections)
    if cell is None or number is None:
        return NOT_ASKED
    if number.diverged:
        return "diverged"
    if number.value is None:
        return f"incomplete: {number.lack}"
    if number.stale:
        return "stale: of another results version of this suite"
    if len(number.by_seed) < MIN_SEEDS:
        return f"{len(number.by_seed)} of at least {MIN_SEEDS} seeds"
    return ""


def judge_metric(claim: Claim, setting: Setting, cell: Cell | None) -> Verdict:
    """compatible, above, below (the measurement against the claim), undecided or not tested."""
    if cell is None:
        return Verdict("not tested", why_not_judged(setting, None, None))
    number = cell.number(claim.metric, claim.at)
    seeds = len(number.by_seed)
    if reason := why_not_judged(setting, cell, number):
        return Verdict("not tested", reason, number.value, None, seeds)
    word, reason, mean, half = against(
        list(number.by_seed.values()), claim.number, rounding(claim), cell.grain(claim.metric),
        WIDEST[claim.unit],
    )  # fmt: skip
    return Verdict(word, reason, mean, half, seeds)


def own_cnns(paper: str) -> list[tuple[str, str]]:
    """(network with a recurrent branch, the CNN that it is made of), where a paper has both; one of
    two CNNs has no single own one."""
    networks = [v for v in load_variants().values() if v.suite == paper]
    bare = {v.backbones: v.name for v in networks if v.sequence == "none"}
    return [
        (v.name, bare[v.backbones])
        for v in networks
        if v.sequence != "none" and v.backbones in bare
    ]


def contests(claim: Claim) -> list[tuple[str, str]]:
    """(the one claimed better, the other) for each comparison an ordering claim makes: the network
    that it names against the paper's others; if it names none, each with a recurrent branch against
    its own CNN."""
    if not claim.variant:
        return own_cnns(claim.paper)
    others = [v.name for v in load_variants().values() if v.suite == claim.paper]
    return [(claim.variant, other) for other in others if other != claim.variant]


def claimed_contrasts(
    claim: Claim, group: Group | None, framework: str
) -> dict[tuple[str, str], Contrast | None]:
    """Each contest of an ordering claim, and the difference of its two networks; None where one of
    them is not asked for."""
    found = {}
    for pair in contests(claim):
        a, b = (group.cells.get((framework, v)) if group else None for v in pair)
        found[pair] = Contrast(a, b, claim.metric, claim.at) if a and b else None
    return found


def judge_ordering(claim: Claim, setting: Setting, group: Group | None, framework: str) -> Verdict:
    """supported (every contest won), refuted (one lost), undecided or not tested."""
    found = claimed_contrasts(claim, group, framework)
    values = [one.value if one else None for one in found.values()]
    known = [value for value in values if value is not None]
    least = min(known) if len(known) == len(values) else None
    contrasts = []
    for pair, one in found.items():
        for variant in pair:
            cell = group.cells.get((framework, variant)) if group else None
            number = cell.number(claim.metric, claim.at) if cell else None
            if reason := why_not_judged(setting, cell, number):
                place = "" if setting.objections else f"{load_variants()[variant].title}: "
                return Verdict("not tested", place + reason, least)
        if one is None or one.lack:
            return Verdict("not tested", one.lack if one else NOT_ASKED, least)
        contrasts.append(one)
    word, won, lost = order([list(c.by_seed) for c in contrasts], max(c.grain for c in contrasts))
    reason = f"{won} of {len(contrasts)} contests won beyond the interval, {lost} lost"
    return Verdict(word, reason, least, None, len(contrasts[-1].by_seed))


def counted(claim: Claim) -> int:
    """Images of the claim's part (or both) and class (or all), in the public data's manifest."""
    parts = ("train", "test") if claim.row == "all" else (claim.row,)
    counts = [sum(both) for both in zip(*map(class_counts, parts), strict=True)]
    return sum(counts) if claim.column == "sum" else counts[LETTERS.index(claim.column)]


def judge_count(claim: Claim, setting: Setting) -> Verdict:
    """Never judged by runs: a count of files, shown beside the claim."""
    if setting.data != "real":
        return Verdict("not tested", "; ".join(setting.objections))
    return Verdict("not tested", "counted in the data's manifest, not by runs", counted(claim))


def judge_timing(claim: Claim, collected: Collected, setting: Setting, framework: str) -> Verdict:
    """Never judged: another device. The measured seconds stand beside the claim."""
    value = None
    if claim.metric == "cold_seconds":
        slot = collected.latency.get(setting, {}).get((framework, claim.variant))
        value = slot.stored.timings["cold"]["median"] if slot and slot.usable else None
    else:
        group = collected.group(setting, claim.protocol)
        cell = group.cells.get((framework, claim.variant)) if group else None
        value = phase_seconds(cell, 2) if cell else None
    return Verdict("not tested", "another device than the paper's", value)


def phase_seconds(cell: Cell, phase: int) -> float | None:
    """Training and evaluation seconds of a phase, mean over a whole set of runs; else None."""
    if cell.lack:
        return None
    seconds = [
        p["train_seconds"] + p["eval_seconds"]
        for slot in cell.slots
        for p in slot.stored.timings["phases"]
        if p["phase"] == phase
    ]
    return sum(seconds) / len(cell.slots) if len(seconds) == len(cell.slots) else None


def judge(claim: Claim, collected: Collected, setting: Setting, framework: str) -> Verdict:
    """The verdict on a claim from the runs of one setting in one framework."""
    group = collected.group(setting, claim.protocol or "fixed")
    if claim.kind == "metric":
        cell = group.cells.get((framework, claim.variant)) if group else None
        return judge_metric(claim, setting, cell)
    if claim.kind == "ordering":
        return judge_ordering(claim, setting, group, framework)
    if claim.kind == "count":
        return judge_count(claim, setting)
    if claim.kind == "timing":
        return judge_timing(claim, collected, setting, framework)
    reason = claim.reason or "a sentence of the text, nothing to measure"
    return Verdict("not tested", reason)
