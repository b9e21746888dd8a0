"""The two memory layouts of a backbone's maps: the same numbers; a GPU takes the faster one."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import impl_torch.models
from impl_torch import layouts
from impl_torch.backbones import FIRST, FORMATS, LAST
from impl_torch.models import Network
from impl_torch.train import TorchTwin
from impl_torch.worker import make_twin
from protocols import nvidia
from protocols.runs.parity import RUNGS
from tests.support import stand_in
from tests.support.synthetic import spec

NAME = "efficientnet_lite0"  # most of its convolutions are depthwise


def run_of(**words):
    words = {"deterministic": False, "threads": 1, "recipe": {"batch_size": 2}} | words
    return spec("torch", NAME, **words)


def network_of(layout):
    """A network in this layout, images, and a list that gets the maps that convolutions read."""
    network, maps = Network(run_of(precision="float64"), {NAME: layout}), []
    for module in network.backbones.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(lambda _, given: maps.append(given[0]))
    shape = 2, 64, 64, 3  # float64 depthwise convolutions are slow with the channels last
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return network, torch.from_numpy(images), maps


def test_a_depthwise_network_computes_the_same_in_both_layouts():
    """float64, within the bound of the parity ladder; each layout is really that of all maps."""
    found = []
    for layout in (LAST, FIRST):
        network, images, maps = network_of(layout)
        with torch.no_grad():
            found.append(network.eval().features(images)[0])
        kernels = [m.weight for m in network.backbones.modules() if isinstance(m, nn.Conv2d)]
        several = [x for x in maps + kernels if x.shape[1] > 1 and x.shape[2] > 1]
        assert len(maps) == len(kernels) and len(several) > 40
        for x in several:
            assert x.is_contiguous(memory_format=FORMATS[layout]), layout
    ours, theirs = found
    assert abs(ours - theirs).max() <= RUNGS["forward"].bound * abs(ours).max()


@pytest.mark.slow
def test_a_depthwise_network_has_the_same_gradients_in_both_layouts():
    found = []
    for layout in (LAST, FIRST):
        network, images, _ = network_of(layout)
        network.train()(images).square().mean().backward()
        found.append([p.grad for p in network.parameters() if p.grad is not None])
    largest = max(gradient.abs().max() for gradient in found[0])
    for ours, theirs in zip(*found, strict=True):
        assert (ours - theirs).abs().max() <= RUNGS["gradients"].bound * largest


@pytest.mark.gpu
@pytest.mark.skipif(not nvidia.names(), reason="no NVIDIA GPU here (nvidia-smi lists none)")
def test_a_gpu_times_both_layouts(tmp_path):
    run = run_of(device=nvidia.names()[0], recipe={})
    layouts.measure([run], tmp_path, print)
    (path,) = (tmp_path / "layouts").iterdir()
    seconds = json.loads(path.read_text(encoding="utf-8"))["seconds"]
    chosen = layouts.faster(run, tmp_path, pytest.fail)
    assert chosen == {NAME: min(seconds, key=seconds.get)}
    size = run.data["height"], run.data["width"]
    twin = make_twin([run], stand_in.pool_of(size), layouts=chosen)
    assert twin.environment()["layouts"] == chosen


def timed(cache, run, last, first, **changed):
    """Writes what --calibrate keeps, of seconds made up."""
    key = layouts.key_of(run, NAME)
    path = layouts.path_of(key, cache)
    path.parent.mkdir(exist_ok=True)
    content = {"key": key | changed, "seconds": {LAST: last, FIRST: first}}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_a_run_on_a_gpu_takes_the_faster_layout(tmp_path):
    run = run_of(device="NVIDIA X")
    say = pytest.fail
    assert layouts.faster(run, tmp_path, say) == {}
    timed(tmp_path, run, 0.2, 0.1)
    assert layouts.faster(run, tmp_path, say) == {NAME: FIRST}
    other = [replace(run, device="NVIDIA Y"), replace(run, precision="tf32")]
    other += [replace(run, device="cpu"), replace(run, deterministic=True)]
    assert [layouts.faster(each, tmp_path, say) for each in other] == [{}] * 4
    timed(tmp_path, run, 0.1, 0.2)
    assert layouts.faster(run, tmp_path, say) == {NAME: LAST}


def test_what_was_timed_and_cannot_be_used_is_told(tmp_path):
    run, told = run_of(device="NVIDIA X"), []
    timed(tmp_path, run, 0.2, 0.1, backbone="xception")
    assert layouts.faster(run, tmp_path, told.append) == {}
    timed(tmp_path, run, 0.2, 0.1).write_text("{", encoding="utf-8")
    assert layouts.faster(run, tmp_path, told.append) == {}
    assert len(told) == 2 and all("--calibrate times both layouts anew" in text for text in told)


def test_calibration_times_each_backbone_once_and_the_run_records_the_choice(tmp_path, monkeypatch):
    stand_in.put(monkeypatch)
    monkeypatch.setattr(layouts, "make_backbone", impl_torch.models.make_backbone)
    monkeypatch.setattr(layouts, "ROUNDS", 2)
    run, told = run_of(), []
    layouts.measure([run, replace(run, seed=1)], tmp_path, told.append)
    (path,) = (tmp_path / "layouts").iterdir()
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["key"] == layouts.key_of(run, NAME)
    assert set(content["seconds"]) == {LAST, FIRST} and min(content["seconds"].values()) > 0
    assert len(told) == 1 and f"{NAME} at 84x112, batch 2: a step takes" in told[0]
    pool = stand_in.pool_of()
    usual = make_twin([run], pool)
    assert usual.environment()["layouts"] == {NAME: LAST}
    chosen = make_twin([run], pool, layouts={NAME: FIRST})
    assert isinstance(chosen, TorchTwin) and chosen.environment()["layouts"] == {NAME: FIRST}
    assert chosen.network.backbones[0].get_submodule("0").layout == FIRST


def test_no_memory_to_time_both_is_told(tmp_path, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(layouts, "timings", full)
    told = []
    layouts.measure([run_of()], tmp_path, told.append)
    assert told == [
        f"{NAME} at 84x112, batch 2: the GPU has no memory to time both layouts, so the channels "
        "lie last"
    ]
    assert not (tmp_path / "layouts").exists()
