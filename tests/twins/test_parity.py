"""The parity ladder climbed, and how a climb ends."""

import json
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest

from benchmarks.parity import climb as climber
from benchmarks.parity import ladder
from benchmarks.parity.climb import MEMORY, ROOT, jobs_for, start
from protocols.errors import RequestError
from protocols.images import dataset
from protocols.papers.variants import load_variants
from protocols.runs import parity
from protocols.runs.parity import RUNGS, Result
from tests.support.command import instead_of_the_ladder
from tests.support.devices import needs_tensorflow
from tests.support.twin_checks import CLIMBED, parts_of

slow = pytest.mark.slow


def test_the_networks_that_are_climbed_have_every_part():
    parts = {name: parts_of(variant) for name, variant in load_variants().items()}
    assert set().union(*parts.values()) == set().union(*(parts[name] for name in CLIMBED))
    whole = [load_variants()[name] for name in CLIMBED if parity.trains_whole(name)]
    assert {variant.published for variant in whole} == {True, False}, "Adam trains a CNN of both"


@pytest.fixture(scope="module")
def climbed(tmp_path_factory):
    """parity.json of the climbed networks, by (rung, variant)."""
    out = tmp_path_factory.mktemp("parity")
    code = start(out, CLIMBED)
    assert (out / "parity.json").exists(), f"the climb ended with {code}"
    found = json.loads((out / "parity.json").read_text(encoding="utf-8"))
    assert code == (0 if all(r["ok"] for r in found["results"]) else 1)
    return {(r["rung"], r["variant"]): r for r in found["results"]}


@slow
@needs_tensorflow
@pytest.mark.parametrize("variant", CLIMBED)
@pytest.mark.parametrize("rung", RUNGS)
def test_every_rung_holds(climbed, rung, variant):
    if rung.startswith("rmsprop") and load_variants()[variant].paper == "jane":
        assert (rung, variant) not in climbed
        return
    assert climbed[rung, variant]["ok"], climbed[rung, variant]


def test_as_many_networks_at_a_time_as_the_memory_bears():
    assert [jobs_for(n * MEMORY, 8) for n in (0, 0.5, 1, 1.9, 2, 9)] == [2, 1, 1, 1, 2, 2]
    assert jobs_for(9 * MEMORY, 1) == 1


def test_a_process_that_dies_ends_the_climb_with_a_sentence(monkeypatch, capsys, tmp_path):
    def died(*_):
        raise BrokenProcessPool

    monkeypatch.setattr(climber, "climb_all", died)
    argv = ["parity", "--json", str(tmp_path / "parity.json"), "--data", "phantom"]
    monkeypatch.setattr(sys, "argv", argv)
    assert climber.main() == 1
    assert "died: memory?" in (said := capsys.readouterr().err) and "--jobs 1" in said
    assert not (tmp_path / "parity.json").exists()


@pytest.mark.parametrize(("value", "code"), [(0.0, 0), (1e-3, 1), (float("nan"), 1)])
def test_a_broken_rung_is_an_exit_code(monkeypatch, tmp_path, value, code):
    found = [Result("forward", "xception", value)]
    monkeypatch.setattr(climber, "climb_all", lambda *_: (found, {}))
    out = tmp_path / "parity.json"
    monkeypatch.setattr(sys, "argv", ["parity", "--json", str(out), "--data", "phantom"])
    assert climber.main() == code
    assert json.loads(out.read_text(encoding="utf-8"))["results"][0]["ok"] is (code == 0)


def test_nothing_is_downloaded_for_a_few_images(phantom, cache, monkeypatch):
    monkeypatch.delenv("WBC_DATA", raising=False)
    monkeypatch.setattr(dataset.archive, "install", lambda *_: pytest.fail("a download"))
    assert climber.images("auto", cache)[1] == "phantom"


def test_the_ladder_gets_the_cache_and_the_jobs_that_were_asked_for(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(climber, "ROOT", tmp_path)
    instead_of_the_ladder(tmp_path, "import sys\nprint(sys.argv[1:])\n")
    assert start(tmp_path, ["xception"], "phantom", tmp_path / "cache", 3) == 0
    words = ["--data", "phantom", "--cache", str(tmp_path / "cache"), "--jobs", "3"]
    assert str([*words, "--variant", "xception"])[1:] in capsys.readouterr().out


def test_a_ladder_of_loaded_weights_has_a_file_of_its_own(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(climber, "ROOT", tmp_path)
    instead_of_the_ladder(tmp_path, "import sys\nprint(sys.argv[1:])\n")
    for weights, name in (("", "parity.json"), ("at-hand", "parity-imagenet.json")):
        assert start(tmp_path, ["xception"], "phantom", weights=weights) == 0
        words = ["--json", str(tmp_path / name), "--weights", weights or "random"]
        assert str(words)[1:-1] in capsys.readouterr().out


def test_networks_without_weights_are_left_out_of_the_ladder(monkeypatch, tmp_path, capsys):
    names = ["resnet50", "efficientnet_lite0"]
    assert climber.loading(names, "random", tmp_path) == (names, {})
    found, files = climber.loading(names, "at-hand", tmp_path)
    assert found == list(files) == ["efficientnet_lite0"]
    assert "left out, for want of their weights: resnet50" in capsys.readouterr().out
    with pytest.raises(RequestError, match=r"No weights are at hand: .*resnet50"):
        climber.loading(["resnet50"], "at-hand", tmp_path)


def test_an_unknown_network_is_refused():
    command = [sys.executable, "-m", "benchmarks.parity", "--json", "x", "--variant", "vgg"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 2


def test_a_nan_breaks_a_rung():
    assert not Result("forward", "xception", float("nan")).ok
    assert parity.largest({"a": 1.0, "b": float("nan"), "c": 2.0})[1] == "b"
    assert np.isnan(parity.relative(np.array([np.nan]), np.array([1.0])))


def test_differences_are_against_the_largest_value():
    a, b = np.array([1.0, -4.0]), np.array([1.1, -4.0])
    assert parity.relative(a, b) == pytest.approx(0.1 / 4)
    assert parity.apart({"x": a, "y": a}, {"x": b, "y": 10 * a}) == (pytest.approx(36 / 40), "y")
    assert parity.zeros({"x": a, "y": 1e-13 * a}) == {"y"}
    assert ladder.compared("backends", "xception", {"p": a}, {"p": b}).ok is False
