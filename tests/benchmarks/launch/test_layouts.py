"""--calibrate has PyTorch time both memory layouts on a GPU, before its short runs take one."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from benchmarks.launch import calibrate, layouts
from benchmarks.planning.plan import Device
from benchmarks.terminal.console import Console
from tests.support.synthetic import spec

DEVICES = {"torch": Device("torch", "NVIDIA X", 0), "keras": Device("jax", "NVIDIA X", 0)}
RUN = spec("torch", "resnet50", device="NVIDIA X", deterministic=False, threads=1)


def test_only_training_in_pytorch_on_a_gpu_is_timed():
    others = [replace(RUN, device="cpu"), replace(RUN, stage="latency")]
    others += [replace(RUN, framework="keras"), replace(RUN, deterministic=True)]
    assert layouts.timed_on_gpu([*others, RUN]) == [RUN]


def test_nothing_starts_where_nothing_is_timed(tmp_path, monkeypatch):
    monkeypatch.setattr(layouts.subprocess, "run", pytest.fail)
    assert not layouts.time_layouts([replace(RUN, device="cpu")], DEVICES, tmp_path, pytest.fail)


def test_the_process_gets_the_runs_and_a_failure_is_told(tmp_path):
    """The process is the real one; it doesn't see the GPU of the run."""
    told = []
    fault = layouts.time_layouts([RUN], DEVICES, tmp_path, told.append)
    (text,) = told
    assert fault == text
    assert "RuntimeError: the run is for NVIDIA X, PyTorch sees cpu" in text
    assert "the memory layouts were not all timed" in text


def test_what_the_process_tells_is_told(tmp_path, monkeypatch):
    def process(command, **words):
        assert command[-2:] == ["impl_torch.layouts", str(tmp_path)]
        assert words["input"] == RUN.to_json()
        return SimpleNamespace(stdout="one\ntwo\n", stderr="a warning", returncode=0)

    monkeypatch.setattr(layouts.subprocess, "run", process)
    told = []
    assert layouts.time_layouts([RUN], DEVICES, tmp_path, told.append) == ""
    assert told == ["one", "two"]


def test_layouts_are_timed_before_the_short_runs(tmp_path, monkeypatch):
    order = []

    class Launcher:
        def __init__(self, *_, **__):
            pass

        def prepare(self, todo):
            assert todo == [RUN]

        def run(self, todo):
            order.append("runs")
            return []

    monkeypatch.setattr(calibrate, "short_specs", lambda *_, **__: [RUN])
    monkeypatch.setattr(calibrate, "check_images", lambda *_: None)
    monkeypatch.setattr(calibrate, "weights_of", lambda *_: {})
    monkeypatch.setattr(calibrate, "Launcher", Launcher)
    monkeypatch.setattr(calibrate, "time_layouts", lambda *given: order.append(given[0]))
    request = SimpleNamespace(possible=None, cores=2, cache=tmp_path, jobs=1, weights="")
    source = SimpleNamespace(kind="phantom")
    with Console() as console:
        assert calibrate.calibrate(request, DEVICES, source, console) == 0
    assert order == [[RUN], "runs"]
