"""What is stored of every epoch, and what is made of it: one rule, one interval an epoch."""

import io
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.store.store import Store
from protocols.runs import record as contract
from reports.cells.collect import collect
from reports.cells.planned_run import Slot
from tests.support import synthetic
from tests.support.recorded import LABELS, log_p, recorder

ROW = np.log(np.array([1 - 1e-12, 1e-12 / 3, 1e-12 / 3, 1e-12 / 3]))


def written(made, folder):
    made.write(folder, {}, {})
    return dict(np.load(folder / "predictions.npz"))


def test_losses_over_16_nats_are_not_cut(tmp_path):
    """Two epochs that probabilities in float16 can't tell apart: 0 stands in both."""
    worse, better = np.tile(ROW, (4, 1)), np.tile(ROW, (4, 1))
    worse[:, 1:] *= 2
    arrays = written(recorder(synthetic.spec(), [(2, 1, worse), (2, 2, better)]), tmp_path)
    losses = [contract.data_loss(p, LABELS, 0.1) for p in contract.stored_epochs(arrays)]
    wanted = [contract.data_loss(p.astype(np.float32), LABELS, 0.1) for p in (worse, better)]
    assert losses == pytest.approx(wanted, rel=2**-11) and losses[0] > losses[1] > 16.7


def test_a_probability_of_0_stays_finite_and_nan_stays_nan(tmp_path):
    with np.errstate(divide="ignore"):
        nothing = np.log(np.eye(4))
    bad = np.full((4, 4), np.nan)
    made = recorder(synthetic.spec(), [(2, 1, nothing), (2, 2, log_p(0.5)), (2, 3, bad)])
    found = contract.stored_epochs(written(made, tmp_path))
    assert np.isfinite(found[0]).all() and found[0].min() == -65504
    assert np.isnan(found[2]).all()
    assert (found[0].argmax(axis=1) == LABELS).all()


def test_earlier_runs_stay_readable():
    p = np.array([[[0.9, 0.1, 0, 0], [0.25, 0.25, 0.25, 0.25]]], np.float16)
    found = contract.stored_epochs({"epochs": p})
    assert np.exp(found)[p > 0] == pytest.approx(p[p > 0].astype(np.float64), rel=1e-6)
    assert np.isfinite(found).all()


def test_log_probabilities_take_the_disk_that_probabilities_took():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (20, 2487, 4)).astype(np.float32)
    logp = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    sizes = []
    for array in (np.exp(logp).astype(np.float16), contract.half(logp)):
        file = io.BytesIO()
        np.savez_compressed(file, array)
        sizes.append(len(file.getvalue()))
    assert 0.9 < sizes[1] / sizes[0] < 1.1
    assert sizes[1] < 1.05 * logp.size * 2


def test_optimism_is_of_the_stored_numbers_on_both_sides(tmp_path):
    """The run chose its second epoch by a hair, which rounding turns; the first answers better."""
    run = synthetic.spec("torch", "xception", recipe={"label_smoothing": 0.0})
    made = synthetic.recorded(run, 0.75, epochs=1)
    labels, step, rows = made.labels, 2**-11, np.arange(len(made.labels))
    middle = -0.7 // step * step - step / 2  # between two numbers of float16
    better = np.full((len(rows), 4), -10.0)
    better[rows, (labels + 2) % 4] = better[rows, (labels + 3) % 4] = np.log(0.25)
    better[rows, labels] = middle + 1e-6  # all are rounded up
    chosen = better.copy()
    chosen[rows, labels] = middle + np.where(rows % 2, step, 0) - 1e-6  # half of them by a step
    chosen[rows[:4]] = -10.0
    chosen[rows[:4], labels[:4]] = middle - 1e-6
    chosen[rows[:4], (labels[:4] + 1) % 4] = -0.69  # wrong answers
    figures = {"train_loss": 1.0, "penalty": 0.0, "train_accuracy": 0.5,
               "train_seconds": 1.0, "eval_seconds": 1.0}  # fmt: skip
    made.rows, made.epochs = made.rows[:1], made.epochs[:1]
    for epoch, answers in enumerate((better, chosen), start=1):
        made.epoch(2, epoch, answers, **figures)
    store = Store(tmp_path)
    synthetic.keep(store, run, made)
    (slot,) = collect(store, [run]).slots
    found, arrays = slot.measured.selection, np.load(slot.run.folder / "predictions.npz")
    stored = [contract.data_loss(p, labels, 0.0) for p in contract.stored_epochs(arrays)]
    assert made.selected == 2 and np.argmin(stored[1:]) == 0, "the test shows nothing"
    assert (found.epoch, found.selected) == (2, 1 - 4 / len(rows))  # the run's own, on the pages
    assert found.optimism == 1 - found.honest  # the first epoch's accuracy is 1


def test_one_epoch_has_one_interval_wherever_it_stands(tmp_path):
    run = synthetic.spec("keras", "xception", profile="paper", kind="real", weights="imagenet")
    made = synthetic.recorded(run, 0.86, epochs=1)  # the only epoch of phase 2: selected and last
    store = Store(tmp_path)
    synthetic.keep(store, run, made)
    (group,) = collect(store, [run]).groups
    (cell,) = group.cells.values()
    assert cell.estimates["last"]["accuracy"].bootstrap_t.high
    for metric, one in cell.estimates["last"].items():
        assert one == cell.estimates["selected"][metric]


def test_the_table_says_where_the_stored_numbers_choose_another_epoch():
    """As one of the recorded smoke runs: the run's own choice scored 12.5 %, theirs 25 %."""
    from reports.data import results
    from reports.data.numbers import Numbers
    from reports.pages.evidence.page import selection_table
    from tests.support.published import FOLDERS

    store = Store(next(f for f in FOLDERS if f.name == "smoke"))
    collected = collect(store, [s for s in store.plan() if s.variant == "cnn_lstm"])
    (group,) = [g for g in collected.groups if g.protocol == "cv10" and g.setting.planned]
    table = selection_table(group.of("jane"), Numbers(results.document(collected)))
    notes = [cell.note for _, rows in table.bodies for row in rows for cell in row]
    assert any(note.startswith("of 25.00") for note in notes), notes


def test_an_earlier_runs_bits_are_compared_where_both_have_them(tmp_path):
    """Every epoch is stored otherwise there; the probabilities that both store decide."""
    from reports.comparison.join import pair_of

    new = written(recorder(synthetic.spec(), [(2, 1, log_p(0.5)), (2, 2, log_p(0.7))]), tmp_path)
    old = {k: v for k, v in new.items() if k != "log_epochs"}
    old["epochs"] = np.exp(new["log_epochs"].astype(np.float32)).astype(np.float16)
    other = old | {"selected": old["selected"] * np.float32(0.999)}

    def slot(arrays, digest):
        record = {"files": {"predictions.npz": {"sha256": digest}}}
        run = SimpleNamespace(record=record, predictions=arrays)
        return Slot(synthetic.spec(), run, True)

    assert pair_of(slot(old, "a"), slot(new, "b")).identical
    assert not pair_of(slot(other, "a"), slot(new, "b")).identical
    lacking = {k: v for k, v in old.items() if k != "last"}
    assert not pair_of(slot(lacking, "a"), slot(new, "b")).identical
