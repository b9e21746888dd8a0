"""Several heads over a frozen CNN, trained together by the course of a run, killed and started
again: PyTorch, on the CPU. Their checkpoint is as large as the plan tells."""

import hashlib
import json
from dataclasses import replace

import pytest

from benchmarks.store.records import env
from protocols.runs import course
from protocols.spec import RunSpec
from protocols.weights.start import HeadsOnly
from tests.support.line import ending


class Killed(BaseException):
    """Stands for a SIGKILL."""


def make(specs, pool, start):
    """Twins whose CNN is random, in place of one that is loaded."""
    import torch

    from impl_torch.worker import make_twin

    torch.manual_seed(0)
    return make_twin(specs, pool, HeadsOnly())


@pytest.fixture
def runs(plan_of, job_of, tmp_path):
    """Three folds of a frozen Jane, their jobs in folders named by a word."""
    weights = {"source": "imagenet", "digest": "e" * 64}
    planned = plan_of("cnn_gru", frameworks=("torch",), folds=(0, 1, 2))
    specs = [replace(s, weights=weights) for s in planned if s.stage == "train"]

    def jobs(word):
        folder = tmp_path / word
        for spec in specs:
            (folder / spec.id).mkdir(parents=True)
        here = {"cache": folder, "checkpoint": folder / "checkpoint.npz", "pauses": (0.0, 0.0)}
        return [replace(job_of(s), folder=folder / s.id, **here) for s in specs]

    return specs, jobs


def killed_at(call):
    """A progress callable that ends the run at that call."""
    calls = iter(range(1, 1000))

    def progress(*_):
        if next(calls) == call:
            raise Killed

    return progress


@pytest.mark.parametrize("loaded", [True, False])
def test_a_run_records_the_file_of_its_weights(runs, tmp_path, loaded):
    """As information beside the run: its id and its spec know nothing of the file."""
    specs, jobs_of = runs
    path = tmp_path / "my\n\udcffxception.h5"
    path.write_bytes(b"weights")
    files = {"weights": {"xception": path, "resnet50": path} if loaded else {}}
    jobs = [replace(job, **files) for job in jobs_of("one")]
    course.run(make, specs, jobs, lambda *_: None, pytest.fail)
    for spec, job in zip(specs, jobs, strict=True):
        found = env(job.folder / "env.json")  # read by the schema
        sha256 = hashlib.sha256(b"weights").hexdigest()
        file = {"file": "my\\n\ufffdxception.h5", "hash": f"sha256:{sha256}"}
        assert found.get("weights") == ({"xception": file} if loaded else None)
        assert RunSpec.from_json((job.folder / "spec.json").read_text("utf-8")).id == spec.id


def test_members_together_end_as_if_never_killed(runs):
    specs, jobs_of = runs
    never, killed = jobs_of("never"), jobs_of("killed")
    course.run(make, specs, never, lambda *_: None, pytest.fail)
    for call in (2, 1):  # each from the last one's checkpoint
        with pytest.raises(Killed):
            course.run(make, specs, killed, killed_at(call), pytest.fail)
    held = killed[0].checkpoint.stat().st_size
    course.run(make, specs, killed, lambda *_: None, pytest.fail)
    told = json.loads((never[0].folder / "timings.json").read_text(encoding="utf-8"))["state_bytes"]
    assert len(specs) * told < held < 1.1 * len(specs) * told
    assert [ending(job.folder) for job in killed] == [ending(job.folder) for job in never]
    assert len({str(ending(job.folder)) for job in never}) == len(specs), "not one run thrice"
