"""Writes compare.html and compare.json, and says the same in a few lines of text."""

from collections import Counter
from pathlib import Path

from benchmarks.store import Store
from reports import compare_data, pages, results
from reports.build import write
from reports.compare import MEASURES, MORE, UNDECIDED, WORDS, Row, rows
from reports.compare_tables import (
    KINDS,
    changes_table,
    devices,
    differs_table,
    gap_text,
    half_text,
    images_table,
    lone_table,
    named,
    runs_table,
    shared,
    sides_table,
)
from reports.compare_times import latency_table, training_table
from reports.joined import Joined, join, side
from reports.surroundings import Field, fields
from reports.tables import NAMES, number_text, plural
from reports.verdicts import MIN_SEEDS

PAGE, DATA = "compare.html", "compare.json"


def compare(a: Store, b: Store, out: Path) -> list[str]:
    """Compares two checked stores, writes PAGE and DATA into `out`, and gives lines for a person.

    Both stores have a finished run at least.
    """
    joined = join(side("A", a), side("B", b))
    judged, around = rows(joined), fields(joined)
    content = compare_data.document(joined, judged, around)
    files = {PAGE: page(joined, judged, around), DATA: results.as_json(content)}
    out.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        write(out / name, text)
    return [*lines(joined, judged, around), f"page: {out / PAGE}", f"data: {out / DATA}"]


def page(joined: Joined, judged: list[Row], around: dict[str, list[Field]]) -> str:
    """Text of compare.html."""
    kinds = {pair.a.spec.data["kind"] for pair in joined.pairs}
    phantom = pages.PHANTOM if kinds == {"phantom"} else pages.SOME_PHANTOM
    counts = Counter(row.word for row in judged)
    engine = pages.engine(keep=lambda table: None)
    return engine.get_template("compare.html.j2").render(
        pages=[(PAGE, "A beside B")], here=PAGE, names=NAMES, banners=[], data=DATA,
        phantom=phantom if "phantom" in kinds else "",
        min_seeds=MIN_SEEDS, widest={m: value for m, _, value in MEASURES},
        counts=[(word, counts[word]) for word in WORDS],
        sides=sides_table(joined),
        around=[differs_table(framework, found) for framework, found in around.items()],
        changes=changes_table(judged) if judged else None,
        images=images_table(judged) if judged else None,
        times=[t for t in (training_table(joined), latency_table(joined)) if t],
        runs=runs_table(joined), lone=lone_table(joined), schema=compare_data.SCHEMA_VERSION,
    )  # fmt: skip


def lines(joined: Joined, judged: list[Row], around: dict[str, list[Field]]) -> list[str]:
    """What changed, in short: counts, what is more than noise, what differs around the runs."""
    found = []
    for one in (joined.a, joined.b):
        done = sum(s.usable for s in one.slots)
        found.append(f"{one.letter}: {one.name}, {done} runs done; {'; '.join(devices(one.slots))}")
    counts = Counter(row.word for row in judged)
    words = ", ".join(f"{counts[word]} {word}" for word in WORDS)
    found.append(f"networks on both sides: {len(judged)}: {words}")
    found += [f"  more than noise: {_name(row)}: {_more(row)}" for row in judged
              if row.word == MORE]  # fmt: skip
    reasons = Counter(row.reason for row in judged if row.word == UNDECIDED)
    found += [f"  undecided, {count}: {reason}" for reason, count in reasons.items()]
    for framework, fields_ in around.items():
        found += [f"differs, {NAMES[framework]}: {text}" for text in _differs(fields_)]
    for letter in "AB":
        count = sum(one.letter == letter for one in joined.lone)
        unread = len((joined.a if letter == "A" else joined.b).unreadable)
        if count + unread:
            text = f"not in a pair: {plural(count + unread, 'run')} of {letter}; why is on the page"
            found.append(text)
    return [text.replace("\u00a0", " ").replace("\u202f", " ") for text in found]


def _name(row: Row) -> str:
    spec = row.both.spec
    return f"{named(spec.variant)}, {NAMES[spec.framework]} ({shared(spec)})"


def _more(row: Row) -> str:
    found = []
    for metric, text, _ in MEASURES:
        change = row.changes[metric]
        if change.word == MORE:
            ends = (number_text(metric, n.value) for n in (change.a, change.b))
            gap = f"{gap_text(metric, change.gap)}, {half_text(metric, change)}"
            found.append(f"{text.partition(',')[0].lower()} {' → '.join(ends)} ({gap})")
    return "; ".join(found)


def _differs(found: list[Field]) -> list[str]:
    """A line each; the sources' digests in one, for only that they differ says something."""
    made = []
    for one in (f for f in found if f.differ and f.kind in ("place", "package")):
        a, b = (", ".join(sorted(values)) for values in (one.a, one.b))
        made.append(f"{one.what} {a} / {b}")
    sources = [f.what for f in found if f.differ and f.kind == "sources"]
    if sources:
        made.append(f"{KINDS['sources'].partition(' (')[0].lower()} of {', '.join(sources)}")
    return made or ["nothing"]
