"""Gives the pages the numbers of results.json with the keys under which these stand there."""

from dataclasses import dataclass
from typing import Any

from protocols.papers.claims import Claim
from reports.cells.settings import Setting
from reports.statistics.intervals import Interval


@dataclass(frozen=True)
class Recorded:
    """A value of results.json, and its key: the record's id, a colon, and the way within it."""

    key: str
    value: Any

    def __getitem__(self, step: str | int) -> "Recorded":
        """Returns what the value has at `step`, with its key. Raises KeyError or IndexError."""
        return Recorded(f"{self.key}{'.' if ':' in self.key else ':'}{step}", self.value[step])

    def __contains__(self, step: str) -> bool:
        return step in self.value


def interval_of(record: dict[str, Any]) -> Interval:
    """Returns the interval in a record, or the reason why there is none."""
    return Interval(record["low"], record["high"], record["reason"])


def verdict_key(claim: Claim, setting: Setting, framework: str) -> str:
    """Returns the id of the verdict on a claim by the runs of a setting in a twin."""
    return f"{claim.id}/{setting.slug}/{framework}"


class Numbers:
    """The records of results.json by their id."""

    def __init__(self, content: dict[str, Any]) -> None:
        lists = [own for own in content.values() if isinstance(own, list)]
        lists += [claim["verdicts"] for claim in content["claims"]]
        self._known = {one["id"]: one for own in lists for one in own if "id" in one}

    def __getitem__(self, key: str) -> Recorded:
        """Returns the record with the id `key`. Raises KeyError if there is none."""
        return Recorded(key, self._known[key])
