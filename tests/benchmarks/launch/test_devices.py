"""Where each framework computes: what is installed, what the user says, what a worker sees."""

import pytest

from benchmarks.launch import devices
from benchmarks.launch.devices import expected_devices, real_devices
from benchmarks.launch.worker import environment
from benchmarks.planning.plan import Device
from protocols.errors import RequestError
from tests.support.devices import CPU


def test_without_a_gpu_a_gpu_run_ends_before_training():
    pretended = {"torch": Device("torch", "NVIDIA X", 0)}
    with pytest.raises(RequestError, match=r"torch doesn't see GPU 0 .*requirements-gpu"):
        real_devices(pretended, "", 1)


def test_a_scheduler_s_allotment_is_kept(monkeypatch):
    on_gpu = Device("torch", "NVIDIA X", 1)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert environment(on_gpu, 1)["CUDA_VISIBLE_DEVICES"] == "1"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 5")
    assert environment(on_gpu, 1)["CUDA_VISIBLE_DEVICES"] == "5"
    assert environment(CPU["torch"], 1)["CUDA_VISIBLE_DEVICES"] == ""


BOTH = ("tensorflow", "jax")


@pytest.mark.parametrize(
    ("installed", "told", "gpu", "backend"),
    [
        (BOTH, "", None, "tensorflow"),
        (BOTH, "jax", None, "jax"),
        (("jax",), "", None, "jax"),
        (("jax",), "", "NVIDIA X", "jax"),
        (("tensorflow",), "", "NVIDIA X", "tensorflow"),
    ],
)
def test_keras_takes_tensorflow_where_it_is_unless_told(installed, told, gpu, backend, monkeypatch):
    monkeypatch.setattr(devices, "find_spec", lambda name: name in installed or None)
    index = None if gpu is None else 0
    assert expected_devices(("keras",), gpu, index, told)["keras"].backend == backend


def test_no_worker_is_asked_for_a_backend_that_is_not_installed(monkeypatch):
    asked = []

    class Seeing:
        def __init__(self, framework, device, threads, cache):
            asked.append(device.backend)
            self.hello = {"gpu": "NVIDIA X"}

        def close(self):
            pass

    monkeypatch.setattr(devices, "Worker", Seeing)
    monkeypatch.setattr(devices, "find_spec", lambda name: name == "jax" or None)
    found = real_devices(expected_devices(("keras", "torch"), "NVIDIA X", 0, ""), "", 1)
    assert asked == ["jax", "torch"] and found["keras"] == Device("jax", "NVIDIA X", 0)


def test_a_backend_that_is_not_installed_is_refused(monkeypatch):
    monkeypatch.setattr(devices, "find_spec", lambda name: name == "jax" or None)
    with pytest.raises(RequestError, match=r"'tensorflow', which isn't installed: .*requirements"):
        expected_devices(("keras",), None, None, "tensorflow")
    monkeypatch.setattr(devices, "find_spec", lambda name: None)
    with pytest.raises(RequestError, match="neither TensorFlow nor JAX"):
        expected_devices(("keras", "torch"), None, None, "")
    assert expected_devices(("torch",), None, None, "")["torch"].name == "cpu"
