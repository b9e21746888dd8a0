"""Which runs were planned, and which are there; and the words on the data."""

from collections import Counter

from reports.cells.collect import Collected
from reports.cells.settings import scrub
from reports.data.results import SCHEMA_VERSION
from reports.tables.builder import Line, numbers, table, texts
from reports.tables.table import Table

TITLES = {True: "The planned runs", False: "Beside them, from earlier commands"}
STATES = ("done", "failed", "missing", "stale", "diverged")
SCHEMA = (
    ("schema_version", f"{SCHEMA_VERSION}; raised when a key changes its meaning"),
    ("rules", "level of the intervals, fewest seeds, widest half-width that still decides"),
    ("settings", "what no table mixes: profile, data, weights, device, precision, whether "
     "planned, anything else; backends; objections: why it judges no claim"),
    ("claims", "every claim as printed, and its verdict by setting and framework: word, reason, "
     "value (mean over seeds), half_width of the prediction interval, seeds, comparable (whether a "
     "number may stand beside the printed one)"),
    ("cells", "one network in one framework: suite (a paper's key; another is ours, and no claim "
     "is judged from it); numbers[at][metric] with value, lack (why there is none), diverged, "
     "by_seed; pooled[seed][metric] over the images of all folds together; intervals[at][metric] "
     "on new photographs, over all images of all seeds: low, high, method, reason (why there is "
     "none), value, se, df; at is selected, last, or epoch N of those that a paper prints; of "
     "whole cells also confusion, naive interval, over_folds, selection, calibration, photographs, "
     "times"),
    ("comparisons", "two networks in one framework, or the frameworks in one network, on the "
     "same images: "
     "difference of accuracy with intervals and p; means: difference of the means by metric"),
    ("both_wrong", "images that Keras and PyTorch both get wrong, by network and photograph"),
    ("leak_free, sensitivity, shared_starts", "as published and leak-free; with a guessed value "
     "changed and without; pairs of runs from the same bytes"),
    ("runs", "every run asked for or found: suite, spec, command, state, reason, "
     "scores[at][metric], confusion, timings, env, source digests"),
    ("results.csv", "the same numbers, one a line; scope is run, cell (mean), pooled or timing"),
)  # fmt: skip


def ran_table(collected: Collected) -> Table | None:
    """Return how many runs of each setting are done, failed, missing or stale; None without any
    run."""
    lines: dict[str, list[Line]] = {text: [] for text in TITLES.values()}
    for setting in collected.settings:
        parts = [(g.protocol, g.slots) for g in collected.groups if g.setting == setting]
        if setting in collected.latency:
            parts.append(("latency", list(collected.latency[setting].values())))
        for protocol, slots in parts:
            count = Counter(slot.state for slot in slots)
            states = [count[state] or None for state in STATES]
            line = [setting.title, protocol, *states, len(slots)]
            lines[TITLES[setting.planned]].append(line)
    made = table(
        "ran",
        "How many runs were planned, and how many are there. Runs that are not among the planned "
        "ones stand below; no table mixes two settings.",
        [*texts("Setting", "Protocol"), *numbers(*STATES, "all")],
        lines,
        spans=[[0]],
    )
    return made if made.bodies else None


def failures(collected: Collected) -> Table | None:
    """Return the table of every failed run with its reason; None if there is no such run."""
    failed = [s for s in collected.slots if s.state in ("failed", "diverged")]
    lines = [[s.spec.id, scrub(s.reason)] for s in failed]
    caption = "Runs that failed, and why."
    return table("failures", caption, texts("Run", "Reason"), lines) if lines else None
