"""The verdicts of one setting, and the printed accuracies beside which its runs may stand."""

from dataclasses import dataclass

from protocols.papers.claims import Claim, load_claims
from protocols.spec import FRAMEWORKS
from reports.cells.cell import Cell
from reports.cells.collect import Collected
from reports.cells.settings import Setting
from reports.judging.uncertainty import preferred_interval
from reports.judging.verdicts import INDICATIVE, NOT_TESTED, Verdict, judge
from reports.statistics.intervals import Interval
from reports.tables.formats import minus


@dataclass(frozen=True)
class Tested:
    """An accuracy that is printed, with the cells of the twins whose runs stand beside it."""

    claim: Claim
    cells: dict[str, Cell]  # by twin
    indicative: bool  # whether the runs follow a smaller protocol, and so judge nothing

    def interval(self, framework: str) -> Interval | None:
        """Return the interval of a twin's accuracy on new photographs, or None."""
        found = self.cells[framework].estimates.get(self.claim.at, {}).get(self.claim.metric)
        interval = preferred_interval(found)[0] if found else None
        return None if interval is None or interval.reason else interval

    def ends(self, framework: str) -> tuple[float, float, float]:
        """Return a twin's accuracy and the ends of its interval, in %; the ends are the accuracy
        where there is no interval."""
        value, found = 100 * self.value(framework), self.interval(framework)
        if found is None or found.low is None or found.high is None:
            return value, value, value
        return value, 100 * found.low, 100 * found.high

    def value(self, framework: str) -> float:
        """Return the accuracy of a twin of `cells`, as a fraction."""
        found = self.cells[framework].number(self.claim.metric, self.claim.at).value
        return float("nan") if found is None else found


Verdicts = dict[tuple[str, str], Verdict]  # by twin and by the claim's id


def verdicts_of(collected: Collected, setting: Setting | None) -> Verdicts:
    """Return the verdict on every claim in every twin; without a setting no claim is tested."""
    return {
        (f, key): judge(claim, collected, setting, f) if setting else Verdict(NOT_TESTED, "no run")
        for f in FRAMEWORKS
        for key, claim in load_claims().items()
    }


def tested(collected: Collected, setting: Setting | None, verdicts: Verdicts) -> list[Tested]:
    """Return the accuracies at the selected epoch that runs of the setting judge or are indicative
    of. Of a network whose accuracy is printed twice, the first stands here."""
    found: dict[str, Tested] = {}
    for key, claim in load_claims().items():
        if (claim.kind, claim.metric, claim.at) != ("metric", "accuracy", "selected"):
            continue
        words = {f: verdicts[f, key].word for f in FRAMEWORKS}
        known = [f for f in FRAMEWORKS if words[f] != NOT_TESTED]
        if setting and known and claim.variant not in found:
            group = collected.group(setting, claim.protocol)
            cells = {f: group.cells[f, claim.variant] for f in known}
            found[claim.variant] = Tested(claim, cells, INDICATIVE in words.values())
    return list(found.values())


def gaps(claims: list[Tested]) -> str:
    """Write how far the measured accuracies lie from the printed ones, in points: "3.1 to 4.6
    points below the printed accuracies"."""
    found = [100 * (one.value(f) - one.claim.number) for one in claims for f in one.cells]
    low, high = min(found), max(found)
    if high <= 0 or low >= 0:
        ends = sorted((f"{abs(low):.1f}", f"{abs(high):.1f}"), key=float)
        side = "below" if high <= 0 else "above"
        return f"{' to '.join(dict.fromkeys(ends))} points {side} the printed accuracies"
    return minus(f"{low:+.1f} to {high:+.1f} points from the printed accuracies")
