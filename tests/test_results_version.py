"""Golden short runs: what every network computes in both twins, held to one RESULTS_VERSION.

A change that moves these numbers moves those of every recorded run: then RESULTS_VERSION
(protocols/spec.py) is raised in the same commit, and the golden numbers are written anew:

UPDATE_GOLDEN=1 .venv/bin/python -m pytest tests/test_results_version.py -m slow
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.store import Store
from protocols.spec import FRAMEWORKS, RESULTS_VERSION
from protocols.variants import load_variants
from tests.test_cli import ROOT

GOLDEN = Path(__file__).parent / "golden" / "results.json"
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
    """Both suites' smoke runs on the phantom, through the door: what it said, and the runs."""
    out = tmp_path_factory.mktemp("matrix")
    words = ["--data", "phantom", "--gpu", "none", "--cache", cache, "--out", out]
    said = {}
    for suite in ("control", "all"):  # the report is the last one's
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


# The largest relative difference that a loss may have, epoch by epoch. Ten times the largest that
# was measured over these 26 runs between the instruction sets AVX-512 and SSE4.1 of one processor
# (oneDNN, MKL and ATen restricted), upwards to one digit. A network multiplies the last bit of a
# sum with every step; where ten times the difference would hold nothing, no bound stands.
BOUNDS = {
    "fixed": {"train_loss": (8e-5, 3e-3, 6e-3, 4e-2), "eval_loss": (2e-3, 5e-3, 3e-2)},
    "cv10": {"train_loss": (2e-2,), "eval_loss": (6e-5, 8e-2)},
}


@pytest.mark.slow
@pytest.mark.parametrize("run", golden()["runs"] if GOLDEN.exists() else [])
def test_a_network_computes_what_it_computed(run, found):
    if os.environ.get("UPDATE_GOLDEN"):
        content = {"results_version": RESULTS_VERSION, "runs": dict(sorted(found.items()))}
        GOLDEN.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    protocol = "cv10" if "-cv10" in run else "fixed"
    for key, bounds in BOUNDS[protocol].items():
        for epoch, bound in enumerate(bounds):
            ours, recorded = found[run][key][epoch], golden()["runs"][run][key][epoch]
            assert ours == pytest.approx(recorded, rel=bound), (key, epoch + 1)
