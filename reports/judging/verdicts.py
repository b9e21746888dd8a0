"""Judges claims by the rules of docs/reading-a-report.md; no other module gives a claim its word.

A number is held against the 95% prediction interval of one more training run, and an order of
networks against the 95% interval of the mean difference, paired by seed. Both intervals, and how
often they err, stand in reports.statistics.between_seeds.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from protocols.classes import LETTERS
from protocols.images import dataset
from protocols.papers.claims import Claim
from protocols.papers.variants import load_variants
from reports.cells.cell import Cell, Group, Number
from reports.cells.collect import Collected
from reports.cells.settings import Setting, departures
from reports.judging.contrasts import Contrast, contrasts
from reports.statistics.between_seeds import against, order

MIN_SEEDS = 3
# The widest half-width that is still agreement, by the claim's unit: 2 points for accuracies. The
# rule names points only; the bounds for losses and epochs are our reading of it.
WIDEST = {"%": 0.02, "fraction": 0.02, "nat": 0.05, "epoch": 5.0}
NOT_ASKED = "no run planned"
NOT_TESTED = "not tested"
INDICATIVE = "indicative"  # the claim's own network, from ImageNet weights, by a smaller protocol
class_counts = cache(dataset.class_counts)  # each call would read the whole manifest


@dataclass(frozen=True)
class Verdict:
    """The word that a claim gets, its reason, and what was measured (percentages as fractions)."""

    word: str
    reason: str
    # the mean over seeds, or the least of an order's differences; None: incomplete; NaN: not finite
    value: float | None = None
    half_width: float | None = None  # half the width of the prediction interval
    seeds: int = 0
    comparable: bool = True  # whether a measured number may stand beside the claim

    @property
    def judged(self) -> bool:
        """Whether the runs were held against the claim."""
        return self.word not in (NOT_TESTED, INDICATIVE)


def _incomparable(setting: Setting) -> Verdict:
    return Verdict(NOT_TESTED, "; ".join(setting.objections), comparable=False)


def rounding(claim: Claim) -> float:
    """Returns half a unit of the last printed digit, as a fraction if it's in %; 0 for epochs."""
    if claim.unit == "epoch":
        return 0.0
    digits = len(claim.printed.partition(".")[2])
    return 0.5 * 10**-digits / (100 if claim.unit == "%" else 1)


def why_not_judged(setting: Setting, cell: Cell | None, number: Number | None) -> str:
    """Tells why these runs can't judge a claim; returns "" if they can."""
    if setting.objections:
        return "; ".join(setting.objections)
    if reason := _lacking(cell, number):
        return reason
    if number and len(number.by_seed) < MIN_SEEDS:
        return f"{len(number.by_seed)} of at least {MIN_SEEDS} seeds"
    return ""


def _lacking(cell: Cell | None, number: Number | None) -> str:
    """Tells why runs have no number that may stand beside a claim; returns "" if they have."""
    if cell is None or number is None:
        return NOT_ASKED
    if number.diverged:
        return "diverged"
    if number.value is None:
        return f"incomplete: {number.lack}"
    if number.stale:
        return "stale: of another results version of this suite"
    return ""


def _differs(cells: Iterable[Cell], seeds: int) -> str:
    """Tells in what comparable runs differ from the published protocol, and how many seeds they
    have."""
    found = dict.fromkeys(words for cell in cells for words in departures(cell.slots[0].spec))
    return "; ".join([*found, f"{seeds} seed{'' if seeds == 1 else 's'}"])


def judge_metric(claim: Claim, setting: Setting, cell: Cell | None) -> Verdict:
    """Judges a number: the measurement is compatible with the claim or lies above or below the
    claim, or the claim is undecided, or not tested; or the measurement is indicative only."""
    if not setting.comparable:
        return _incomparable(setting)
    if cell is None:
        return Verdict(NOT_TESTED, NOT_ASKED)
    number = cell.number(claim.metric, claim.at)
    seeds = len(number.by_seed)
    if setting.objections and not _lacking(cell, number):
        return Verdict(INDICATIVE, _differs([cell], seeds), number.value, None, seeds)
    if reason := why_not_judged(setting, cell, number):
        return Verdict(NOT_TESTED, _lacking(cell, number) or reason, number.value, None, seeds)
    word, reason, mean, half = against(
        list(number.by_seed.values()), claim.number, rounding(claim), cell.grain(claim.metric),
        WIDEST[claim.unit],
    )  # fmt: skip
    return Verdict(word, reason, mean, half, seeds)


def own_cnns(paper: str) -> list[tuple[str, str]]:
    """Returns each network of a paper that has a recurrent branch, with the paper's network of the
    same CNNs without the branch; a network is left out where the paper has none such."""
    networks = [v for v in load_variants().values() if v.suite == paper]
    bare = {v.backbones: v.name for v in networks if v.sequence == "none"}
    return [
        (v.name, bare[v.backbones])
        for v in networks
        if v.sequence != "none" and v.backbones in bare
    ]


def contests(claim: Claim) -> list[tuple[str, str]]:
    """Returns the comparisons that an ordering claim makes, as pairs (the network claimed better,
    the other one): the network that the claim names against each of the paper's others or, if it
    names none, each network with a recurrent branch against the same CNNs without the branch."""
    if not claim.variant:
        return own_cnns(claim.paper)
    others = [v.name for v in load_variants().values() if v.suite == claim.paper]
    return [(claim.variant, other) for other in others if other != claim.variant]


def claimed_contrasts(
    claim: Claim, group: Group, framework: str
) -> dict[tuple[str, str], Contrast | None]:
    """Returns the difference of the two networks of each comparison that an ordering claim makes;
    None where one of the two has no cell."""
    words = (claim.metric, claim.at)
    return {pair: contrasts(group, *pair, *words)[framework] for pair in contests(claim)}


def judge_ordering(claim: Claim, setting: Setting, group: Group, framework: str) -> Verdict:
    """Judges an order of networks: supported if every comparison is won, refuted if one is lost,
    else undecided; indicative, or not tested, where the runs of one comparison can't judge."""
    if not setting.comparable:
        return _incomparable(setting)
    found = claimed_contrasts(claim, group, framework)
    values = [one.value if one else None for one in found.values()]
    known = [value for value in values if value is not None]
    least = min(known) if len(known) == len(values) else None
    for variant in dict.fromkeys(name for pair in found for name in pair):
        cell = group.cells.get((framework, variant))
        number = cell.number(claim.metric, claim.at) if cell else None
        lacking = _lacking(cell, number)
        reason = "" if setting.objections else why_not_judged(setting, cell, number)
        if lacking or reason:
            title = load_variants()[variant].title
            return Verdict(NOT_TESTED, f"{title}: {lacking or reason}", least)
    made = [one for one in found.values() if one]
    if lack := next((one.lack for one in made if one.lack), ""):
        return Verdict(NOT_TESTED, lack, least)
    seeds = len(made[-1].by_seed)
    if setting.objections:
        cells = [cell for one in made for cell in (one.a, one.b)]
        return Verdict(INDICATIVE, _differs(cells, seeds), least, None, seeds)
    word, won, lost = order([list(c.by_seed) for c in made], max(c.grain for c in made))
    reason = f"{won} of {len(made)} contests won beyond the interval, {lost} lost"
    return Verdict(word, reason, least, None, seeds)


def counted(claim: Claim) -> int:
    """Counts the images of the claim's part (or both) and class (or all) in the public manifest."""
    parts = ("train", "test") if claim.row == "all" else (claim.row,)
    counts = [sum(both) for both in zip(*map(class_counts, parts), strict=True)]
    return sum(counts) if claim.column == "sum" else counts[LETTERS.index(claim.column)]


def judge_timing(claim: Claim, collected: Collected, setting: Setting, framework: str) -> Verdict:
    """Returns "not tested", as the device is another one than the paper's, with the measured
    seconds; these are None where the runs could judge no claim, or none measured them."""
    if setting.objections:  # smaller images, or fewer epochs, take other times
        return _incomparable(setting)
    if claim.metric == "cold_seconds":
        slot = collected.latency.get(setting, {}).get((framework, claim.variant))
        value = slot.stored.timings["cold"]["median"] if slot and slot.usable else None
    else:
        cell = collected.group(setting, claim.protocol).cells.get((framework, claim.variant))
        value = phase_seconds(cell, 2) if cell else None
    return Verdict(NOT_TESTED, "another device than the paper's", value)


def phase_seconds(cell: Cell, phase: int) -> float | None:
    """Returns the seconds of training and evaluation in a phase, as the mean over the cell's runs;
    None where a run is missing or has no such phase."""
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
    """Returns the verdict on a claim from the runs of one setting in one framework."""
    group = collected.group(setting, claim.protocol or "fixed")
    if claim.kind == "metric":
        return judge_metric(claim, setting, group.cells.get((framework, claim.variant)))
    if claim.kind == "ordering":
        return judge_ordering(claim, setting, group, framework)
    if claim.kind == "count":  # runs never judge a count
        if setting.data != "real":
            return _incomparable(setting)
        return Verdict(NOT_TESTED, "counted in the data's manifest, not by runs", counted(claim))
    if claim.kind == "timing":
        return judge_timing(claim, collected, setting, framework)
    reason = claim.reason or "a sentence of the text, nothing to measure"
    return Verdict(NOT_TESTED, reason)
