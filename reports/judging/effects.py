"""What an assumed value changes: runs with another one beside those with the published reading."""

from dataclasses import dataclass

from reports.cells.cell import Cell, Group
from reports.cells.collect import Collected
from reports.cells.settings import changed
from reports.judging.contrasts import Gap, gap


def tried(collected: Collected) -> list[Group]:
    """The groups of sensitivity runs."""
    return [g for g in collected.groups if changed(g.slots[0].spec)]


@dataclass(frozen=True)
class Effect:
    """A network in one twin with a changed value, and without it."""

    cell: Cell
    base: Cell | None

    @property
    def key(self) -> str:
        """Its id in results.json."""
        return f"{self.cell.key}/effect"

    @property
    def value(self) -> float | None:
        """Accuracy with the change."""
        return self.cell.number("accuracy").value

    @property
    def before(self) -> float | None:
        """Accuracy without it."""
        return self.base.number("accuracy").value if self.base else None

    @property
    def gap(self) -> Gap:
        """What the change adds, over the same seeds and folds."""
        if self.base is None:
            return Gap(None, lack="no run without it")
        return gap(self.cell, self.base, "accuracy", "selected")


def effects(collected: Collected, group: Group) -> list[Effect]:
    """Every cell of a group of sensitivity runs, beside the same without the change."""
    plain = _plain_group(collected, group)
    cells = plain.cells if plain else {}
    return [Effect(cell, cells.get(key)) for key, cell in group.cells.items()]


def _plain_group(collected: Collected, group: Group) -> Group | None:
    """The runs that differ by the change alone, planned or not."""
    own = group.setting
    for other in collected.groups:
        s = other.setting
        same = (s.profile, s.data, s.weights, s.device, s.precision) == (
            own.profile, own.data, own.weights, own.device, own.precision,
        )  # fmt: skip
        if same and not s.extra and other.protocol == group.protocol:
            return other
    return None
