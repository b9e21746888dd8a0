"""Golden short runs: what every network computes in both twins, held to one RESULTS_VERSION.

A change that moves these numbers moves those of every recorded run: then RESULTS_VERSION
(protocols/spec.py) is raised in the same commit, and the golden numbers are written anew:

UPDATE_GOLDEN=1 .venv/bin/python -m pytest tests/golden/test_results_version.py -m slow
"""

import json
import os
from pathlib import Path

import pytest

from benchmarks.launch.launcher import Launcher
from benchmarks.planning.plan import Selection, make_plan
from benchmarks.store.store import Store
from benchmarks.terminal.console import Console
from protocols.hardware import cores
from protocols.papers.variants import load_variants
from protocols.spec import FRAMEWORKS, RESULTS_VERSION
from tests.support import synthetic
from tests.support.command import runner
from tests.support.devices import CPU, needs_tensorflow
from tests.support.twin_checks import parts_of

pytestmark = needs_tensorflow  # the numbers are those of Keras on TensorFlow
GOLDEN = Path(__file__).with_name("results.json")
KEPT = ("train_loss", "eval_loss")  # of each epoch, as history.csv has them


def golden() -> dict:
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


def name(spec) -> str:
    fold = "" if spec.fold is None else f"-fold{spec.fold}"
    return f"{spec.framework}-{spec.variant}-{spec.protocol}{fold}"


def numbers(run) -> dict[str, list]:
    """The losses of a run's epochs."""
    return {key: [row[key] for row in run.history] for key in KEPT}


def answering():
    """The papers' networks whose latencies are measured: the one of each paper that has the most
    parts, for what a latency run does is the same for all."""
    published = [v for v in load_variants().values() if v.published]
    most = {v.paper: v.name for v in sorted(published, key=lambda v: len(parts_of(v)))}
    return list(most.values())


@pytest.fixture(scope="module")
def matrix(tmp_path_factory, cache):
    """The papers' smoke runs on the phantom, of one fold, through the door: what it said, and its
    folder. The latencies of the networks that `answering` leaves out are there before, made up:
    each starts a process that imports its framework."""
    out = tmp_path_factory.mktemp("matrix")
    store, measured = Store(out), answering()
    for run in make_plan(Selection(folds=(0,)), "phantom", CPU, cores()):
        if run.stage == "latency" and run.variant not in measured:
            synthetic.add(store, run)
    words = ["--suite", "all", "--folds", "0", "--data", "phantom", "--gpu", "none"]
    return runner(*words, "--cache", cache, "--out", out, limit=1700), out


@pytest.fixture(scope="module")
def control(tmp_path_factory, cache, phantom):
    """A store of our own networks' training runs of one fold: of their latencies and their report,
    tests/whole/test_end_to_end.py asks by one of them."""
    ours = tuple(v.name for v in load_variants().values() if not v.published)
    plan = make_plan(Selection(variants=ours, folds=(0,)), "phantom", CPU, cores())
    todo, store = [s for s in plan if s.stage == "train"], Store(tmp_path_factory.mktemp("control"))
    launcher = Launcher(store, phantom, CPU, cache, Console(), 2)
    launcher.prepare(todo)
    launcher.run(todo)
    return store


@pytest.mark.slow
def test_the_whole_matrix_on_the_phantom(matrix):
    answer, out = matrix
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "36 runs, 14 of them done" in answer.stdout
    document = json.loads((out / "results.json").read_text(encoding="utf-8"))
    planned = [run for run in document["runs"] if run["planned"]]
    assert {run["state"] for run in planned} == {"done"}
    assert len(planned) == 36


def by_name(runs) -> dict[str, dict[str, list]]:
    """The numbers of training runs, by name."""
    return {name(r.spec): numbers(r) for r in runs if r.done and r.spec.stage == "train"}


EVERY = [
    f"{framework}-{variant.name}-{variant.published_protocol}"
    + ("-fold0" if variant.published_protocol == "cv10" else "")
    for framework in FRAMEWORKS
    for variant in load_variants().values()
]


def test_every_network_has_its_golden_run():
    assert golden()["runs"].keys() == set(EVERY)
    assert golden()["results_version"] == RESULTS_VERSION, "write the golden numbers anew"


# "apart" in the golden file: the largest relative difference of each epoch's losses that was
# measured, over both twins of a network, between an Intel processor with AVX-512 and itself held to
# SSE4.1 (oneDNN, MKL and ATen restricted), and between it and an AMD one without AVX-512 (the smoke
# runs in reports/published). A network multiplies the last bit of a sum with every step. A loss may
# be ten times as far off, and a hundred-thousandth; where that would exceed a tenth, it holds
# nothing and isn't asked. Of a network that was measured on one processor alone, the largest of the
# others' stands for it.
TIMES, LEAST, MOST = 10, 1e-5, 0.1


def apart_of(variant: str) -> dict[str, list[float]]:
    """By what losses of a network may differ between processors, epoch by epoch."""
    known = golden()["apart"]
    most = {key: [max(epochs) for epochs in zip(*(of[key] for of in known.values()), strict=True)]
            for key in KEPT}  # fmt: skip
    return known.get(variant, most)


@pytest.mark.slow
@pytest.mark.parametrize("run", EVERY)
def test_a_network_computes_what_it_computed(run, request):
    variant = run.split("-")[1]
    if not load_variants()[variant].published:
        found = by_name(request.getfixturevalue("control").runs())
    else:
        found = by_name(Store(request.getfixturevalue("matrix")[1]).runs())
    if os.environ.get("UPDATE_GOLDEN"):
        content = golden() | {"results_version": RESULTS_VERSION}
        content["runs"] = dict(sorted((content["runs"] | {run: found[run]}).items()))
        GOLDEN.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    held = 0
    for key, measured in apart_of(variant).items():
        for epoch, apart in enumerate(measured):
            if (bound := max(LEAST, TIMES * apart)) < MOST:
                ours, recorded = found[run][key][epoch], golden()["runs"][run][key][epoch]
                assert ours == pytest.approx(recorded, rel=bound), (key, epoch + 1)
                held += 1
    assert held >= 3
