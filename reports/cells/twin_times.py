"""Computes how long a network takes in PyTorch beside Keras: times to an answer, and epochs."""

from dataclasses import dataclass

from protocols.papers.variants import load_variants
from protocols.spec import FRAMEWORKS, PROTOCOLS
from reports.cells.cell import Cell
from reports.cells.collect import Collected
from reports.cells.planned_run import Slot
from reports.cells.settings import Setting
from reports.cells.times import at_once, disturbed, epoch_seconds

ANSWERS = ("single", "batch32", "jpeg", "cold", "cold_cached")  # the keys of timings.json
EPOCHS = {"epoch_frozen": True, "epoch_all": False}  # whether only the head is trained in it


@dataclass(frozen=True)
class Spell:
    """Repeated seconds of one network in one twin: the median, the 5th and the 95th percentile."""

    median: float
    low: float
    high: float
    disturbed: bool = False  # measured beside other work
    stale: bool = False
    href: str = ""  # where its runs are shown
    epochs: int = 0  # so many epochs the phase has; 0 for answers
    at_once: str = ""  # how many training runs were computed at a time, in words


@dataclass(frozen=True)
class Pace:
    """One time of a network in both twins; None where a twin has none."""

    keras: Spell | None
    torch: Spell | None

    @property
    def sides(self) -> tuple[Spell, Spell] | None:
        """Both twins' seconds, Keras's first, where they may be compared: both were measured, over
        the same number of epochs."""
        if self.keras is None or self.torch is None or not self.keras.low:
            return None
        same = self.keras.epochs == self.torch.epochs
        return (self.keras, self.torch) if same else None

    @property
    def ratio(self) -> tuple[float, float, float] | None:
        """PyTorch's seconds divided by Keras's: of the medians; the least, which is PyTorch's 5th
        percentile by Keras's 95th; and the most, the other way round."""
        if self.sides is None:
            return None
        keras, torch = self.sides
        return torch.median / keras.median, torch.low / keras.high, torch.high / keras.low


@dataclass(frozen=True)
class TwinTimes:
    """The times of one network under one setting, by what they are of; `key` is the id in
    results.json."""

    key: str
    variant: str
    paces: dict[str, Pace]
    protocol: str = ""  # that of the epochs; empty where the network wasn't trained


def twin_times(collected: Collected, setting: Setting) -> list[TwinTimes]:
    """Returns the times of every network that a setting has any of, in the papers' order."""
    found = []
    for variant in load_variants():
        slots = [collected.latency.get(setting, {}).get((f, variant)) for f in FRAMEWORKS]
        cells = _cells(collected, setting, variant)
        paces = {what: Pace(*(_answer(slot, what) for slot in slots)) for what in ANSWERS}
        paces |= {
            what: Pace(*(_epoch(cell, frozen) for cell in cells)) for what, frozen in EPOCHS.items()
        }
        there = {what: pace for what, pace in paces.items() if pace.keras or pace.torch}
        if there:
            key, protocols = f"{setting.slug}/speed/{variant}", {c.protocol for c in cells if c}
            found.append(TwinTimes(key, variant, there, "".join(protocols)))
    return found


def _cells(collected: Collected, setting: Setting, variant: str) -> list[Cell | None]:
    """Returns a network's training runs in both twins: under the paper's protocol if there are any,
    else under the first protocol that has some."""
    published = load_variants()[variant].published_protocol
    protocols = sorted(PROTOCOLS, key=lambda name: name != published)
    found = (collected.group(setting, protocol).twins(variant) for protocol in protocols)
    return next(filter(any, found), [None] * len(FRAMEWORKS))


def _answer(slot: Slot | None, what: str) -> Spell | None:
    if slot is None or not slot.usable or what not in slot.stored.timings:
        return None
    times = slot.stored.timings[what]
    return Spell(
        times["median"], times["p5"], times["p95"], disturbed(slot.stored.timings, what),
        slot.state == "stale", slot.href,
    )  # fmt: skip


def _epoch(cell: Cell | None, frozen: bool) -> Spell | None:
    """Returns the seconds that an epoch of the phase trains in which the CNN is `frozen`, or isn't;
    None where a cell isn't whole or has no such phase."""
    if cell is None or cell.lack:
        return None
    phases = cell.slots[0].stored.timings["phases"]
    phase = next((one for one in phases if one["frozen"] == frozen), None)
    if phase is None:
        return None
    epoch = epoch_seconds(cell, phase["phase"])
    return Spell(
        epoch["median"], epoch["low"], epoch["high"], stale=cell.stale, href=cell.href,
        epochs=phase["epochs"], at_once=at_once(cell.slots),
    )  # fmt: skip
