"""The latency stage: the fastest engine for each number of images is measured and named."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from protocols.hardware import NO_DEVICE
from protocols.runs import latency
from reports.pages.speed.latency import engine
from reports.pages.speed.training import memory
from tests.support.synthetic import spec, timings

IMAGES = np.zeros((3, 84, 112, 3), np.uint8)
SECONDS = {"near": {1: 0.001, 32: 0.02}, "far": {1: 0.006, 32: 0.002}}


class Twin:
    """Two engines, each the faster at one number of images, and one that can't run."""

    default = first = "far"

    def __init__(self):
        self.asked = []

    def engines(self, everything):
        def engine(name):
            def predict(images):
                self.asked.append((name, len(images)))
                time.sleep(SECONDS[name][len(images)])
                return np.full((len(images), 4), 0.25, np.float32)

            return predict

        def broken(images):
            raise RuntimeError("no such instruction")

        return {name: engine(name) for name in SECONDS} | ({"broken": broken} if everything else {})

    def environment(self):
        return {"engine": "?", "device": "cpu"}

    def device_memory(self):
        return NO_DEVICE | {"device_peak_bytes": 7}


def run_of(engines):
    numbers = {"latency_engines": engines, "latency_repeats": 3, "latency_warmup": 1}
    return spec("torch", stage="latency", recipe=numbers)


def warm(twin, tmp_path, engines="all"):
    Image.fromarray(IMAGES[0]).save(tmp_path / "one.jpeg")
    batch = latency.first_images(SimpleNamespace(pixels=IMAGES))
    assert batch.shape == (32, 84, 112, 3)
    ways = twin.engines(everything=False)
    return latency.warm(run_of(engines), twin, ways, batch, tmp_path / "one.jpeg")


def test_each_number_of_images_has_its_own_fastest_engine(tmp_path, capsys):
    env, found = warm(Twin(), tmp_path)
    engines = {part: found[part]["engine"] for part in ("single", "batch32", "jpeg")}
    assert engines == {"single": "near", "batch32": "far", "jpeg": "near"}
    assert found["engine"] == env["engine"] == "near; 32 at once: far"
    assert found["engines"].keys() == {"1", "32"}
    assert all(tried.keys() == {"near", "far"} for tried in found["engines"].values())
    assert found["single"]["median"] < 0.006 and found["batch32"]["median"] < 0.02
    assert found["host_peak_bytes"] > 0 and found["device_peak_bytes"] == 7
    assert "engine broken can't run here: no such instruction" in capsys.readouterr().err


def test_an_engine_that_was_slow_at_first_gets_another_chance_and_a_slow_one_does_not():
    calls = {"awoken": 0, "even": 0, "slow": 0}

    def way(name, *seconds):
        def predict(images):
            calls[name] += 1
            time.sleep(seconds[calls[name] > 7])

        return predict

    ways = {"awoken": way("awoken", 0.012, 0.002), "even": way("even", 0.01, 0.01)}
    ways["slow"] = way("slow", 0.03, 0.03)
    found = latency.tried(ways, IMAGES[:1])
    assert found["awoken"] < 0.008 < found["even"] < 0.02 < found["slow"]
    assert calls == {"awoken": 7 + latency.AGAIN, "even": 7 + latency.AGAIN, "slow": 7}


def test_where_engines_are_not_compared_the_usual_one_is_measured(tmp_path):
    twin = Twin()
    env, found = warm(twin, tmp_path, engines="default")
    assert {name for name, _ in twin.asked} == {"far"}
    assert found["engines"] == {"1": {}, "32": {}} and found["engine"] == env["engine"] == "far"


@pytest.mark.parametrize("old", [False, True])
def test_the_speed_page_names_the_engines(old):
    """Runs made before each number of images had its own engine name one for all."""
    run = spec("torch", stage="latency")
    times = timings(run)
    if not old:
        times["single"]["engine"], times["batch32"]["engine"] = "folded", "eager"
    cell = engine(times)
    wanted = ("eager", "") if old else ("folded", "batch of 32: eager")
    assert (cell.text, cell.note) == wanted


def test_device_memory_says_what_was_taken_beside_what_was_held():
    held = {"host_peak_bytes": 2 << 30, "device_peak_bytes": 3 << 30}
    assert memory([held]) == "host 2.0 GiB, device 3.0 GiB"
    more = held | {"device_reserved_bytes": 4 << 30}
    assert memory([held, more]) == "host 2.0 GiB, device 3.0 GiB (4.0 taken from it)"
