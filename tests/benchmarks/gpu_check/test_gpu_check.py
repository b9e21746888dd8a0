"""make gpu-check: what it measures is what --plan asks for, a fault stops nothing, it goes on."""

import json
import signal
import subprocess
import sys
import zipfile
from dataclasses import replace

import pytest

from benchmarks.estimates.estimates import GPU_CHECK, Estimates
from benchmarks.gpu_check import __main__ as command
from benchmarks.gpu_check import check as checks
from benchmarks.gpu_check import gpu_tests, projection
from benchmarks.gpu_check.check import LAYOUTS, SMALL, TESTS, WHOLE, Check
from benchmarks.gpu_check.record import Part, Record, number, of_run
from benchmarks.planning import disk
from benchmarks.planning.plan import Device, Selection, make_plan, trained_together
from benchmarks.store.run import Run
from benchmarks.store.store import Store
from protocols.files import ROOT
from protocols.papers.variants import load_variants
from protocols.spec import RunSpec
from protocols.weights.start import OWN
from tests.support import synthetic
from tests.support.command import asked
from tests.support.devices import CPU

GPU = {"torch": Device("torch", "NVIDIA X", 0), "keras": Device("jax", "NVIDIA X", 0)}
ABOUT = {"device": "NVIDIA X", "commit": "c"}
DONE = {"numbers": {}}
PROCESSOR = synthetic.env(synthetic.spec())["device_detail"]


@pytest.fixture
def check(tmp_path):
    """A check of all networks on a GPU that isn't there."""
    record = Record(tmp_path / "out" / GPU_CHECK, ABOUT)
    return Check(WHOLE, GPU, (), 16, tmp_path / "cache", record, 100.0)


def test_its_parts_are_every_network_in_both_twins_in_the_promised_order(check):
    parts = list(check.parts())
    assert parts[:2] == [TESTS, LAYOUTS]
    order = [part.part for part in parts[2:]]
    assert order == sorted(order, key=("steps", "folds", "answers").index)
    for name in ("steps", "answers"):
        found = {(p.framework, p.variant) for p in parts if p.part == name}
        of_papers = [v.name for v in load_variants().values() if v.published]
        assert found == {(f, v) for f in GPU for v in of_papers} and len(of_papers) == 9
    folds = {p.variant: len(specs) for p, specs in check.parts().items() if p.part == "folds"}
    assert folds == {"cnn_lstm": 30, "cnn_gru": 30}


def test_its_runs_teach_what_the_plan_of_the_paper_asks_for(check, tmp_path):
    """The estimates of a run and of its cut one have one key, together and alone; no id is that of
    a result."""
    estimates, wanted = Estimates(tmp_path, 1), {}
    for group in trained_together(check.plan):
        for spec in group:
            wanted.setdefault((spec.framework, spec.variant, spec.stage), set()).add(
                str(estimates.key(spec, spec.device, len(group)))
            )
    taught = {}
    for specs in check.parts().values():
        for group in trained_together([WHOLE.cut(spec) for spec in specs]):
            for spec in group:
                assert spec.id not in {planned.id for planned in check.plan}
                taught.setdefault((spec.framework, spec.variant, spec.stage), set()).add(
                    str(estimates.key(spec, spec.device, len(group)))
                )
    assert wanted.keys() <= taught.keys()
    assert all(keys <= taught[network] for network, keys in wanted.items())


@pytest.mark.parametrize(("size", "images"), [(WHOLE, 512), (SMALL, 32)])
def test_a_run_is_cut_to_its_images_and_epochs(size, images):
    wish = Selection(profile=size.profile, weights="imagenet")
    for spec in make_plan(wish, "real", GPU, 16):
        short = size.cut(spec)
        if spec.stage == "latency":
            assert short.recipe["cold_repeats"] == 1
            continue
        assert all(phase["epochs"] == size.epochs for phase in short.phases)
        assert short.phases[0]["stored"]  # as with loaded weights
        train, test = disk.counts(short)
        assert images <= train <= 1.15 * images or 0.95 * images <= train <= images
        assert 0 < test <= images / 4 and short.data["kind"] == "phantom"
        assert RunSpec.from_json(short.to_json()) == short
        assert OWN.backbone(short, "xception", {}) == {}  # no file is asked for


def stages_of(check, monkeypatch, fail=""):
    """Lets every stage note its parts in place of measuring them; one of them fails."""
    order = []

    def stage(name):
        def measure(parts, *_):
            order.append(name)
            if name == fail:
                raise RuntimeError("it broke\nhere")
            for part in parts:
                check.record.add(part, **DONE)

        return measure

    def runs(parts):
        stage(next(iter(parts)).part)(parts)

    monkeypatch.setattr(check, "layouts", lambda *_: stage("layouts")([LAYOUTS]))
    monkeypatch.setattr(check, "runs", runs)

    def tests(*_):
        order.append("tests")
        if fail == "tests":
            raise RuntimeError("it broke\nhere")
        return DONE

    monkeypatch.setattr(gpu_tests, "run", tests)
    return order


@pytest.mark.parametrize("fail", ["tests", "layouts", "steps", "folds", "answers"])
def test_a_part_that_fails_stops_no_other_and_is_tried_again_last(check, monkeypatch, fail):
    names = ["tests", "layouts", "steps", "folds", "answers"]
    order = stages_of(check, monkeypatch, fail)
    check.measure(lambda _: None)
    assert order == names
    again = Record(check.record.path, ABOUT)
    failed = {part.part for part, found in again.parts.items() if found["state"] == "failed"}
    assert failed == {fail} and len(again.parts) == len(check.parts())
    reasons = {found["reason"] for found in again.parts.values()} - {""}
    assert reasons == {"RuntimeError: it broke\\nhere"}
    check.record = again
    again.parts.pop(Part("answers", "torch", "cnn_gru"))
    order = stages_of(check, monkeypatch)
    check.measure(lambda _: None)
    assert order == (["answers", fail] if fail != "answers" else ["answers", "answers"])
    assert command.told(check) == 0


@pytest.mark.parametrize("fault", ["", "one layout was too large"])
def test_timed_layouts_are_kept_and_serve_later_runs(fault, check, monkeypatch):
    def timed(specs, devices, cache, say):
        assert {spec.framework for spec in specs} == {"torch"}
        (cache / "layouts").mkdir(parents=True)
        content = {"key": {"backbone": "xception"}, "seconds": {"channels_last": 0.1}}
        (cache / "layouts" / "x.json").write_text(json.dumps(content), encoding="utf-8")
        say("a step takes 100 ms")
        return fault

    monkeypatch.setattr(checks, "time_layouts", timed)
    check.layouts(check.parts()[LAYOUTS], lambda _: None)
    kept = check.record.parts[LAYOUTS]
    assert kept["numbers"] == {"xception, channels_last": number("s", [0.1])}
    assert kept["said"] == {"layouts": ["a step takes 100 ms"]}
    assert (kept["state"], kept["reason"]) == ("failed" if fault else "done", fault)
    assert (check.cache / "layouts" / "x.json").is_file()


def test_what_was_measured_for_another_commit_or_device_is_measured_again(check):
    check.record.add(TESTS, **DONE)
    path = check.record.path
    assert Record(path, ABOUT).done(TESTS)
    for other in ({"commit": "d"}, {"device": "NVIDIA Y"}):
        assert not Record(path, ABOUT | other).parts
    assert Record(path, ABOUT | {"processor": "another", "cores": 3}).done(TESTS)
    path.write_text("{", encoding="utf-8")
    assert not Record(path, ABOUT).parts


def test_the_record_keeps_a_runs_numbers(tmp_path):
    run = synthetic.spec("torch")
    stored = synthetic.add(Store(tmp_path), run)
    found = of_run(stored)["numbers"]
    rows = [row["train_seconds"] for row in stored.history if row["phase"] == 1]
    steps = -(-disk.counts(run)[0] // run.recipe["batch_size"])
    assert found["phase 1, step"] == number("s", [s / steps for s in rows[1:]])
    failed = synthetic.add_failed(Store(tmp_path), synthetic.spec("keras"), "it broke")
    (failed.folder / "log.txt").write_text("".join(f"{i}\n" for i in range(30)), encoding="utf-8")
    kept = of_run(failed)
    assert (kept["state"], kept["reason"], kept["log"][-1]) == ("failed", "it broke", "29")


REPORT = """<testsuites><testsuite>
<testcase classname="a" name="good"/>
<testcase classname="a" name="bad"><failure message="AssertionError: 1"/></testcase>
<testcase classname="a" name="left"><skipped message="no GPU"/></testcase>
<testcase classname="a" name="worse"><error message="no module"/></testcase>
</testsuite></testsuites>"""


def test_the_words_of_a_report_are_kept_and_its_last_line_is_counted(tmp_path):
    path = tmp_path / "tests.xml"
    assert gpu_tests.words(path) == {"failures": [], "skips": []}
    path.write_text(REPORT, encoding="utf-8")
    assert gpu_tests.words(path) == {
        "failures": ["a.bad: AssertionError: 1", "a.worse: no module"],
        "skips": ["no GPU"],
    }
    last = "1 failed, 2 passed, 3 skipped, 362 deselected, 1 warning, 1 error in 9.01s"
    found = gpu_tests.counts(f"FAILED 9 passed\n{last}\n")
    assert {name: one["median"] for name, one in found.items()} == {
        "passed": 2,
        "failed": 2,
        "skipped": 3,
    }
    assert gpu_tests.counts("no tests ran in 0.01s") == gpu_tests.counts("") == {}


def kept_of(monkeypatch, folder, code, limit):
    """What the record keeps of tests with this code."""
    path = folder / "test_made_up.py"
    path.write_text(code, encoding="utf-8")
    monkeypatch.setattr(gpu_tests, "COMMAND", ("pytest", "-q", "-p", "no:cacheprovider", path))
    return gpu_tests.run(folder, "jax", limit)


def test_tests_that_do_not_run_are_told(monkeypatch, tmp_path):
    found = kept_of(monkeypatch, tmp_path, "", 300.0)
    assert found["state"] == "failed" and "pytest ended with 5: no tests" in found["reason"]


@pytest.mark.slow
def test_tests_that_do_not_end_are_ended_and_what_ran_is_kept(monkeypatch, tmp_path):
    """Also where this process ignores Ctrl-C, as one that a shell began with `&`."""
    code = "import time\ndef test_quick(): pass\ndef test_long(): time.sleep(600)\n"
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        found = kept_of(monkeypatch, tmp_path, code, 30.0)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert (found["state"], found["numbers"]["passed"]["median"]) == ("failed", 1)
    assert found["reason"] == "ended after 30 s, before all had run"


def test_the_tests_of_a_gpu_are_where_they_are_looked_for():
    marked = {
        path.relative_to(ROOT).parts[1]
        for path in (ROOT / "tests").rglob("test_*.py")
        if "pytest.mark.gpu" in path.read_text(encoding="utf-8")
    }
    assert marked - {"benchmarks"} == {"twins"}


def test_the_projection_is_the_sum_of_what_the_plan_tells(tmp_path):
    plan = make_plan(Selection(variants=("xception", "resnet50")), "phantom", CPU, cores=2)
    estimates = Estimates(tmp_path, 1, processor=PROCESSOR)
    for spec in plan:
        if spec.variant == "xception" and spec.stage == "train":
            estimates.learn(synthetic.add(Store(tmp_path / "out"), spec))
    found = projection.projected(plan, estimates)
    known = [row for row in found["rows"] if row["seconds"] is not None]
    assert {(row["variant"], row["stage"]) for row in known} == {("xception", "train")}
    for row in known:
        (spec,) = (s for s in plan if s.stage == "train" and s.variant == row["variant"]
                   and s.framework == row["framework"])  # fmt: skip
        told = estimates.estimate(spec)
        assert row["seconds"] == pytest.approx(told.seconds)
        assert sum(row["phases"]) == pytest.approx(sum(told.work.epochs))
        assert row["seconds"] == pytest.approx(sum(row["phases"]) + row["rest"])
    assert found["seconds"] == pytest.approx(sum(row["seconds"] for row in known))
    assert found["lacking"] == len(found["rows"]) - len(known)


def test_what_it_learned_counts_where_nothing_was_learned(tmp_path, capsys):
    """--plan's estimates read the file of an output folder; what was learned here comes first."""
    spec = synthetic.spec("torch")
    out, words = tmp_path / "out", {"jobs": 1, "processor": PROCESSOR}
    there = Estimates(tmp_path / "there", **words)
    there.learn(synthetic.add(Store(tmp_path / "runs"), spec))
    record = Record(out / GPU_CHECK, ABOUT)
    record.estimates = there.learned()
    record.write()
    told = there.estimate(spec)
    here = Estimates(tmp_path / "here", out=out, **words)
    assert Estimates(tmp_path / "here", **words).estimate(spec) is None
    assert told is not None and here.estimate(spec) == told
    assert here.estimate(replace(spec, device="NVIDIA Y")) is None
    slow = synthetic.timings(spec)
    slow["total_seconds"] += 1000
    run = Run(spec, tmp_path / "runs" / "runs" / spec.id, "done")
    run.__dict__["timings"] = slow
    here.learn(run)
    assert here.estimate(spec).seconds > told.seconds + 900
    (out / GPU_CHECK).write_text('{"estimates": 3}', encoding="utf-8")
    assert Estimates(tmp_path / "none", out=out, **words).estimate(spec) is None
    assert "are not used: they are damaged" in capsys.readouterr().out


@pytest.mark.slow
def test_every_part_runs_dry_on_the_cpu_and_is_not_measured_twice(tmp_path):
    """The command itself, at its smallest size; --plan then knows the networks."""
    out, cache = tmp_path / "out", tmp_path / "cache"
    names = ["efficientnet_lite0_cnn_lstm"]
    words = ["--small", "--gpu", "none", "--limit", "1500", "--out", out, "--cache", cache]
    args = " ".join(map(str, [*words, "--variant", *names]))
    make = ["make", "gpu-check", f"ARGS={args}", f"GPU_PYTHON={sys.executable}"]
    first = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-3000:]
    found = json.loads((out / GPU_CHECK).read_text(encoding="utf-8"))
    parts = {Part(p["part"], p["framework"], p["variant"]): p for p in found["parts"]}
    assert {p["state"] for p in parts.values()} == {"done"}
    assert {part.part for part in parts} == {"tests", "steps", "folds", "answers"}
    tests = parts[TESTS]
    assert tests["numbers"]["passed"]["median"] == tests["numbers"]["failed"]["median"] == 0
    assert any("no NVIDIA GPU here" in reason for reason in tests["skips"])
    assert not found["projection"]["lacking"] and found["projection"]["seconds"] > 0
    again = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert again.returncode == 0 and "steps:" not in again.stdout
    after = json.loads((out / GPU_CHECK).read_text(encoding="utf-8"))
    assert after["parts"] == found["parts"]
    flags = ["--profile", "smoke", "--weights", "imagenet", "--gpu", "none", "--jobs", "1"]
    where = ["--out", out, "--cache", tmp_path / "none"]
    plan = asked("--plan", *flags, *where, "--variant", *names)
    assert plan.returncode == 0 and "no estimate" not in plan.stdout, plan.stdout


def test_carried_packages_are_found_and_installed_nowhere_else(tmp_path):
    """WHEELS names a folder of packages; they come from there alone."""
    wheels, carried = tmp_path / "wheels", tmp_path / "carried"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "made_up-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("made_up.py", "print('carried')")
        wheel.writestr("made_up-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: made-up\n"
                       "Version: 1.0\nRequires-Dist: another-that-is-not-there\n")  # fmt: skip
        wheel.writestr("made_up-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: a test\n"
                       "Root-Is-Purelib: true\nTag: py3-none-any\n")  # fmt: skip
        wheel.writestr("made_up-1.0.dist-info/RECORD", "")
    words = [f"WHEELS={wheels}", f"CARRIED={carried}", "ARGS=--help"]
    make = ["make", "gpu-check", *words, f"GPU_PYTHON={sys.executable}"]
    answer = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert answer.returncode == 0, answer.stderr
    assert "--small" in answer.stdout and (carried / "made_up.py").is_file()
    assert f'PYTHONPATH="{carried}:' in answer.stdout
