"""Gives the benchmarks their options and fixtures, and describes the machine in their JSON."""

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import timm  # noqa: F401 (before TensorFlow: imported after it, their two LLVMs end the process)

from benchmarks.launch.devices import chosen_gpu, expected_devices
from benchmarks.processes.children import common
from benchmarks.speed.harness import Sample, Scale, take_sample
from benchmarks.speed.peers.process import QUIET, PeerProcess
from benchmarks.speed.side_by_side import Bench
from protocols import hardware
from protocols.files import default_cache
from protocols.images import dataset

os.environ.update(common() | QUIET)
HERE = chosen_gpu("auto")
BACKEND = os.environ.get("KERAS_BACKEND", "")
KERAS = expected_devices(("keras",), HERE.gpu, HERE.index, BACKEND)
os.environ["KERAS_BACKEND"] = KERAS["keras"].backend
LOAD = os.getloadavg()[0]  # the load of others, which would be measured too
PACKAGES = ("torch", "torchvision", "timm", "keras", "tensorflow", "jax", "numpy", "pillow")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds one option for each number of `Scale`."""
    group, usual = parser.getgroup("scale of the benchmarks"), Scale()
    group.addoption("--bench-size", default=f"{usual.height}x{usual.width}", metavar="HxW")
    for name, what in (
        ("images", "a thawed epoch, and a whole run"),
        ("frozen-images", "an epoch over a frozen network"),
        ("rounds", "of epochs"),
        ("calls", "rounds of single answers"),
    ):
        usually = getattr(usual, name.replace("-", "_"))
        group.addoption(f"--bench-{name}", type=int, default=usually, metavar="N", help=what)
    group.addoption("--bench-data", default="auto", metavar="DIR|phantom|auto")
    group.addoption(
        "--bench-compile",
        action="store_true",
        help="torch.compile and XLA also on a CPU: minutes a network",
    )


@pytest.fixture(scope="session")
def scale(pytestconfig: pytest.Config) -> Scale:
    """Returns the scale that the options ask for."""
    height, width = map(int, pytestconfig.getoption("--bench-size").split("x"))
    names = ("images", "frozen_images", "rounds", "calls")
    values = {n: pytestconfig.getoption(f"--bench-{n.replace('_', '-')}") for n in names}
    compiled = pytestconfig.getoption("--bench-compile") or bool(HERE.gpu)
    return Scale(height, width, compile=compiled, **values)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a cache folder of the session's own."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def sample(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[int], Sample]:
    """Returns sample(n): n training images, real ones where there are any, else the phantom's."""
    wish, cache = pytestconfig.getoption("--bench-data"), default_cache()
    source = dataset.made(dataset.locate(wish, True, cache), True, cache)
    taken: dict[int, Sample] = {}

    def take(count: int) -> Sample:
        if count not in taken:
            taken[count] = take_sample(source, count, tmp_path_factory.mktemp(f"sample{count}"))
        return taken[count]

    return take


@pytest.fixture
def peer() -> Iterator[Callable[..., PeerProcess]]:
    """Yields peer(module, function, **words), which gives a PeerProcess that ends with the test."""
    started: list[PeerProcess] = []

    def start(module: str, function: str, **words: Any) -> PeerProcess:
        started.append(PeerProcess(module, function, **words))
        return started[-1]

    yield start
    for process in started:
        process.close()
    gc.collect()  # networks hold their memory in cycles


@pytest.fixture
def bench(
    benchmark: Any,
    scale: Scale,
    sample: Callable[[int], Sample],
    peer: Callable[..., PeerProcess],
    cache: Path,
) -> Bench:
    """Returns what a benchmark on images takes."""
    return Bench(benchmark, scale, sample, peer, cache)


def pytest_benchmark_generate_machine_info(config: pytest.Config) -> dict[str, Any]:
    """Returns the device by name, and the versions; nothing that names the computer."""
    return {
        "device": HERE.gpu or hardware.cpu_name(),
        "cpu": hardware.cpu_name(),
        "cores": hardware.cores(),
        "load_before": LOAD,
        "keras_backend": os.environ["KERAS_BACKEND"],
        "versions": hardware.installed_versions(PACKAGES),
    }
