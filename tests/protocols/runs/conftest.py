"""Fixtures of the tests of runs."""

import dataclasses

import numpy as np
import pytest

from protocols.runs import course
from protocols.runs.record import HISTORY
from tests.support.line import Killed, Line


@pytest.fixture
def trained(plan_of, job_of, tmp_path):
    """Gives a function that trains a Line.
    `kill_at` has the progress calls after which the Line is killed, launch by launch."""
    (run,) = [s for s in plan_of("xception", frameworks=("torch",)) if s.stage == "train"]

    def train(kill_at=(), pauses=(0.0, 0.0), notes=None, finish=True):
        job = dataclasses.replace(job_of(run), pauses=pauses)
        for limit in (*kill_at, None) if finish else kill_at:
            calls = 0

            def progress(what, done, total, limit=limit):
                nonlocal calls
                calls += 1
                if calls == limit:
                    raise Killed

            try:
                course.run(
                    Line, [run], [job], progress, [].append if notes is None else notes.append
                )
            except Killed:
                assert limit is not None
        if not finish:
            return None
        arrays = {}
        for name in ("predictions.npz", "activations.npz"):
            with np.load(tmp_path / name) as found:
                arrays |= {f"{name}/{key}": value for key, value in found.items()}
        job.checkpoint.unlink(missing_ok=True)
        rows = (tmp_path / "history.csv").read_text(encoding="utf-8").splitlines()
        kept = [i for i, name in enumerate(HISTORY) if not name.endswith("seconds")]
        return arrays, [[row.split(",")[i] for i in kept] for row in rows]

    return train
