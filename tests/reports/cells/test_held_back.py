"""What the pages do not say: words without the runs for them, means over unlike sets."""

import numpy as np
import pytest

from benchmarks.store.store import Store
from protocols import metrics
from protocols.papers.claims import load_claims
from protocols.papers.variants import load_variants
from reports.cells.cell import Group
from reports.cells.collect import Collected, collect
from reports.data import contrast_records, results
from reports.data.numbers import Numbers
from reports.figures import curves
from reports.judging import pairings
from reports.judging.contrasts import Contrast
from reports.judging.verdicts import claimed_contrasts
from reports.pages.evidence.page import (
    accuracy_table,
    comparison_table,
    ranking_table,
    selection_table,
)
from reports.pages.overview import tables as overview_tables
from reports.tables.formats import STALE, percent
from tests.support import synthetic
from tests.support.published import FOLDERS

PAPER = {"profile": "paper", "kind": "real", "weights": "imagenet"}
SEVEN = [v.name for v in load_variants().values() if v.suite == "liang"]


@pytest.fixture(scope="module")
def seven(tmp_path_factory):
    """Liang's seven networks in Keras, one seed, under both protocols."""
    plan = [
        synthetic.spec("keras", name, protocol=protocol, **PAPER)
        for protocol in ("fixed", "fixed-grouped")
        for name in SEVEN
    ]
    store = Store(tmp_path_factory.mktemp("seven"))
    for run in plan:
        best = run.variant == "xception_lstm"
        synthetic.add(store, run, 0.95 if best else 0.8, epochs=1)
    return store, plan


def group_of(store: Store, plan: list, protocol: str) -> tuple[Collected, Group]:
    collected = collect(store, plan)
    return collected, next(g for g in collected.groups if g.protocol == protocol)


def numbers_of(collected: Collected) -> Numbers:
    return Numbers(results.document(collected))


def words_of(table) -> list[str]:
    return [cell.text for _, rows in table.bodies for row in rows for cell in row]


def test_an_order_needs_the_seeds_and_the_protocol_of_its_claim(seven):
    store, plan = seven
    assert "supported" not in words_of(ranking_table(group_of(store, plan, "fixed")[1]))
    assert ranking_table(group_of(store, plan, "fixed-grouped")[1]) is None


def test_three_seeds_may_judge_an_order_and_stale_ones_may_not(tmp_path, monkeypatch):
    names = ("inception_v3", "resnet50", "xception")
    plan = [
        synthetic.spec("keras", name + end, seed=seed, **PAPER)
        for name in names
        for end in ("", "_lstm")
        for seed in range(3)
    ]
    store = Store(tmp_path)
    for run in plan:
        synthetic.add(store, run, 0.95 if run.variant.endswith("_lstm") else 0.8, epochs=1)
    collected, group = group_of(store, plan, "fixed")
    assert "supported" in words_of(ranking_table(group))
    shown = words_of(overview_tables.verdict_table(collected, numbers_of(collected), group.setting))
    assert STALE not in "".join(shown)
    synthetic.raise_version(monkeypatch)
    collected, group = group_of(store, plan, "fixed")
    assert not {"supported", "refuted"} & set(words_of(ranking_table(group)))
    assert "not judged" in words_of(comparison_table(group, numbers_of(collected)))
    marked = [
        text for text in words_of(selection_table(group, numbers_of(collected))) if STALE in text
    ]
    assert len(marked) == len(group.cells)
    table = overview_tables.verdict_table(collected, numbers_of(collected), group.setting)
    claim = load_claims()["liang.rank.rnn"]
    row = next(r for _, rows in table.bodies for r in rows if r[0].id == claim.id)
    assert row[2].text.endswith(STALE)


@pytest.mark.parametrize("asked", [["fixed"], ["fixed-grouped"], [], ["fixed", "fixed-grouped"]])
def test_leak_free_runs_stand_beside_the_others_whatever_was_asked_for_last(seven, asked):
    store, plan = seven
    collected, _ = group_of(store, [run for run in plan if run.protocol in asked], "fixed")
    (found,) = pairings.leak_free(collected)
    assert [one.value is not None for one in found.contrasts] == [True] * len(SEVEN)


def test_no_difference_of_means_over_different_seeds(tmp_path):
    few, more = [0], [0, 1]
    plan = [synthetic.spec("keras", "xception", seed=seed) for seed in more]
    plan += [synthetic.spec("keras", "xception_lstm", seed=seed) for seed in few]
    plan += [synthetic.spec("keras", "xception", protocol="fixed-grouped", seed=s) for s in few]
    changed = {"label_smoothing": 0.0}
    plan += [synthetic.spec("keras", "xception", recipe=changed, seed=seed) for seed in few]
    store = synthetic.fill(Store(tmp_path), plan)
    collected, group = group_of(store, plan, "fixed")
    (tried,) = pairings.sensitivity_groups(collected)
    (effect,) = pairings.effects(collected, tried).values()
    ((free,),) = (found.contrasts for found in pairings.leak_free(collected))
    claim = load_claims()["liang.rank.rnn"]
    claimed = claimed_contrasts(claim, group, "keras")["xception_lstm", "xception"]
    for one in (effect, free, claimed):
        assert one.value is None and one.by_seed == () and "different seeds" in one.lack
        assert None not in (number.value for number in one.numbers)
        assert one.on_images is None


def test_images_that_both_twins_get_wrong_are_of_the_same_seeds(tmp_path):
    plan = [synthetic.spec("keras", "xception"), synthetic.spec("torch", "xception", seed=1)]
    store = synthetic.fill(Store(tmp_path), plan)
    assert contrast_records.both_wrong(group_of(store, plan, "fixed")[1]) == []


def test_mcnemar_counts_an_image_once(tmp_path):
    plan = [synthetic.spec(f, "xception", seed=s) for f in ("keras", "torch") for s in (0, 1, 2)]
    store = synthetic.fill(Store(tmp_path), plan)
    p = []
    for seeds in ((0,), (0, 1, 2)):
        _, group = group_of(store, [s for s in plan if s.seed in seeds], "fixed")
        cells = [group.cells[f, "xception"] for f in ("keras", "torch")]
        p.append(Contrast(*cells).mcnemar)
    assert p[0] == p[1]


def test_curves_of_a_validation_part_say_so(tmp_path):
    run = synthetic.spec("torch", "xception", protocol="fixed-grouped")
    store = Store(tmp_path)
    recorder = synthetic.recorded(run)
    recorder.selecting = 4
    synthetic.keep(store, run, recorder)
    _, group = group_of(store, [run], "fixed-grouped")
    drawn = str(curves.run_figure(group.cells["torch", "xception"], 0, "x"))
    assert "on the validation part" in drawn and ">validation<" in drawn
    assert "test" not in drawn


def cut(path):
    path.write_text(path.read_text(encoding="utf-8")[:-20], encoding="utf-8")


def shorter(path):
    path.write_text(
        "\n".join(path.read_text(encoding="utf-8").splitlines()[:2]) + "\n", encoding="utf-8"
    )


def inflated(path):
    data = bytearray(path.read_bytes())
    for at in range(200, len(data), 500):
        data[at : at + 3] = b"\xff\xff\xff"
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "damage"),
    [("history.csv", cut), ("history.csv", shorter), ("predictions.npz", inflated)],
)
def test_a_run_with_a_damaged_file_is_a_failed_one(tmp_path, name, damage):
    run = synthetic.spec("torch", "xception")
    damage(synthetic.add(Store(tmp_path), run).folder / name)
    (slot,) = collect(Store(tmp_path), [run]).slots
    assert slot.state == "failed" and slot.reason.startswith("its files can't be read")


def test_the_epoch_that_a_run_chose_is_the_one_that_is_scored():
    """Rounded to half precision, the losses of some published runs choose another."""
    plan = Store(next(f for f in FOLDERS if f.name == "smoke"))
    slots = [s for s in collect(plan, plan.plan()).slots if s.spec.stage == "train"]
    for slot in slots:
        found, scores = slot.measured.selection, slot.measured.scores
        assert (found.epoch, found.selected) == (slot.measured.row, scores["selected"]["accuracy"])


def test_a_last_epoch_that_diverged_has_no_accuracy(tmp_path):
    run = synthetic.spec("torch", "xception")
    store, recorder = Store(tmp_path), synthetic.recorded(run, epochs=1)
    nothing = np.full((recorder.labels.size, 4), np.nan, np.float32)
    recorder.epoch(2, 2, nothing, train_loss=np.nan, penalty=0.0, train_accuracy=0.25,
                   train_seconds=1.0, eval_seconds=1.0)  # fmt: skip
    synthetic.keep(store, run, recorder)
    (slot,) = collect(store, [run]).slots
    assert np.isnan(slot.measured.selection.last) and slot.measured.selection.selected > 0


def test_folds_of_the_grouped_pool_are_scored_together(tmp_path):
    plan = [
        synthetic.spec("torch", "cnn_lstm", protocol="cv10-grouped", fold=fold, profile="smoke")
        for fold in range(2)
    ]
    store = Store(tmp_path)
    for run, accuracy in zip(plan, (1.0, 0.25), strict=True):
        synthetic.add(store, run, accuracy)
    _, group = group_of(store, plan, "cv10-grouped")
    cell = group.cells["torch", "cnn_lstm"]
    arrays = [np.load(store.find(run).folder / "predictions.npz") for run in plan]
    labels, given = (np.concatenate([a[k] for a in arrays]) for k in ("labels", "selected"))
    wanted = metrics.score(labels, given)
    for metric in ("accuracy", "precision_macro", "f1_macro", "log_loss"):
        assert cell.number(metric).value == pytest.approx(wanted[metric], rel=1e-12)
    alone = [metrics.score(a["labels"], a["selected"])["f1_macro"] for a in arrays]
    assert abs(sum(alone) / 2 - wanted["f1_macro"]) > 0.005, "the test shows nothing"
    assert "of all folds together" in group.caption


def test_the_interval_over_folds_says_of_which_mean_it_is(tmp_path):
    """Folds of whole photographs have unlike sizes: their mean isn't the accuracy of all images."""
    plan = [
        synthetic.spec("torch", "cnn_lstm", protocol="cv10-grouped", fold=fold, profile="smoke")
        for fold in range(2)
    ]
    store = Store(tmp_path)
    recorder = synthetic.recorded(plan[0], 1.0)
    recorder.selecting = 2
    synthetic.keep(store, plan[0], recorder)
    synthetic.add(store, plan[1], 0.25)
    collected, group = group_of(store, plan, "cv10-grouped")
    cell = group.cells["torch", "cnn_lstm"]
    mean = sum(slot.scored.scores["selected"]["accuracy"] for slot in cell.slots) / 2
    assert abs(mean - cell.number("accuracy").value) > 0.005, "the test shows nothing"
    known = f"of the mean over the first seed's folds, {percent(mean)}"
    assert known in accuracy_table(group, numbers_of(collected)).reasons
    alike = [synthetic.spec("torch", "cnn_lstm", fold=fold) for fold in range(2)]
    collected, group = group_of(synthetic.fill(store, alike), alike, "cv10")
    assert "of the mean" not in " ".join(accuracy_table(group, numbers_of(collected)).reasons)
