"""Writes compare.html and compare.json, and says what they show in a few lines of text."""

from collections import Counter
from pathlib import Path

from benchmarks.store.store import Store
from protocols.files import make_folder, write
from protocols.metrics import metric_of
from reports.cells.environment import INSTRUCTIONS, NOT_RECORDED
from reports.comparison import data as comparison_data
from reports.comparison import tables
from reports.comparison.join import Joined, join, side
from reports.comparison.judge import MEASURES, MORE, UNDECIDED, WORDS, Row, rows
from reports.comparison.run_pairs import apart_text
from reports.comparison.surroundings import Field, fields
from reports.comparison.times import latency_table, training_table
from reports.data import results
from reports.judging.verdicts import MIN_SEEDS
from reports.pages import menu
from reports.tables import exports
from reports.tables.contents import found_in
from reports.tables.formats import NAMES, gap_text, number_text, plural, title
from reports.tables.grid import Page
from reports.tables.table import Table

PAGE, DATA, FORMS = "compare.html", "compare.json", "compare"
NAME = "A beside B"


def compare(a: Store, b: Store, out: Path) -> list[str]:
    """Compares two checked stores, which both have a finished run, writes PAGE, DATA and the other
    forms of the tables into `out`, and returns lines that say the result in short."""
    joined = join(side("A", a), side("B", b))
    judged, around = rows(joined), fields(joined)
    content = comparison_data.document(joined, judged, around)
    text, shown = page(joined, judged, around, out)
    files = {PAGE: text, DATA: results.as_json(content)}
    files |= exports.files([exports.of_page(shown)], FORMS, "The tables of the comparison")
    make_folder(out / FORMS)
    for path in (out / FORMS).glob("*.csv"):  # tables of an earlier comparison
        if f"{FORMS}/{path.name}" not in files:
            path.unlink()
    for name, text in files.items():
        write(out / name, text)
    return [*lines(joined, judged, around), f"page: {out / PAGE}", f"data: {out / DATA}"]


def page(
    joined: Joined, judged: list[Row], around: dict[str, list[Field]], out: Path
) -> tuple[str, Page]:
    """Returns the text of compare.html as it stands in `out`, and its banners and tables."""
    specs = [slot.spec for pair in joined.pairs for slot in (pair.a, pair.b)]
    kinds = {pair.a.spec.data["kind"] for pair in joined.pairs}
    phantom = menu.PHANTOM if kinds == {"phantom"} else menu.SOME_PHANTOM
    phantom = phantom if "phantom" in kinds else ""
    counts, banners = Counter(row.word for row in judged), menu.banners(specs)
    content = {
        "sides": tables.sides_table(joined),
        "changes": tables.changes_table(judged),
        "images": tables.images_table(judged),
        "around": [tables.differs_table(f, found, _bits(joined, f)) for f, found in around.items()],
        "times": [t for t in (training_table(joined), latency_table(joined, out)) if t.bodies],
        "runs": tables.runs_table(joined, out),
        "lone": tables.lone_table(joined),
    }
    text = menu.engine().get_template("compare.html.j2").render(
        menu=[menu.Entry(NAME, [(PAGE, NAME)])], here=PAGE, names=NAMES, banners=banners, data=DATA,
        title="Two sets of results, side by side", phantom=phantom, forms=FORMS,
        min_seeds=MIN_SEEDS, widest=MEASURES,
        counts=[(word, counts[word]) for word in WORDS],
        schema=comparison_data.SCHEMA_VERSION, **content,
    )  # fmt: skip
    above = [*([f"PHANTOM: {phantom}"] if phantom else []), *banners]
    return text, Page(PAGE, NAME, above, [t for t in found_in(content, Table) if t.bodies])


def lines(joined: Joined, judged: list[Row], around: dict[str, list[Field]]) -> list[str]:
    """Says in short what changed: counts, what is more than noise, what differs around the runs."""
    found = []
    for one in (joined.a, joined.b):
        done, devices = sum(s.usable for s in one.slots), "; ".join(tables.devices(one.slots))
        found.append(f"{one.letter}: {one.name}, {done} runs done; {devices}")
    counts = Counter(row.word for row in judged)
    words = ", ".join(f"{counts[word]} {word}" for word in WORDS)
    found.append(f"networks on both sides: {len(judged)}: {words}")
    found += [f"  more than noise: {_name(row)}: {_more(row)}" for row in judged
              if row.word == MORE]  # fmt: skip
    reasons = Counter(row.reason for row in judged if row.word == UNDECIDED)
    found += [f"  undecided, {count}: {reason}" for reason, count in reasons.items()]
    for framework, fields_ in around.items():
        bits = _bits(joined, framework)
        found += [f"probabilities, {NAMES[framework]}: {bits}"] if bits else []
        found += [f"differs, {NAMES[framework]}: {text}" for text in _differs(fields_, bool(bits))]
    for one in (joined.a, joined.b):
        count = sum(run.letter == one.letter for run in joined.lone) + len(one.unreadable)
        text = f"not in a pair: {plural(count, 'run')} of {one.letter}; why is on the page"
        found += [text] if count else []
    return [text.replace("\u00a0", " ").replace("\u202f", " ") for text in found]


def _name(row: Row) -> str:
    spec = row.cells.spec
    return f"{title(spec.variant)}, {NAMES[spec.framework]} ({tables.shared(spec)})"


def _more(row: Row) -> str:
    found = []
    for metric, change in row.changes.items():
        if change.word == MORE:
            text = metric_of(metric).heading.partition(",")[0].lower()
            ends = (number_text(metric, n.value) for n in (change.a, change.b))
            gap = f"{gap_text(metric, change.gap)}, {tables.half_text(metric, change)}"
            found.append(f"{text} {' → '.join(ends)} ({gap})")
    return "; ".join(found)


def _bits(joined: Joined, framework: str) -> str:
    """Says how many common runs of a framework have other probabilities on the other side, and how
    far apart these are; returns "" where none has."""
    own = [pair for pair in joined.pairs if pair.a.spec.framework == framework]
    trained = [pair for pair in own if pair.a.spec.stage == "train"]
    unlike = [p for p in trained if not p.identical]
    if not unlike:
        return ""
    text = f"{len(unlike)} of {len(trained)} common runs have other bits"
    return f"{text}: {apart}" if (apart := apart_text(unlike)) else text


def _differs(found: list[Field], bits: bool) -> list[str]:
    """Returns a line for each property that differs; if none does, one that says so. `bits` says
    whether the probabilities differ: if so, and nothing else, the cause isn't recorded."""
    made = []
    for one in (f for f in found if f.differ):
        a, b = (", ".join(sorted(values)) for values in (one.a, one.b))
        if one.what == INSTRUCTIONS and NOT_RECORDED not in (a, b):
            both = a.split(), b.split()
            a, b = (" ".join(w for w in own if w not in other) or "none more"
                    for own, other in (both, reversed(both)))  # fmt: skip
        made.append(f"{one.what} {a} / {b}")
    unknown = [f.what for f in found if not f.known]
    lacks = f" ({', '.join(unknown)}: {NOT_RECORDED} on either side)" if unknown else ""
    return made or [f"nothing that is recorded{lacks}" if bits else "nothing"]
