"""A report of 200 runs: how large it is, how long it takes."""

import time

import pytest

from benchmarks.store.store import Store
from protocols.hardware import cores
from reports.build import build
from tests.support import synthetic

RUNS = 200
MOST_BYTES = 18_000_000  # of all pages and data files
MOST_SECONDS = 60  # the aim is 10 on two free cores; a shared machine gets six times as long


@pytest.mark.slow
@pytest.mark.alone
def test_a_report_of_200_runs_is_small_and_soon_made(tmp_path, shortcuts):
    plan = synthetic.suite("smoke", tuple(range(7))) + synthetic.control("smoke", (0, 1, 2))
    plan = plan[:RUNS]
    assert len(plan) == RUNS
    store = synthetic.fill(Store(tmp_path), plan)
    with pytest.MonkeyPatch.context() as patch:
        for one in shortcuts:  # none of them
            patch.setattr(*one)
        began = time.monotonic()
        build(store, plan, tmp_path, cores())
        seconds = time.monotonic() - began
    made = [p for p in tmp_path.rglob("*") if p.is_file()]
    made = [path for path in made if tmp_path / "runs" not in path.parents]
    size = sum(path.stat().st_size for path in made)
    print(f"{RUNS} runs: {seconds:.1f} s, {size / 1e6:.1f} MB in {len(made)} files")
    assert size < MOST_BYTES
    assert seconds < MOST_SECONDS
