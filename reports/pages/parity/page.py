"""The page "Are these the same network?": the ladder, and pairs of runs from the same bytes."""

from dataclasses import replace
from typing import Any

from reports.judging.shared_starts import pairs
from reports.pages.content import PageRecord, Results
from reports.pages.measured_file import place_of
from reports.pages.parity import ladder
from reports.pages.parity.pairs import COMMAND, blocks


def page(results: Results) -> dict[str, Any]:
    """Return the content of the page."""
    ladders = ladder.read(results.out)
    differences = [one.differences for one in ladders if one.differences]
    return {
        "ladders": [replace(one, differences=None) for one in ladders],
        "differences": differences[:1],  # those of the twins, whatever weights they begin from
        "blocks": blocks(results.collected, results.numbers),
        "shared": COMMAND,
    }


def is_there(results: Results) -> bool:
    """Return whether anything was measured that the page shows."""
    climbed = any(place_of(results.out, name) for name in ladder.COMMANDS)
    return climbed or bool(pairs(results.collected.slots))


PAGE = PageRecord(
    "parity.html", "Are these the same network?", "Same networks?", page, place=12, group="Method",
    is_there=is_there,
)  # fmt: skip
