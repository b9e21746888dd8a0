"""The speed page: PyTorch beside Keras first, one unit a row, marks on times measured beside other
work; the papers' times stand beside runs by the published protocol alone."""

import re

import pytest

from benchmarks.store.store import Store
from protocols.runs.record import write_common
from reports.cells.twin_times import Pace, Spell
from reports.comparison import page as comparison_page
from tests.support import synthetic
from tests.support.reading import LAPTOP, PAPER, Tables, made, pages
from tests.support.synthetic import spec

SMOKE = {"profile": "smoke", "kind": "real", "weights": "random"}
LATENCY = [spec(framework, stage="latency") for framework in ("keras", "torch")]
UNITS = re.compile("[\\d.]+\u202f(ms|s|min|h)\\b")


def timed(store, run, **changes):
    """Stores a latency run whose timings.json has these values in place of its own, or beside."""
    folder = store.begin(run)
    write_common(folder, run, synthetic.env(run), synthetic.timings(run) | changes)
    (folder / "log.txt").touch()
    return store.finish(run, folder)


def speed(out, plan):
    found = made(out, plan, "speed.html")
    page = pages(out)["speed.html"]
    return found, page, Tables(page)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The page of two networks, one of them in both twins and both stages."""
    out = tmp_path_factory.mktemp("speed")
    plan = [*LATENCY, spec(), spec("torch"), spec("keras", "resnet50")]
    store = Store(out)
    for run in plan:
        synthetic.add(store, run)
    return speed(out, plan)


def test_the_page_begins_with_pytorch_beside_keras(both):
    found, page, tables = both
    assert page.index('class="lead answer"') < page.index("<table") < page.index('id="includes"')
    answer = re.search('class="lead answer">(.*?)</p>', page)[1]
    assert answer.startswith("PyTorch takes 0.70 times as long as Keras for an answer to one image")
    assert "1.00 times for an epoch that trains all layers (1\u00a0network)" in answer
    first = next(iter(tables.tables))
    assert first.startswith("PyTorch / Keras")
    low, high = 0.7 * 0.9 / 1.3, 0.7 * 1.3 / 0.9
    heads, row = tables.tables[first]
    assert heads[:3] == ["Network", "One image", "32 images"]
    assert row[:2] == ["Xception", f"0.70 | {low:.2f} – {high:.2f}"]
    (other, record) = found["speed"]  # in the papers' order
    assert record["times"]["single"]["ratio"] == pytest.approx(0.7)
    assert record["times"]["epoch_all"]["low"] == pytest.approx(1.0)
    assert other["times"]["epoch_all"]["torch"] is None is other["times"]["epoch_all"]["ratio"]


def test_a_row_of_times_has_one_unit(both):
    _, _, tables = both
    rows = [row for text in ("Time to an answer", "Time to train") for row in tables.find(text)]
    units = [UNITS.findall(" ".join(row)) for row in rows]
    assert sum(len(found) == 2 for found in units) > 8
    assert all(len(set(found)) <= 1 for found in units)


def test_no_time_is_compared_over_another_number_of_epochs():
    short, long = Spell(1.0, 0.9, 1.1, epochs=4), Spell(2.0, 1.9, 2.1, epochs=6)
    assert Pace(short, short).ratio[0] == 1.0
    assert Pace(short, long).ratio is Pace(short, None).ratio is Pace(None, None).ratio is None


def test_each_protocol_has_its_own_epochs(tmp_path, monkeypatch):
    """The table of one protocol never shows the seconds of another."""
    store, plan = Store(tmp_path), []
    for protocol, seconds in (("fixed", 3.0), ("fixed-grouped", 9.0)):
        run = spec("torch", protocol=protocol)
        recorder = synthetic.recorded(run)
        for row in recorder.rows:
            row["train_seconds"] = seconds
        synthetic.keep(store, run, recorder)
        plan.append(run)
    _, _, tables = speed(tmp_path, plan)
    found = [rows for text, rows in tables.tables.items() if text.startswith("Time to train")]
    epochs = [next(row for row in rows if row[0].endswith("one epoch")) for rows in found]
    assert [row[2] for row in epochs] == [f"{n}\u202fs | {n} – {n}" for n in ("3.00", "9.00")]


def test_what_a_time_includes_stands_there(both):
    _, page, _ = both
    text = page[page.index('id="includes"') : page.index('class="of-setting"')]
    assert all(word in text for word in ("tracing", "compiled", "first call", "Fetching batches"
                                         .lower(), "importing the framework"))  # fmt: skip


BUSY = {"load": {"before": 0.0, "during": 1.4}}
WIDE = {"single": {"repeats": 10, "median": 0.03, "p5": 0.01, "p95": 0.021}}
QUIET = {"load": {"before": 0.0, "during": 0.2}}


@pytest.mark.parametrize(
    ("changes", "marked"),
    [(BUSY, {"single", "cold"}), (WIDE, {"single"}), (QUIET, set()), ({}, set())],
    ids=["load", "spread", "quiet", "earlier run"],
)
def test_a_time_measured_beside_other_work_is_marked_wherever_it_stands(tmp_path, changes, marked):
    keras, torch = LATENCY
    store, other = Store(tmp_path / "a"), Store(tmp_path / "b")
    timed(store, keras)
    timed(store, torch, **changes)
    timed(other, torch)
    _, page, tables = speed(store.out, LATENCY)
    names = {"single": "One image, from an array", "cold": "Cold start"}
    rows = {row[0]: row[1:] for row in tables.find("Time to an answer") if len(row) == 3}
    assert {n for n, text in names.items() if "‡" in rows[text][1]} == marked
    assert not any("‡" in keras for keras, _ in rows.values())
    ratios = tables.find("PyTorch / Keras")[1]
    assert ("‡" in ratios[1], "‡" in ratios[3]) == ("single" in marked, "cold" in marked)
    assert ("‡ measured beside other work" in page) is bool(marked)
    comparison_page.compare(store, other, tmp_path / "out")
    table = Tables(pages(tmp_path / "out")["compare.html"]).find("Time to an answer")
    line = next(row for row in table if row[0] == "Xception")
    assert ("‡" in line[2], "‡" in line[5]) == ("single" in marked, "cold" in marked)


def test_the_mark_stands_beside_the_claim_too(tmp_path):
    plan = [spec(f, "xception_lstm", stage="latency", **PAPER) for f in ("keras", "torch")]
    timed(Store(tmp_path), plan[0], **BUSY)
    timed(Store(tmp_path), plan[1])
    made(tmp_path, plan, "speed.html", "claims.html")
    found = pages(tmp_path)
    row = next(r for r in Tables(found["speed.html"]).find("The times that") if "cold" in r[0])
    assert ("‡" in row[2], "‡" in row[3]) == (True, False)
    rows = Tables(found["claims.html"]).find("Every claim")
    row = next(r for r in rows if r[1:2] == ["3.8 seconds"])
    assert ("‡" in row[2], "‡" in row[3]) == (True, False)


@pytest.mark.parametrize(
    ("jobs", "words"),
    [
        ([0], "not recorded"),
        ([2], "2 at a time"),
        ([1, 2], "1 or 2 at a time"),
        ([[2, 1], 2], "1 or 2 at a time"),
    ],
)
def test_how_many_runs_were_computed_at_a_time_stands_with_their_seconds(
    tmp_path, monkeypatch, jobs, words
):
    plan = [spec("torch", seed=seed) for seed in range(len(jobs))]
    plain = synthetic.timings
    for run, count in zip(plan, jobs, strict=True):
        more = {"jobs": count} if count else {}
        monkeypatch.setattr(synthetic, "timings", lambda r, m=more, **rest: plain(r, **rest) | m)
        synthetic.add(Store(tmp_path), run)
    _, page, _ = speed(tmp_path, plan)
    assert f"Runs computed at a time: {words}." in page
    comparison_page.compare(Store(tmp_path), Store(tmp_path), tmp_path / "out")
    rows = Tables(pages(tmp_path / "out")["compare.html"]).find("Training, seconds")
    assert words in rows[-1]


def test_cold_starts_of_jax_stand_apart(tmp_path):
    keras, torch = LATENCY
    kept = {"repeats": 1, "median": 2.5, "p5": 2.5, "p95": 2.5}
    timed(Store(tmp_path), keras, cold_cached=kept)
    timed(Store(tmp_path), torch)
    _, _, tables = speed(tmp_path, LATENCY)
    rows = {row[0]: row[1:] for row in tables.find("Time to an answer") if len(row) == 3}
    assert rows["Cold start"][0].startswith("4.20\u202fs")
    assert rows["Cold start, compiled programs kept"] == ["2.50\u202fs | once", "– | has none"]


@pytest.mark.parametrize("words", [PAPER, LAPTOP, SMOKE], ids=lambda words: words["profile"])
def test_the_printed_times_stand_beside_paper_runs_alone(tmp_path, words):
    plan = [spec("keras", "xception_lstm", stage=s, **words) for s in ("train", "latency")]
    for run in plan:
        synthetic.add(Store(tmp_path), run, **({"epochs": 1} if run.stage == "train" else {}))
    _, page, tables = speed(tmp_path, plan)
    captions = [c for c in tables.tables if c.startswith("The times that the papers print")]
    paper = words is PAPER
    assert len(captions) == paper
    assert ("Tesla K40c" in page, "claimed, 3.8" in page, "Dashed: Liang" in page) == (paper,) * 3
    assert "4.2" in page, "what was measured is shown in any case"


NODE = "Measured alone on the node"


def synthetic_runs(out):
    for run in LATENCY:
        synthetic.add(Store(out), run)
    return LATENCY


def test_a_latency_run_of_a_cluster_names_its_node(tmp_path, monkeypatch):
    plain, nodes = synthetic.env, {"keras": "node-a", "torch": "node-b"}

    def on_a_node(run):
        return plain(run) | {"ran_on": {"node": nodes[run.framework], "gpu": None}}

    _, _, tables = speed(tmp_path / "here", synthetic_runs(tmp_path / "here"))
    assert not [row for rows in tables.tables.values() for row in rows if NODE in row[:1]]
    monkeypatch.setattr(synthetic, "env", on_a_node)
    _, _, tables = speed(tmp_path / "there", synthetic_runs(tmp_path / "there"))
    (row,) = [row for rows in tables.tables.values() for row in rows if NODE in row[:1]]
    assert row == [NODE, "node-a", "node-b"]
