"""Shared pieces: a cache with the phantom, and runs that train on it."""

import os

import numpy as np
import pytest
import timm  # noqa: F401 (before TensorFlow: imported after it, their two LLVMs end the process)

import impl_keras  # noqa: F401 (before TensorFlow: it asks for oneDNN)
from benchmarks.planning.plan import Selection, make_plan, set_request
from protocols.images import dataset
from protocols.images.decoded import image_set
from protocols.runs.worker_loop import Job
from tests.support.devices import CPU

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A cache folder that all tests of a session share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def phantom(cache):
    return dataset.made(dataset.locate("phantom", True, cache), True, cache)


@pytest.fixture(scope="session")
def plan_of():
    """The smoke plan of one variant on the phantom; words change the selection."""

    def plan(*variants, **words):
        return make_plan(Selection(variants=variants, **words), "phantom", CPU, cores=2)

    return plan


@pytest.fixture
def job_of(phantom, cache, tmp_path):
    """The job of a spec: its decoded phantom set and an empty folder."""

    def job(spec):
        images = image_set(phantom, set_request(spec.protocol, spec.fold, spec.data), cache)
        return Job(
            images=images.folder,
            folder=tmp_path,
            jpeg=images.files[0],
            cache=cache,
            checkpoint=tmp_path / "checkpoint.npz",
        )

    return job


@pytest.fixture(scope="session", autouse=True)
def few_draws():
    """Pages are built often here: their intervals from few draws. Gives the true numbers, as
    (module, name, draws)."""
    from reports.cells import cell
    from reports.judging import contrasts

    few = ((cell, "DRAWS", 300), (contrasts, "DRAWS", 200))
    whole = [(module, name, getattr(module, name)) for module, name, _ in few]
    with pytest.MonkeyPatch.context() as patch:
        for one in few:
            patch.setattr(*one)
        yield whole


@pytest.fixture
def rng():
    return np.random.default_rng(0)
