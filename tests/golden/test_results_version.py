"""Golden short runs: what every network computes in both twins, held to one RESULTS_VERSION.

A change that moves these numbers moves those of every recorded run: then RESULTS_VERSION
(protocols/spec.py) is raised in the same commit, and the golden numbers are written anew:

UPDATE_GOLDEN=1 .venv/bin/python -m pytest tests/golden/test_results_version.py -m slow
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.store.store import Store
from protocols.files import ROOT
from protocols.papers.papers import folders, load_papers
from protocols.papers.variants import load_variants
from protocols.spec import FRAMEWORKS, RESULTS_VERSION

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


@pytest.fixture(scope="module")
def matrix(tmp_path_factory, cache):
    """All suites' smoke runs on the phantom, through the door: what it said, and the runs."""
    out = tmp_path_factory.mktemp("matrix")
    words = ["--data", "phantom", "--gpu", "none", "--cache", cache, "--out", out]
    said = {}
    ours = [suite for suite in folders() if suite not in load_papers()]
    for suite in (*ours, "all"):  # the report is the last one's
        answer = subprocess.run(
            [sys.executable, ROOT / "runner.py", "--suite", suite, *words],
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        assert answer.returncode == 0, answer.stdout + answer.stderr
        said[suite] = answer.stdout
    return said, out


@pytest.mark.slow
def test_the_whole_matrix_on_the_phantom(matrix):
    said, out = matrix
    assert "40 runs, 0 of them done" in said["all"]
    document = json.loads((out / "results.json").read_text(encoding="utf-8"))
    planned = [run for run in document["runs"] if run["planned"]]
    assert {run["state"] for run in planned} == {"done"}
    assert len(planned) == 40


@pytest.fixture(scope="module")
def found(matrix):
    """The numbers of today's runs, by name."""
    runs = (run for run in Store(matrix[1]).runs() if run.spec.stage == "train")
    return {name(run.spec): numbers(run) for run in runs if run.spec.fold in (None, 0)}


def test_every_network_has_its_golden_run():
    wanted = {
        f"{framework}-{variant.name}-{variant.published_protocol}"
        + ("-fold0" if variant.published_protocol == "cv10" else "")
        for framework in FRAMEWORKS
        for variant in load_variants().values()
    }
    assert golden()["runs"].keys() == wanted
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
@pytest.mark.parametrize("run", golden()["runs"] if GOLDEN.exists() else [])
def test_a_network_computes_what_it_computed(run, found):
    if os.environ.get("UPDATE_GOLDEN"):
        content = {
            "results_version": RESULTS_VERSION,
            "apart": golden()["apart"],
            "runs": dict(sorted(found.items())),
        }
        GOLDEN.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    held = 0
    for key, measured in apart_of(run.split("-")[1]).items():
        for epoch, apart in enumerate(measured):
            if (bound := max(LEAST, TIMES * apart)) < MOST:
                ours, recorded = found[run][key][epoch], golden()["runs"][run][key][epoch]
                assert ours == pytest.approx(recorded, rel=bound), (key, epoch + 1)
                held += 1
    assert held >= 3
