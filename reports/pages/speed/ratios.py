"""The speed page's answer: PyTorch's times divided by Keras's, in a sentence and in a table."""

import statistics

from reports.cells.settings import Setting
from reports.cells.twin_times import TwinTimes
from reports.data.numbers import Numbers
from reports.pages.speed.benchmarks import ratio_text
from reports.tables.builder import numbers, table, texts
from reports.tables.formats import NAMES, marked, plural, title
from reports.tables.table import Table, Td

HEADINGS = {
    "single": "One image",
    "batch32": "32 images",
    "cold": "Cold start",
    "cold_cached": "Cold start, programs kept",
    "epoch_frozen": "Epoch, CNN frozen",
    "epoch_all": "Epoch, all layers",
}
ANSWER = {
    "single": "for an answer to one image",
    "epoch_all": "for an epoch that trains all layers",
    "epoch_frozen": "for an epoch with the CNN frozen",
}


def compared(times: list[TwinTimes]) -> bool:
    """Return whether any network was timed in both twins."""
    return any(pace.ratio for one in times for pace in one.paces.values())


def sentence(times: list[TwinTimes]) -> str:
    """Return PyTorch's times beside Keras's in one sentence, or why they can't be compared."""
    found = []
    for what, words in ANSWER.items():
        paces = (one.paces.get(what) for one in times)
        ratios = [pace.ratio[0] for pace in paces if pace and pace.ratio]
        if ratios:
            middle, *ends = map(ratio_text, (statistics.median(ratios), min(ratios), max(ratios)))
            count = plural(len(ratios), "network")
            spread = f"median of {count}, {ends[0]} to {ends[1]}" if len(ratios) > 1 else count
            found.append(f"{middle} times as long as Keras {words} ({spread})")
    if not found:
        return (
            "No network was timed in both Keras and PyTorch under one setting, so there is no "
            "ratio."
        )
    first, *more = found
    more = [text.replace("as long as Keras ", "") for text in more]
    return f"PyTorch takes {', '.join([first, *more])}."


def ratios_table(setting: Setting, times: list[TwinTimes], known: Numbers) -> Table:
    """Return the table of PyTorch's seconds divided by Keras's, a network a row."""
    rows = [one for one in times if compared([one])]
    shown = [w for w in HEADINGS if any(w in one.paces and one.paces[w].ratio for one in rows)]
    protocols = " or ".join(sorted({one.protocol for one in rows if one.protocol}))
    trained = f"; epochs under protocol {protocols}" if protocols else ""
    return table(
        f"ratios-{setting.slug}",
        f"{NAMES['torch']} / {NAMES['keras']}: below 1 PyTorch is the faster one. The ratio of the "
        "medians; below it the least and the most that the 5th and 95th percentiles of both allow.",
        [*texts("Network"), *numbers(*(HEADINGS[what] for what in shown))],
        [[title(one.variant), *(_cell(one, what, known) for what in shown)] for one in rows],
        setting=f"{setting.sentence}{trained}.",
    )


def _cell(one: TwinTimes, what: str, known: Numbers) -> Td:
    pace = one.paces.get(what)
    if pace is None:
        return Td("–")
    if pace.ratio is None or pace.sides is None:
        both = pace.keras and pace.torch
        return Td("–", "not as many epochs in both" if both else "one framework only")
    found, sides = known[one.key]["times"][what], pace.sides
    ratio, low, high = map(ratio_text, pace.ratio)
    stale, beside = (any(getattr(s, n) for s in sides) for n in ("stale", "disturbed"))
    unlike = len({side.at_once for side in sides}) > 1
    said = "; ".join(f"{n}: {s.at_once}" for n, s in zip(NAMES.values(), sides, strict=True))
    return Td(
        marked(ratio, stale, beside), f"{low} – {high}", href=sides[1].href,
        reason=f"Runs computed at a time. {said}." if unlike else "",
        key=found["ratio"].key, near=found.key,
    )  # fmt: skip
