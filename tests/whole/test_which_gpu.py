"""On which GPU a request computes, and what it says where CUDA_VISIBLE_DEVICES hides some; by a
stand-in for nvidia-smi."""

import pytest

from benchmarks.launch import command_line
from tests.support import nvidia_smi
from tests.support.command import asked
from tests.support.nvidia_smi import MIG

PLAN = ("--plan", "--cache")
HIDDEN = [("", "0"), ("-1", "0"), ("7,0", "1"), ("0,-1,1", "1")]  # variable, GPU asked for


@pytest.mark.parametrize(
    ("visible", "named"),
    [("GPU-c0d51234", "NVIDIA A"), (MIG[0], "NVIDIA A MIG 3g.20gb"), ("1,0", "NVIDIA B")],
)
def test_auto_takes_the_first_gpu_that_the_variable_names(visible, named, monkeypatch, tmp_path):
    nvidia_smi.put(monkeypatch, tmp_path, nvidia_smi.DIVIDED, visible=visible)
    first = asked(*PLAN, tmp_path, "--data", "phantom", "--profile", "smoke").stdout.splitlines()[0]
    assert f"(on {named}" in first and "profile smoke" in first


@pytest.mark.parametrize("visible", ["", "-1", "7,0"])
def test_auto_says_why_it_takes_the_cpu(visible, monkeypatch, tmp_path):
    nvidia_smi.put(monkeypatch, tmp_path, visible=visible)
    first = asked(*PLAN, tmp_path).stdout.splitlines()[0]
    assert "(on the CPU: CUDA_VISIBLE_DEVICES is " in first
    assert "hides the 2 GPUs that nvidia-smi lists)" in first
    assert "(on the CPU, by --gpu none)" in asked(*PLAN, tmp_path, "--gpu", "none").stdout
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert "(on the CPU: there is no nvidia-smi here" in asked(*PLAN, tmp_path).stdout


@pytest.mark.parametrize(("visible", "number"), HIDDEN)
def test_a_hidden_gpu_is_refused_for_that_reason(visible, number, monkeypatch, tmp_path):
    nvidia_smi.put(monkeypatch, tmp_path, visible=visible)
    answer = asked(*PLAN, tmp_path, "--gpu", number)
    assert answer.returncode == 2 and f"there is no GPU {number}: this process may" in answer.stderr
    assert "CUDA_VISIBLE_DEVICES is " in answer.stderr and " hides " in answer.stderr
    assert "unset CUDA_VISIBLE_DEVICES" in answer.stderr and "install" not in answer.stderr


@pytest.mark.parametrize(
    ("wish", "visible", "said"),
    [
        ("all", None, "several kinds of GPU (NVIDIA A, NVIDIA B), whose numbers never stand in"),
        ("all", "1", "(on NVIDIA B, 1 of them, by Ray)"),
        ("all:NVIDIA B", None, "(on NVIDIA B, 1 of them, by Ray)"),
        ("all:ia b", None, "(on NVIDIA B, 1 of them, by Ray)"),
        ("all:NVIDIA", None, "choose one, as --gpu 'all:NVIDIA A'"),
        ("all:H100", None, "there is no GPU of the kind 'H100'; there are NVIDIA A, NVIDIA B"),
        ("all", "", "--gpu all: there is no GPU to use: CUDA_VISIBLE_DEVICES is empty"),
    ],
)
def test_all_gpus_are_of_one_kind(wish, visible, said, monkeypatch, tmp_path):
    nvidia_smi.put(monkeypatch, tmp_path, visible=visible)
    more = ("--profile", "smoke", "--data", "phantom")
    answer = asked(*PLAN, tmp_path, "--gpu", wish, *more)
    assert said in answer.stdout + answer.stderr
    assert answer.returncode == (0 if "by Ray" in said else 2)


def test_without_ray_installed_its_flags_say_so(monkeypatch, tmp_path):
    monkeypatch.setattr(command_line, "find_spec", lambda name: None)
    for words in (["--ray", "auto"], ["--gpu", "all"]):
        answer = asked(*words, "--out", tmp_path / "out")
        assert answer.returncode == 2 and "pip install -r requirements-many.txt" in answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_scheduler_s_share_is_told(monkeypatch, tmp_path):
    nvidia_smi.put(monkeypatch, tmp_path, visible="1")
    answer = asked(*PLAN, tmp_path, "--gpu", "0", "--profile", "smoke", "--data", "phantom")
    assert "(on NVIDIA B; CUDA_VISIBLE_DEVICES is '1', which hides 1 of the 2 GPUs" in answer.stdout
    assert "torch on NVIDIA B" in answer.stdout
