"""Parts of test_gpu.py on the CPU: what is quick enough there, or must hold there too."""

import json
import subprocess
import sys

import pytest

from benchmarks.launch.worker import environment
from benchmarks.planning.plan import Device
from protocols.files import ROOT
from protocols.hardware import free_memory
from tests.support.devices import skip_without_tensorflow

pytestmark = pytest.mark.slow


def part(name, backend, *words, threads=1):
    framework = "torch" if backend == "torch" else "keras"
    answer = subprocess.run(
        [sys.executable, "-m", "tests.support.gpu_parts", name, framework, *words],
        capture_output=True, encoding="utf-8", cwd=ROOT,
        env=environment(Device(backend, "cpu"), threads),
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr[-2000:]
    return json.loads(answer.stdout.splitlines()[-1])


@pytest.mark.parametrize(("backend", "word"), [("torch", "aten"), ("jax", "scan")])
def test_no_step_on_a_cpu_has_cudnn_s_layers(backend, word):
    assert part("recurrent", backend, "cnn_lstm") == {"cnn_lstm": [word, False]}


@pytest.mark.parametrize(
    ("variant", "what"), [("inception_v3", "all layers"), ("resnet50_lstm", "head")]
)
def test_operations_at_once_move_no_bit(variant, what):
    """TensorFlow may compute the branches of InceptionV3, or the directions of a recurrent layer,
    one after the other or at once."""
    skip_without_tensorflow()
    one, several = (part("bits", "tensorflow", variant, what, n, threads=2) for n in "12")
    assert len({*one, *several}) == 1


@pytest.mark.skipif(free_memory() < 12 << 30, reason="takes 6 GB; less than 12 GiB are free")
@pytest.mark.parametrize("backend", ["torch", "jax", "tensorflow"])
def test_images_beyond_two_to_the_31_come_back(backend):
    """The papers' images are more numbers than an int32 counts."""
    if backend == "tensorflow":
        skip_without_tensorflow()
    found = part("large", backend)
    assert found["numbers"] > 2**31 and found["equal"]
