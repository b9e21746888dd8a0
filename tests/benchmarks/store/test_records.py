"""Records sent by others are believed as far as their schema goes, and one costs only itself."""

import csv
import dataclasses
import io
import json
import os
import shutil
import zipfile

import msgspec
import numpy as np
import pytest

from benchmarks.store import records, validation
from benchmarks.store.merge import merge
from benchmarks.store.run import DAMAGED, UNREADABLE
from benchmarks.store.store import Store
from benchmarks.terminal.texts import status
from protocols.boundary import MOST_ARRAYS, Damaged, arrays, clean, contents
from protocols.errors import RequestError
from protocols.files import sha256_of
from protocols.spec import RunSpec
from protocols.spec_schema import Spec
from reports.cells.planned_run import Slot
from reports.cells.settings import LONGEST, Setting
from reports.figures.drawing import drawn
from reports.figures.pictures import pixels
from reports.figures.svg import draw
from reports.tables import exports, latex, spreadsheet
from reports.tables.builder import numbers
from reports.tables.grid import Page, spaced
from reports.tables.table import Table, label, words
from tests.support.synthetic import add, spec

BAD, GOOD, LATENCY = spec(), spec("torch"), spec(stage="latency")
RUN, PREDICTIONS = "run.json", "predictions.npz"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Three sound runs, and a plan of them."""
    store = Store(tmp_path_factory.mktemp("whole"))
    for run in (BAD, GOOD, LATENCY):
        add(store, run)
    store.remember([BAD, GOOD, LATENCY])
    return store


@pytest.fixture
def store(whole, tmp_path):
    shutil.copytree(whole.out, tmp_path / "sent")
    return Store(tmp_path / "sent")


def put(place, raw):
    """Sets what stands at `place` in a JSON file to the JSON text `raw`, whatever that is."""

    def change(path):
        content = json.loads(path.read_text(encoding="utf-8"))
        inner = content
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = "@@"
        text = json.dumps(content).replace('"@@"', raw)
        path.write_text(text, encoding="utf-8", errors="surrogatepass")

    return change


def without(key):
    def change(path):
        content = json.loads(path.read_text(encoding="utf-8"))
        del content[key]
        path.write_text(json.dumps(content), encoding="utf-8")

    return change


def whole_text(text):
    return lambda path: path.write_text(text, encoding="utf-8")


def as_folder(path):
    path.unlink()
    path.mkdir()


def as_loop(path):
    path.unlink()
    path.symlink_to(path)


def as_pipe(path):
    path.unlink()
    os.mkfifo(path)


def array(key, change):
    def write(path):
        with np.load(path) as found:
            kept = dict(found)
        kept[key] = change(kept[key])
        np.savez_compressed(path, **kept)

    return write


def no_array(key):
    def write(path):
        with np.load(path) as found:
            np.savez_compressed(path, **{k: v for k, v in found.items() if k != key})

    return write


def bomb(path):
    """An array of 100 GB by its head."""
    with zipfile.ZipFile(path, "w") as archive:
        head = io.BytesIO()
        said = {"descr": "<f4", "fortran_order": False, "shape": (25_000_000_000,)}
        np.lib.format.write_array_header_1_0(head, said)
        archive.writestr("ids.npy", head.getvalue())


def lines(change):
    def write(path):
        found = change(path.read_text(encoding="utf-8").splitlines())
        path.write_text("\n".join(found) + "\n", encoding="utf-8")

    return write


def ids(text):
    return array("ids", lambda a: np.array([text] * len(a)))


ANY = [("[]", whole_text("[]")), ("null", whole_text("null")), ("nothing", whole_text("")),
       ("nested", whole_text("[" * 10_000)), ("a folder", as_folder), ("a loop", as_loop),
       ("a pipe", as_pipe)]  # fmt: skip
FILES = [
    *((RUN, *one) for one in ANY),
    *(("env.json", *one) for one in ANY[:6]),
    *(("timings.json", *one) for one in ANY[:6]),
    (RUN, "no finished", without("finished")),
    (RUN, "finished: a number", put(["finished"], "3")),
    (RUN, "finished: markup", put(["finished"], '"<b>"')),
    (RUN, "files: up", put(["files", "../../up"], '{"size": 1, "sha256": "' + "0" * 64 + '"}')),
    (RUN, "files: absolute", put(["files", "/etc/x"], '{"size": 1, "sha256": "' + "0" * 64 + '"}')),
    (RUN, "files: lacks one", put(["files"], "{}")),
    (RUN, "files: no size", put(["files", "env.json"], '{"sha256": "' + "0" * 64 + '"}')),
    (RUN, "id", put(["id"], f'"{GOOD.id}"')),
    (RUN, "surrogate", put(["commit"], '"\\ud800"')),
    ("env.json", "versions: null", put(["versions"], "null")),
    ("env.json", "threads: a text", put(["threads"], '"0<b>"')),
    ("env.json", "a line end", put(["device"], '"a\\nb"')),
    ("env.json", "weights: a text", put(["weights"], '{"xception": "a.h5"}')),
    ("env.json", "weights: no hash", put(["weights"], '{"xception": {"file": "a.h5"}}')),
    ("env.json", "weights: markup", put(["weights"], '{"x": {"file": "a", "hash": "<b>"}}')),
    ("env.json", "nested", put(["more"], "[" * 500 + "]" * 500)),
    ("timings.json", "NaN", put(["total_seconds"], "NaN")),
    ("timings.json", "Infinity", put(["total_seconds"], "Infinity")),
    ("timings.json", "1e400", put(["total_seconds"], "1e400")),
    ("timings.json", "huge", put(["total_seconds"], "9" * 5000)),
    ("timings.json", "negative", put(["total_seconds"], "-1")),
    ("timings.json", "no phases", put(["phases"], "[]")),
    ("timings.json", "a phase is null", put(["phases", 0], "null")),
]
DEEP = [
    ("history.csv", "other columns", lines(lambda rows: ["a,b", *rows[1:]])),
    ("history.csv", "no rows", lines(lambda rows: rows[:1])),
    ("history.csv", "too few rows", lines(lambda rows: rows[:2])),
    ("history.csv", "phase 7", lines(lambda rows: [rows[0], *("7" + r[1:] for r in rows[1:])])),
    ("history.csv", "zero bytes", lines(lambda rows: [rows[0], "\0" * 9])),
    (PREDICTIONS, "no archive", whole_text("PK nothing")),
    (PREDICTIONS, "100 GB", bomb),
    (PREDICTIONS, "objects", array("ids", lambda a: np.array([{}] * len(a), dtype=object))),
    (PREDICTIONS, "ids: numbers", array("ids", lambda a: np.arange(len(a)))),
    (PREDICTIONS, "ids: up", ids("../../../etc/passwd")),
    (PREDICTIONS, "ids: markup", ids("<b>")),
    (PREDICTIONS, "ids: no digit", ids("x#²")),
    (PREDICTIONS, "labels: 9", array("labels", lambda a: a + 9)),
    (PREDICTIONS, "labels: float", array("labels", lambda a: a.astype(float))),
    (PREDICTIONS, "too short", array("labels", lambda a: a[:-1])),
    (PREDICTIONS, "float64", array("selected", lambda a: a.astype(float))),
    (PREDICTIONS, "beyond 1", array("selected", lambda a: a * 2)),
    (PREDICTIONS, "below 0", array("last", lambda a: a - 0.5)),
    (PREDICTIONS, "NaN", array("selected", lambda a: a * np.nan)),
    (PREDICTIONS, "infinite", array("last", lambda a: a * np.inf)),
    (PREDICTIONS, "epoch 99", array("selected_index", lambda a: np.int64(99))),
    (PREDICTIONS, "epoch -1", array("selected_index", lambda a: np.int64(-1))),
    (PREDICTIONS, "other classes", array("classes", lambda a: a[::-1])),
    (PREDICTIONS, "no milestones", no_array("milestones")),
    (PREDICTIONS, "milestones of no epoch", array("milestones", lambda a: np.zeros((3, 4, 4)))),
    ("activations.npz", "labels: 7", array("labels", lambda a: a + 7)),
    ("activations.npz", "ids: markup", ids("<b>")),
    ("activations.npz", "no image", array("ids", lambda a: a[:0])),
]


def rehash(folder):
    """As one who forges: the digests are those of the files."""
    path = folder / RUN
    if not path.is_file():
        return
    record = json.loads(path.read_text(encoding="utf-8"))
    for name, entry in record["files"].items():
        if (folder / name).is_file():
            entry |= {"size": (folder / name).stat().st_size, "sha256": sha256_of(folder / name)}
    path.write_text(json.dumps(record), encoding="utf-8")


def forged(store, name, change):
    """The damaged run's folder."""
    folder = store.runs_folder / BAD.id
    change(folder / name)
    if name != RUN:
        rehash(folder)
    return folder


def costs_only_itself(store, said=""):
    """What is said of it everywhere; all else is still there."""
    wrong = validation.sentences(store)
    assert wrong and all(BAD.id in line for line in wrong)
    first, *more = status(store)
    assert first.startswith("3 runs: 2 done, 0 stale, 1 failed")
    assert any(BAD.id in line for line in more)
    taken, left = Store(store.out.parent / "taken"), []
    assert merge([store.out], taken, left.append) == 2
    assert any(BAD.id in line for line in left)
    assert {run.spec.id for run in taken.runs()} == {GOOD.id, LATENCY.id}
    (bad,) = (run for run in store.runs() if run.spec == BAD)
    slot = Slot(BAD, bad, True)
    slot = slot.with_numbers(slot.read())
    assert slot.state == "failed" and slot.reason and not slot.usable
    assert said in slot.reason


@pytest.mark.parametrize(("name", "change"), [(n, c) for n, _, c in FILES],
                         ids=[f"{n} {what}" for n, what, _ in FILES])  # fmt: skip
def test_a_damaged_json_file_is_a_damaged_record(store, name, change):
    forged(store, name, change)
    found = store.find(BAD)
    assert found.status == "failed" and name in found.reason
    assert found.reason.startswith(DAMAGED if name == RUN else UNREADABLE)
    costs_only_itself(store, name)


@pytest.mark.parametrize(("name", "change"), [(n, c) for n, _, c in DEEP],
                         ids=[f"{n} {what}" for n, what, _ in DEEP])  # fmt: skip
def test_damaged_numbers_are_a_damaged_record(store, name, change):
    forged(store, name, change)
    costs_only_itself(store, name)


SPECS = [
    ("seed: markup", put(["seed"], '"0<b>"')),
    ("seed: negative", put(["seed"], "-1")),
    ("seed: huge", put(["seed"], str(2**63))),
    ("seed: true", put(["seed"], "true")),
    ("framework", put(["framework"], '"mxnet"')),
    ("variant: up", put(["variant"], '"../../x"')),
    ("variant: a text", put(["variant"], '"<b>"')),
    ("device: a line end", put(["device"], '"a\\nb"')),
    ("recipe: a list", put(["recipe"], "[]")),
    ("recipe: epochs", put(["recipe", "phase1_epochs"], '"4"')),
    ("recipe: no rate", put(["recipe"], '{"label_smoothing": 0, "batch_size": 1}')),
    ("data: digest", put(["data", "digest"], '"../../x"')),
    ("data: kind", put(["data", "kind"], '"drawn"')),
    ("weights: source", put(["weights", "source"], "null")),
    ("fold", put(["fold"], "0")),
    ("another field", put(["colour"], '"red"')),
    ("nested", whole_text("[" * 10_000)),
    ("a pipe", as_pipe),
]


@pytest.mark.parametrize("change", [c for _, c in SPECS], ids=[name for name, _ in SPECS])
def test_a_specification_that_doesn_t_fit_is_no_run_but_named(store, change):
    folder = store.runs_folder / BAD.id
    change(folder / "spec.json")
    assert {run.spec.id for run in store.runs()} == {GOOD.id, LATENCY.id}
    assert list(store.look()[1]) == [BAD.id]
    (wrong,) = validation.sentences(store)
    assert BAD.id in wrong and "spec.json" in wrong
    assert any(line.startswith(f"damaged {BAD.id}: ") for line in status(store))
    assert merge([store.out], Store(store.out.parent / "taken"), lambda _: None) == 2


@pytest.mark.parametrize("change", [c for n, c in SPECS if "nested" not in n and "pipe" not in n])
def test_a_plan_that_doesn_t_fit_is_refused_in_a_sentence(store, change):
    path = store.out / "plan.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    one = store.out / "one.json"
    one.write_text(json.dumps(content["runs"][0]), encoding="utf-8")
    change(one)
    path.write_text('{"runs": [' + one.read_text(encoding="utf-8") + "]}", encoding="utf-8")
    with pytest.raises(RequestError, match="damaged or of another version"):
        store.plan()
    left = []
    assert merge([store.out], Store(store.out.parent / "taken"), left.append) == 3
    assert any("plan.json" in line for line in left)


def test_the_schema_of_a_specification_is_that_of_its_class():
    names = [field.name for field in dataclasses.fields(RunSpec)]
    assert names == [field.name for field in msgspec.structs.fields(Spec)]
    assert RunSpec.from_json(BAD.to_json()) == BAD


def test_a_folder_of_another_name_is_no_run(store):
    (store.runs_folder / BAD.id).rename(store.runs_folder / "another<b>")
    assert store.find(BAD) is None
    assert store.look()[1] == {"another<b>": f"spec.json is of another run ({BAD.id})"}


def test_validate_speaks_of_what_was_left_out_silently(store):
    folders = [store.runs_folder / run.id for run in (BAD, GOOD, LATENCY)]
    (folders[0] / RUN).unlink()
    (folders[1] / "notes.txt").write_text("x", encoding="utf-8")
    without_env = json.loads((folders[2] / RUN).read_text(encoding="utf-8"))
    del without_env["files"]["env.json"]
    (folders[2] / RUN).write_text(json.dumps(without_env), encoding="utf-8")
    assert validation.sentences(store) == sorted([
        f"{folders[0]}: there is neither run.json nor failed.json",
        f"{folders[1] / 'notes.txt'}: not listed in run.json",
        f"{folders[2]}: {DAMAGED}: run.json doesn't list env.json",
    ])  # fmt: skip


@pytest.mark.parametrize("text", ['{"reason": "\\ud800"}', '{"reason": 3}', "[]"])
def test_a_failure_that_can_t_be_read(store, text):
    folder = store.runs_folder / BAD.id
    (folder / RUN).unlink()
    (folder / "failed.json").write_text(text, encoding="utf-8")
    assert store.find(BAD).reason.startswith(f"{DAMAGED}: failed.json")


def test_our_own_failures_may_quote_anything(store):
    reason = "OSError: \udcff\x1b[31m in the name"
    folder = store.begin(spec(seed=9))
    store.fail(spec(seed=9), folder, reason)
    found = store.find(spec(seed=9))
    assert found.reason == clean(reason) == "OSError: \\udcff\ufffd[31m in the name"


def test_what_a_worker_wrote_is_held_against_the_same_schema(store):
    run = spec(seed=3)
    folder = store.begin(run)
    source = store.runs_folder / BAD.id
    for path in source.iterdir():
        shutil.copy2(path, folder / path.name)
    (folder / "spec.json").write_text(run.to_json(), encoding="utf-8")
    array("labels", lambda a: a + 9)(folder / PREDICTIONS)
    with pytest.raises(ValueError, match="names a class that there isn't"):
        store.finish(run, folder)


def test_a_stranger_s_failure_does_not_write_to_the_terminal(store):
    run = spec(seed=5)
    folder = store.fail(run, store.begin(run), "as written here").folder
    text = json.dumps({"id": run.id, "reason": "\x1b[31mred\x07 \u202e\nline"})
    (folder / "failed.json").write_text(text, encoding="utf-8")
    store.remember([run])
    (line,) = (line for line in status(store) if line.startswith("failed"))
    assert line.isprintable() and r"\x1b[31mred" in line


def test_a_worker_without_a_results_version_is_refused(store):
    run = spec(seed=4)
    folder = store.begin(run)
    for path in (store.runs_folder / BAD.id).iterdir():
        shutil.copy2(path, folder / path.name)
    (folder / "spec.json").write_text(run.to_json(), encoding="utf-8")
    without("results_version")(folder / "env.json")
    with pytest.raises(ValueError, match="left out the results version"):
        store.finish(run, folder)


@pytest.mark.parametrize("change", [as_folder, as_pipe])
def test_what_is_no_file_keeps_no_descriptor_open(tmp_path, change):
    path = tmp_path / "env.json"
    path.write_text("{}", encoding="utf-8")
    change(path)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(Damaged, match=r"is not a file|Is a directory"):
        contents(path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_fault_of_our_own_is_no_damage(store, monkeypatch):
    def broken(*_):
        raise TypeError("a fault of ours")

    monkeypatch.setattr(records, "timings", broken)
    with pytest.raises(TypeError, match="of ours"):
        store.runs()
    with pytest.raises(TypeError, match="of ours"):
        store.find(BAD)


def test_arrays_of_more_than_there_may_be_are_not_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, a=np.zeros(1000))
    assert arrays(path)["a"].shape == (1000,)
    monkeypatch.setattr("protocols.boundary.MOST_ARRAYS", 7999)
    with pytest.raises(Damaged, match="8,000 bytes"):
        arrays(path)
    assert MOST_ARRAYS == 1 << 30


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-2+3+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1",
                                  "\r=1", "+1 HYPERLINK(A1)", "-"])  # fmt: skip
def test_no_text_is_a_formula(text):
    table = Table("t", "T", [numbers("a", "b")], [("", [[label(text), words(text)]])])
    for found in (exports.as_csv(table), spreadsheet.as_csv([["a"], [text]])):
        rows = list(csv.reader(io.StringIO(found, newline="")))
        assert set(rows[-1]) == {f"'{spaced(text)}"}


@pytest.mark.parametrize("text", ["-3.2", "+0.30 (higher in 5 of 10 folds)", "−1", "a=1", -3.5])
def test_numbers_keep_their_sign(text):
    assert spreadsheet.cell(text) == text


def test_markup_and_line_ends_of_a_text_are_only_text():
    said = "x\r\n| <b> \\input{y} $z$ `w`\u2028# v"
    table = Table("t", said, [numbers("a")], [("", [[label(said)]])])
    markdown = exports.markdown_table(table)
    assert len(markdown.splitlines()) == 3 and "<b>" not in markdown.replace("\\<", "")
    tex = latex.tabular("t", table)
    assert "\\input{" not in tex and "\r" not in tex
    assert exports.markdown(Page("p.html", said, tables=[table]))


def test_a_drawing_s_name_is_no_markup():
    made = drawn(draw(1.5, 1, 0.5, 0.5, top=0.1)[0], 'f-s0"><b>', 'said "<b>"')
    assert "<b>" not in made.svg and "<b>" not in made.name


def test_a_setting_s_file_name_is_short():
    setting = Setting("smoke", "real", "random", "ÄÖ" * 90, "float32", True, "x = 1, " * 500)
    other = Setting("smoke", "real", "random", "ÖÄ" * 90, "float32", True, "x = 1, " * 500)
    assert len(setting.slug) < LONGEST + 10 and setting.slug != other.slug


def test_an_image_s_name_leads_to_no_other_folder(tmp_path):
    class Source:
        def path(self, name):
            raise AssertionError(name)

    assert pixels(Source(), "../../secret.jpg") is pixels(Source(), "/etc/x.jpg") is None
