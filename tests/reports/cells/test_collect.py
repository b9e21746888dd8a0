"""Which runs make a cell: no two of one seed and fold, and none of other images."""

from dataclasses import replace

import pytest

from benchmarks.store.store import Store
from protocols.papers.claims import load_claims
from reports.cells.collect import collect
from reports.judging.verdicts import judge
from tests.support import synthetic

PAPER = {"profile": "paper", "kind": "real", "weights": "imagenet"}
# both folds of a validation, by the threads of the machine that is to make them
ONE, FOUR = ([synthetic.spec("torch", "cnn_gru", fold=fold, threads=threads)
              for fold in range(2)] for threads in (1, 4))  # fmt: skip
HALF = "1 of 2 folds"


def cells(store, stored, plan):
    """The cells of what is stored and planned, by the number of threads."""
    for run in stored:
        synthetic.add(store, run)
    found = collect(store, plan)
    of_threads = {}
    for group in found.groups:
        for cell in group.cells.values():
            (threads,) = {slot.spec.threads for slot in cell.slots}
            of_threads[threads] = cell
    return of_threads


@pytest.mark.parametrize("fold", [0, 1])
def test_folds_of_two_machines_make_no_whole_validation(tmp_path, fold):
    """Each machine was to make both folds, and made one."""
    found = cells(Store(tmp_path), [ONE[0], FOUR[fold]], ONE + FOUR)
    assert {threads: cell.lack for threads, cell in found.items()} == {1: HALF, 4: HALF}
    assert [cell.number("accuracy").value for cell in found.values()] == [None, None]


def test_one_fold_twice_is_not_two(tmp_path):
    found = cells(Store(tmp_path), ONE[:1] + FOUR[:1], ONE[:1] + FOUR[:1])
    assert [cell.lack for cell in found.values()] == [HALF, HALF]


def test_two_whole_validations_stand_apart(tmp_path):
    found = cells(Store(tmp_path), ONE + FOUR, ONE + FOUR)
    assert found.keys() == {1, 4} and not any(cell.lack for cell in found.values())
    assert len({cell.key for cell in found.values()}) == 2


def test_a_validation_shared_out_between_machines_is_whole(tmp_path):
    store, plan = Store(tmp_path), ONE[:1] + FOUR[1:]
    for run in plan:
        synthetic.add(store, run)
    (group,) = collect(store, plan).groups
    (cell,) = group.cells.values()
    assert not cell.lack and cell.number("accuracy").value is not None
    assert "CPU threads differ between runs: 1, 4." in group.caption


def test_a_planned_latency_run_that_is_missing_hides_no_other(tmp_path):
    own, other = (synthetic.spec(stage="latency", threads=threads) for threads in (1, 4))
    synthetic.add(Store(tmp_path), other)
    found = collect(Store(tmp_path), [own, other]).latency
    slots = [slot for of_setting in found.values() for slot in of_setting.values()]
    assert {slot.spec.threads: bool(slot.run) for slot in slots} == {1: False, 4: True}


OTHER = {"height": 60, "width": 80, "train_per_class": 8, "test_per_class": 8}


@pytest.mark.parametrize("key", OTHER)
@pytest.mark.parametrize("planned", [True, False])
def test_runs_of_other_images_than_their_profile_s_judge_nothing(tmp_path, key, planned):
    """A profile of this name had other numbers where they were made."""
    plan = [synthetic.spec("torch", seed=seed, **PAPER) for seed in range(3)]
    other = [replace(run, data=run.data | {key: OTHER[key]}) for run in plan]
    for run in other:
        synthetic.add(Store(tmp_path), run, epochs=1)
    collected = collect(Store(tmp_path), other if planned else [])
    (group,) = collected.groups
    assert group.setting.extra == f"{key} = {OTHER[key]}" and not group.setting.comparable
    assert f"not as published: {key} = {OTHER[key]}" in group.setting.objections
    verdict = judge(load_claims()["liang.t1.xception"], collected, group.setting, "torch")
    assert (verdict.word, verdict.comparable) == ("not tested", False)


@pytest.mark.parametrize("protocol", ["cv10", "cv10-grouped"])
def test_folds_of_other_images_stand_apart(tmp_path, protocol):
    usual, more = (
        synthetic.spec("torch", "cnn_gru", fold=fold, protocol=protocol) for fold in range(2)
    )
    for run in (usual, replace(more, data=more.data | {"per_class": 30})):
        synthetic.add(Store(tmp_path), run)
    found = [cell for group in collect(Store(tmp_path), []).groups for cell in group.cells.values()]
    assert len(found) == 2 and all(cell.lack == HALF for cell in found)
