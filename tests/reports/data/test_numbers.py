"""Every measured number of every page leads to its runs, and is that of results.json."""

import re
import shutil

import pytest

from benchmarks.store.store import Store
from reports.build import build
from reports.comparison import page as comparison_page
from reports.data.numbers import Recorded
from reports.tables import exports
from reports.tables.grid import spread, width
from tests.support import synthetic
from tests.support.data_keys import Numbers, agrees
from tests.support.reading import LAPTOP, hold_together

# Tables with no number measured by a run; ladder, benchmarks and a GPU's check have own files
OTHERS = ("counts", "coverage", "audit-", "provenance-", "originals", "profiles",
          "assumed-", "ran", "failures", "env-", "sources", "data", "runs", "ladder-", "bench",
          "gpu-check-", "kinds-", "leak-", "sides", "differs-", "lone", "overlaps")  # fmt: skip
PRINTED = ("Claimed", "Printed")
EVIDENCE = re.compile(r"runs-[\w-]+\.html#[\w-]+|environment\.html#[\w-]+|images\.html")


@pytest.fixture(scope="module")
def kept():
    """The pages handed to `forms`, since the last clearing."""
    found = []
    true = exports.of_page
    with pytest.MonkeyPatch.context() as patch:

        def of_page(page):
            found.append(page)
            return true(page)

        patch.setattr(exports, "of_page", of_page)
        yield found


@pytest.fixture(scope="module")
def report(tmp_path_factory, kept, without_figures):
    """Pages with a failed run, indicative ones, a sensitivity run, leak-free ones, pairs from the
    same bytes, the control's networks, earlier runs beside the request, and a folder of earlier
    ones alone."""
    out = tmp_path_factory.mktemp("numbers")
    store, plan = synthetic.make(out)
    for framework in ("keras", "torch"):
        for name in ("xception", "xception_lstm"):
            synthetic.add(store, synthetic.spec(framework, name, **LAPTOP), epochs=1)
    gone = plan[0]
    shutil.rmtree(out / "runs" / gone.id)
    synthetic.add_failed(store, gone, "ended")
    more = [
        synthetic.spec("keras", "xception_lstm", recipe={"label_smoothing": 0.0}),
        *(synthetic.spec(f, "resnet50", protocol="fixed-grouped") for f in ("keras", "torch")),
        *(synthetic.spec("torch", "cnn_gru", protocol="cv10-grouped", fold=i) for i in (0, 1)),
        *(synthetic.spec(f, "resnet50", init="shared") for f in ("keras", "torch")),
        *synthetic.control("smoke"),
        *(synthetic.spec("keras", "resnet50", seed=0, threads=9) for _ in (0,)),
        synthetic.spec("torch", "resnet50", seed=1),
    ]
    synthetic.fill(store, more)
    kept.clear()
    with without_figures():
        build(store, plan, out)
    return out, list(kept)


@pytest.fixture(scope="module")
def beside(tmp_path_factory, kept):
    out = tmp_path_factory.mktemp("compared")
    a, b = Store(out / "a"), Store(out / "b")
    for seed in range(3):
        run = synthetic.spec("keras", "xception", seed=seed)
        synthetic.add(a, run, accuracy=0.8 + seed / 20)
        synthetic.add(b, run, accuracy=0.7 + seed / 20)
    for store in (a, b):
        synthetic.fill(store, [synthetic.spec("torch", "cnn_gru", fold=i) for i in (0, 1)])
        synthetic.add(store, synthetic.spec(stage="latency"))
    kept.clear()
    comparison_page.compare(a, b, out / "out")
    return out / "out", list(kept)


def cells(pages):
    """(page, table, heads of the column, cell, the row) of each cell that a table begins, of the
    tables that a page shows."""
    for page in pages:
        for table in (table for table in page.tables if not table.listed):
            heads = list(zip(*spread(table.heads, width(table)), strict=True))
            for _, rows in table.bodies:
                for line in spread(rows, width(table)):
                    row = [place.td for place in line]
                    for column, place in enumerate(line):
                        if place.left and place.top:
                            yield page, table, [p.td.text for p in heads[column]], place.td, row


def measured(pages):
    """Those with a number that runs gave, or with an X for one."""
    for page, table, heads, td, row in cells(pages):
        number = td.kind == "num" and (re.search(r"\d", td.text) or td.text == "X")
        if number and not table.name.startswith(OTHERS) and not set(heads) & set(PRINTED):
            yield page, table, td, row


def test_every_measured_number_leads_to_its_runs(report):
    out, pages = report
    seen, without = set(), []
    for page, table, td, row in measured(pages):
        links = [td.href, *(other.href for other in row if other.colour)]
        if page.file == "errors.html":  # rows of both twins: the row or its headings
            links = [other.href for line in (row, *table.heads) for other in line]
        whole = table.name.startswith(("confusion-", "folds-"))  # in the block of their runs
        if not whole and not any(EVIDENCE.fullmatch(link) for link in links):
            without.append((table.name, row[0].text, td.text))
        seen.add(page.file.partition("-")[0])
    assert without == []
    wanted = [
        "index",
        "liang",
        "jane",
        "evidence",
        "control",
        "leakage",
        "assumed",
        "parity",
        "speed",
    ]
    assert seen >= {f"{name}.html" for name in wanted} | {"speed.html", "runs"}
    hold_together(out)


def test_every_number_of_a_comparison_leads_to_its_runs(beside):
    out, pages = beside
    count, without = 0, []
    for _, table, td, row in measured(pages):
        runs = [other.href for other in row if re.search(r"runs/.+/run\.json$", other.href)]
        if len(runs) != 2 and not td.href.startswith("#"):
            without.append((table.name, row[0].text, td.text))
        count += 1
    assert count > 50 and without == []
    hold_together(out)


@pytest.mark.parametrize("made", ["report", "beside"])
def test_numbers_are_those_of_the_data_file(made, request):
    out, pages = request.getfixturevalue(made)
    numbers = Numbers(out / ("results.json" if made == "report" else "compare.json"))
    keyed, wrong = 0, []
    for page, table, _, td, _ in cells(pages):
        for text, key in ((td.text, td.key), (td.note, td.near)):
            if key:
                value = numbers.value(key)
                if not agrees(text, value, td.scale):
                    wrong.append((page.file, table.name, text, key, value))
                keyed += 1
    assert wrong == [] and keyed > (1000 if made == "report" else 50)


def test_a_folder_elsewhere_is_named_not_linked(tmp_path):
    store, out = Store(tmp_path / "far" / "away"), tmp_path / "here" / "and" / "there"
    synthetic.add(store, synthetic.spec())
    comparison_page.compare(store, store, out)
    text = (out / "compare.html").read_text(encoding="utf-8")
    assert synthetic.spec().id in text and "far/away" not in text


def test_a_value_comes_with_its_key():
    record = Recorded("here/fixed", {"phases": [{"seconds": 1.5}]})
    found = record["phases"][0]["seconds"]
    assert (found.key, found.value) == ("here/fixed:phases.0.seconds", 1.5)
    with pytest.raises(KeyError):
        record["phases"][0]["second"]
