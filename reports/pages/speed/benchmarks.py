"""The benchmark section of the speed page, from the JSON that `make bench` wrote.

The file is `<out>/benchmarks.json`, else `reports/published/benchmarks.json`, in the format of
pytest-benchmark; our own values stand in `extra_info` (benchmarks.speed.side_by_side) and
`machine_info`.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from protocols.boundary import Amount, Count, Damaged, Key, Line
from reports.pages.measured_file import Measured, read_measured, read_texts
from reports.tables.builder import numbers, table, texts
from reports.tables.cell_text import twin_name
from reports.tables.formats import NAMES, THIN, seconds_text
from reports.tables.table import Table, Td, label

NAME = "benchmarks.json"
COMMAND = "make bench"
TITLES = {
    "bench_data": "The images",
    "bench_phase1": "Phase 1: frozen backbones",
    "bench_thawed": "Phase 2: whole networks",
    "bench_runner": "The suite itself",
    "bench_folds": "Folds together",
    "bench_latency": "Answers",
}
OTHER = "Others"
DETAIL = "Answers"  # this title's table is long and stands apart


class _Ratio(Struct):
    """Our time divided by the peer's, over the rounds."""

    median: Amount
    low: Amount
    high: Amount


class _Peer(Struct):
    name: Line
    seconds: Amount
    ratio: _Ratio
    aim: Amount | None  # the highest ratio wanted


class _Info(Struct):
    """Our own values of a benchmark; if there are `peers`, what, unit, ours and rounds are
    needed."""

    what: Line | UnsetType = UNSET
    unit: Line | UnsetType = UNSET
    ours: Amount | UnsetType = UNSET
    rounds: Count | UnsetType = UNSET
    peers: list[_Peer] | UnsetType = UNSET
    framework: Literal["", "keras", "torch"] = ""
    note: Line | None = None
    engines: dict[Key, Amount] = {}
    size: Line | UnsetType = UNSET
    data: Line | UnsetType = UNSET

    def __post_init__(self) -> None:
        needed = (self.what, self.unit, self.ours, self.rounds)
        if self.peers is not UNSET and UNSET in needed:
            raise ValueError("what, unit, ours or rounds is missing")


class _Measured(Struct):
    fullname: Line
    extra_info: _Info


class _Machine(Struct):
    versions: dict[Key, Line]
    device: Line
    cores: Count
    keras_backend: Line
    load_before: Amount | None = None


class Stored(Struct):
    """The content of benchmarks.json."""

    benchmarks: list[_Measured]
    machine_info: _Machine
    datetime: Line = ""


Info = dict[str, Any]  # our own values of a benchmark that has peers, as `_Info` names them


@dataclass(frozen=True)
class Benchmarks(Measured):
    """The parts of the file that the section shows."""

    tables: list[Table] = field(default_factory=list)
    details: list[Table] = field(default_factory=list)


def read(out: Path) -> Benchmarks:
    """Return the benchmarks of the report in `out`, or a sentence on why there are none."""
    return read_measured(out, NAME, COMMAND, Benchmarks, _read)


def _read(path: Path) -> Benchmarks:
    content = read_texts(path, Stored)
    found: dict[str, list[Info]] = {title: [] for title in (*TITLES.values(), OTHER)}
    for one in content["benchmarks"]:
        if "peers" in one["extra_info"]:
            title = TITLES.get(Path(one["fullname"].split("::")[0]).stem, OTHER)
            found[title].append(one["extra_info"])
    if not any(found.values()):
        raise Damaged("it holds no measurement of this suite")
    machine = _machine(content)
    answers = _table("benchmarks-answers", machine, {DETAIL: found.pop(DETAIL)})
    both = (_table("benchmarks", machine, found), answers)
    tables, details = ([made] if made.bodies else [] for made in both)
    return Benchmarks(tables=tables, details=details)


def _machine(content: dict[str, Any]) -> str:
    """Return the caption's sentence on where and with what the benchmarks were measured."""
    machine = content["machine_info"]
    infos = [b["extra_info"] for b in content["benchmarks"]]
    sizes = sorted({_size(i["size"]) for i in infos if "size" in i})
    kinds = sorted({i["data"] for i in infos if "data" in i})
    versions = ", ".join(f"{k} {v}" for k, v in machine["versions"].items())
    busy = machine["load_before"]
    load = "" if busy is None else f" Load average before it began: {busy:.1f}."
    return (
        f"{machine['device']}, {machine['cores']} CPU cores; {', '.join(sizes)} pixels; images: "
        f"{', '.join(kinds)}; Keras on {machine['keras_backend']}; {versions}; "
        f"{content['datetime'][:10]}.{load}"
    )


def _size(text: str) -> str:
    """Return a recorded size, height×width, as width × height."""
    return " × ".join(reversed(text.split("×")))


def _table(name: str, machine: str, groups: dict[str, list[Info]]) -> Table:
    return table(
        name,
        "Ours and others, measured in turn: medians, and the ratio ours / other of each round as "
        "median and range. What is wanted is reached or missed if it is so in every round, else "
        f"undecided. Seconds are those of the machine named here, ratios less so. {machine}",
        [*texts("What", "In"), *numbers("Ours"), *texts("Beside"),
         *numbers("Its time", "Ours / its", "Wanted", "Rounds")],
        {title: [row for b in own for row in _rows(b)] for title, own in groups.items()},
        [f"{b['what']}, {NAMES.get(b['framework'], 'Keras and PyTorch')}: {note}"
         for own in groups.values() for b in own if (note := _note(b))],
        spans=[[0, 1, 2, 7]],
    )  # fmt: skip


def _note(b: Info) -> str:
    """Return the benchmark's note, and the time of each engine; "" if it has neither."""
    engines = ", ".join(f"{name} {seconds_text(s)}" for name, s in b["engines"].items())
    return "; ".join(filter(None, (b["note"], engines)))


def _rows(b: Info) -> list[list[Td | str | int | None]]:
    first = [label(b["what"], b["unit"]), twin_name(b["framework"]) if b["framework"] else "–"]
    longest = max(b["ours"], *(p["seconds"] for p in b["peers"]), 0.0)
    first.append(Td(seconds_text(b["ours"], longest)))
    peers = [_peer_cells(p, longest) for p in b["peers"]] or [["–", None, None, None]]
    return [[*first, *peer, Td(str(b["rounds"]))] for peer in peers]


def _peer_cells(p: dict[str, Any], longest: float) -> list[Td | str | None]:
    ratio, low, high = (ratio_text(p["ratio"][end]) for end in ("median", "low", "high"))
    wanted = None if p["aim"] is None else Td(f"≤{THIN}{ratio_text(p['aim'])}", verdict(p))
    time = Td(seconds_text(p["seconds"], longest))
    return [p["name"], time, Td(ratio, f"{low} – {high}"), wanted]


def verdict(p: dict[str, Any]) -> str:
    """Return whether a peer's wanted ratio was reached in every round, in none, or in some."""
    if p["ratio"]["high"] <= p["aim"]:
        return "reached"
    return "undecided" if p["ratio"]["low"] <= p["aim"] else "missed"


def ratio_text(ratio: float) -> str:
    """Return a ratio with two decimals; below 0.1 with two significant figures, from 10 on
    whole."""
    if ratio < 0.1:
        return f"{ratio:#.2g}" if ratio else "0"
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}"
