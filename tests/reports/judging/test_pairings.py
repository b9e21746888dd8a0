"""What a changed value does is asked of runs that differ in that value alone."""

from dataclasses import replace

import pytest

from benchmarks.store.store import Store
from reports.cells.collect import collect
from reports.judging import pairings
from tests.support import synthetic

CHANGES = {"label_smoothing": 0.0, "phase1_rate": 0.5}


def base_of(collected):
    """The runs, by id, with which the one cell of runs with a changed value is compared."""
    (tried,) = pairings.sensitivity_groups(collected)
    (effect,) = pairings.effects(collected, tried).values()
    return [slot.spec.id for slot in effect.b.slots] if effect else []


@pytest.mark.parametrize("asked", ["change", "base", "both", "none"])
@pytest.mark.parametrize("init", ["own", "shared"])
def test_the_base_of_a_change_begins_with_the_same_weights(init, asked, tmp_path):
    own, shared = synthetic.spec(), synthetic.spec(init="shared")
    tried = synthetic.spec(recipe=CHANGES, init=init)
    store = Store(tmp_path)
    for run, accuracy in ((own, 0.6), (shared, 0.8), (tried, 0.7)):
        synthetic.add(store, run, accuracy, epochs=1)
    base = {"own": own, "shared": shared}[init]
    plan = {"change": [tried], "base": [own, shared], "both": [own, shared, tried], "none": []}
    assert base_of(collect(store, plan[asked])) == [base.id]


def test_without_runs_of_that_initialisation_there_is_no_base(tmp_path):
    tried = synthetic.spec(recipe=CHANGES, init="shared")
    store = synthetic.fill(Store(tmp_path), [synthetic.spec(), tried])
    assert base_of(collect(store, [tried])) == []


def test_a_further_set_has_the_further_set_as_its_base(tmp_path):
    plain, tried = synthetic.spec(), synthetic.spec(recipe=CHANGES)
    runs = [replace(run, threads=threads) for run in (plain, tried) for threads in (2, 3)]
    collected = collect(synthetic.fill(Store(tmp_path), runs), [])
    found = {
        cell.slots[0].spec.threads: effect.b.slots[0].spec.threads
        for group in pairings.sensitivity_groups(collected)
        for cell, effect in pairings.effects(collected, group).items()
    }
    assert found == {2: 2, 3: 3}
