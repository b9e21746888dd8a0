"""Compares numbers as written on a page with results.json, by their data-key."""

import json
import re
from pathlib import Path

UNITS = {"": 1.0, "%": 1.0, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
NUMBER = re.compile(r"([+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?)\s?([a-zA-Z%]*)")
LISTS = ("cells", "comparisons", "both_wrong", "leak_free", "sensitivity", "shared_starts", "speed",
         "runs", "latency")  # fmt: skip
NOTHING = ("X", "–", "", "diverged")


class Numbers:
    """The records of results.json or compare.json by id."""

    def __init__(self, path: Path):
        found = json.loads(path.read_text(encoding="utf-8"))
        lists = [found.get(name, []) for name in LISTS]
        lists += [claim["verdicts"] for claim in found.get("claims", [])]
        lists += [cell["runs"] for cell in found["cells"] if path.name == "compare.json"]
        self.known = {}
        for record in (record for records in lists for record in records):
            assert self.known.setdefault(record["id"], record) is record, record["id"]

    def value(self, key):
        """Gives the value at a key; None where a step on the way is null or isn't there."""
        place, _, path = key.partition(":")
        found = self.known[place]
        for step in path.split("."):
            found = found[int(step)] if isinstance(found, list) else (found or {}).get(step)
        return found


def said(text):
    """Gives each number of a text and the place of its last digit, both in the base of its unit."""
    text = text.replace("\u2212", "-").replace("\u202f", " ").replace("\u00a0", " ")
    text = re.sub(r"(?<=\d),(?=\d{3})", "", re.sub(r"^new cells[^:]*: ", "", text))
    found = []
    for number, unit in NUMBER.findall(text):
        digits = len(number.partition("e")[0].partition(".")[2])
        power = int(number.partition("e")[2] or 0)
        scale = UNITS.get(unit, 1.0)
        found.append((float(number) * scale, 10.0 ** (power - digits) * scale))
    return found


def agrees(text, value, scale=1):
    """Gives whether the text says the value, as far as the text is rounded."""
    text = text.replace("†", "").replace("‡", "").strip()
    if isinstance(value, dict):  # an interval, which may have the number before it that it is of
        own = [value["value"]] if " together: " in text else []
        value = [*own, value["low"], value["high"]]
    values = [v for v in (value if isinstance(value, list) else [value]) if v is not None]
    if not values:
        return text in NOTHING
    if text.startswith("<"):
        return values[0] * scale < said(text)[0][0]
    numbers = said(text)[: len(values)]
    return len(numbers) == len(values) and all(
        abs(number - v * scale) <= place * 0.5000001 + 1e-9 * abs(number)
        for (number, place), v in zip(numbers, values, strict=True)
    )
