"""Makes the records of results.json on how long a network takes in both twins."""

from typing import Any

from reports.cells.collect import Collected
from reports.cells.settings import Setting
from reports.cells.twin_times import Pace, Spell, twin_times


def speed(collected: Collected, setting: Setting) -> list[dict[str, Any]]:
    """Returns, for each network of a setting, its times in both twins and PyTorch's by Keras's."""
    return [
        {"id": one.key, "setting": setting.slug, "variant": one.variant,
         "times": {what: _pace(pace) for what, pace in one.paces.items()}}
        for one in twin_times(collected, setting)
    ]  # fmt: skip


def _pace(pace: Pace) -> dict[str, Any]:
    ratio, low, high = pace.ratio or (None, None, None)
    return {"keras": _spell(pace.keras), "torch": _spell(pace.torch),
            "ratio": ratio, "low": low, "high": high}  # fmt: skip


def _spell(spell: Spell | None) -> dict[str, Any] | None:
    names = ("median", "low", "high", "disturbed")
    return {name: getattr(spell, name) for name in names} if spell else None
