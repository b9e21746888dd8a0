"""--compare: two stores beside each other; which word stands where, and that nothing is dropped."""

import numpy as np
import pytest
from scipy import stats

import benchmarks.store.store
from reports.comparison.judge import noise
from reports.comparison.times import ratio
from reports.statistics.between_seeds import one_more_run
from tests.support.command import asked, runner
from tests.support.reading import PAPER, percent, scored
from tests.support.synthetic import add_failed, raise_version, spec

KERAS, TORCH, LATENCY = spec(), spec("torch"), spec(stage="latency")
GPU = {"device": "Some GPU", "threads": 8}


def seeds(accuracies, **more):
    """A paper run for each accuracy."""
    return [(spec(seed=i, **PAPER, **more), value) for i, value in enumerate(accuracies)]


def only(found):
    assert len(found["cells"]) == 1
    return found["cells"][0]


def test_the_same_store_twice_is_identical(stores, compared):
    runs = (KERAS, 0.8), (TORCH, 0.7), (LATENCY, 4.0)
    found, tables, text = compared(stores("a", *runs), stores("b", *runs))
    assert found["counts"] == {
        "identical": 2, "within noise": 0, "more than noise": 0, "undecided": 0,
    }  # fmt: skip
    assert found["lone"] == [] and len(found["latency"]) == 1
    assert all(one["differ"] == 0 for fields in found["around"].values() for one in fields)
    row = tables.row("A, B, and B − A", "Xception")
    assert row[-1] == "identical | every stored probability has the same bits"
    assert row[4].startswith("0.00")
    assert "differs, Keras: nothing" in text and "2 identical" in text


def test_numbers_are_those_of_the_predictions(stores, compared):
    a, b = stores("a", (KERAS, 0.8)), stores("b", (spec(**GPU), 0.5))
    found, tables, _ = compared(a, b)
    ids = only(found)["runs"][0]
    one, two = scored(a.out, ids["a"]), scored(b.out, ids["b"])
    row = tables.row("A, B, and B − A", "Xception")
    assert [row[2], row[3]] == [percent(x["accuracy"]) for x in (one, two)]
    for metric in ("accuracy", "log_loss", "f1_macro"):
        gap = only(found)["changes"][metric]["difference"]
        assert gap == pytest.approx(two[metric] - one[metric], abs=1e-15)
        assert only(found)["images"][metric]["value"] == pytest.approx(gap, abs=1e-6)
    classes = [s.runs()[0].predictions["selected"].argmax(axis=1) for s in (a, b)]
    assert ids["agree"] == pytest.approx(np.mean(classes[0] == classes[1]))


def test_one_seed_is_no_evidence_however_near(stores, compared):
    found, _, text = compared(stores("a", (KERAS, 0.8)), stores("b", (spec(**GPU), 0.8)))
    assert only(found)["changes"]["accuracy"]["difference"] == 0
    assert only(found)["word"] == "undecided"
    assert only(found)["reason"] == "seeds: 1 in A, 1 in B; one side needs 3"
    assert "undecided, 1: seeds: 1 in A" in text


def test_one_epoch_of_one_run_with_other_bits_is_not_identical(stores, compared, monkeypatch):
    a, b = stores("a", (KERAS, 0.8)), stores("b", (spec(threads=4), 0.8))
    read, change = benchmarks.store.store.Run.predictions.fget, False

    def all_of_a(run):  # B hands back A's bits, but for one probability of one epoch
        arrays = read(a.runs()[0])
        if run.spec.threads == 4 and change:
            arrays["log_epochs"][0, 0, 0] += np.float16(0.01)
        return arrays

    monkeypatch.setattr(benchmarks.store.store.Run, "predictions", property(all_of_a))
    assert only(compared(a, b)[0])["word"] == "identical"
    change = True
    found, _, _ = compared(a, b)
    assert only(found)["word"] == "undecided"
    assert only(found)["runs"][0]["agree"] == 1


def test_a_seed_that_differs_is_said_and_named(stores, compared):
    base = (0.80, 0.81, 0.82)
    a = stores("a", *seeds(base))
    b = stores("b", *seeds((*base[:2], 0.825)))
    found, tables, _ = compared(a, b)
    assert [run["identical"] for run in only(found)["runs"]] == [True, True, False]
    assert only(found)["word"] != "identical"
    assert "2 of 3 common runs have the same bits" in only(found)["reason"]
    bits = [row[5] for row in tables.find("Every run that both")[2:]]
    assert bits[:2] == ["yes", "yes"] and bits[2].startswith("no | selected epochs at most")


@pytest.mark.parametrize(
    ("other", "word"),
    [
        ((0.801, 0.804, 0.800), "within noise"),
        ((0.850, 0.853, 0.851), "more than noise"),
        ((0.750, 0.753, 0.751), "more than noise"),
        ((0.801,), "within noise"),  # the prediction interval of one more run
        ((0.85,), "more than noise"),
        ((0.80, 0.70, 0.90), "undecided"),  # too wide
    ],
)
def test_three_seeds_decide(stores, compared, other, word):
    a, b = stores("a", *seeds((0.800, 0.803, 0.801))), stores("b", *seeds(other, **GPU))
    found, tables, text = compared(a, b)
    change = only(found)["changes"]["accuracy"]
    assert change["word"] == word
    values = [list(change[f"by_seed_{side}"].values()) for side in "ab"]
    test = stats.ttest_ind(values[1], values[0])
    assert change["p"] == pytest.approx(test.pvalue)
    low, high = test.confidence_interval()
    assert change["half_width"] == pytest.approx((high - low) / 2)
    assert found["counts"][only(found)["word"]] == 1
    if word == "more than noise":
        assert only(found)["word"] == word and "more than noise: Xception, Keras" in text
        assert "beyond ±" in tables.row("A, B, and B − A", "Xception")[4]


def test_one_more_run_is_held_against_the_verdicts_interval():
    values = [0.80, 0.83, 0.81]
    assert noise(values, [0.9])[0] == pytest.approx(one_more_run(values)[1])
    assert noise([0.8], [0.9]) is None and noise([0.8] * 3, [0.8] * 3) is None


def test_seeds_without_spread_decide_nothing(stores, compared):
    a, b = stores("a", *seeds((0.8,) * 3)), stores("b", *seeds((0.8,) * 3, **GPU))
    found, _, _ = compared(a, b)
    change = only(found)["changes"]["accuracy"]
    assert (change["word"], change["reason"]) == ("undecided", "the seeds do not differ")


def test_a_change_that_many_comparisons_explain_is_undecided(stores, compared):
    """Significant alone, not among eight networks with three measures each."""
    near = (0.800, 0.803, 0.801), (0.806, 0.804, 0.807)
    names = ("resnet50", "inception_v3", "xception_lstm", "resnet50_lstm")
    rest = [(run, value) for name in names for run, value in seeds(near[0], variant=name)]
    moved = [(spec(seed=r.seed, variant=r.variant, **PAPER, **GPU), v) for r, v in rest]
    alone, _, _ = compared(stores("a", *seeds(near[0])), stores("b", *seeds(near[1], **GPU)))
    p = only(alone)["changes"]["accuracy"]["p"]
    assert p < 0.05
    a = stores("many-a", *seeds(near[0]), *rest)
    found, _, _ = compared(a, stores("many-b", *seeds(near[1], **GPU), *moved))
    cell = next(c for c in found["cells"] if c["variant"] == "xception")["changes"]["accuracy"]
    assert cell["p"] == p and cell["p_holm"] > 0.05
    assert cell["word"] == "undecided" and "number of comparisons" in cell["reason"]


def test_runs_without_a_pair_are_listed_with_the_reason(stores, compared):
    gone, broken, other = spec("torch", "resnet50"), spec("torch", seed=1), spec(seed=1)
    a = stores("a", (KERAS, 0.8), (TORCH, 0.8), (gone, 0.8), (broken, 0.8), (other, 0.8))
    b = stores("b", (KERAS, 0.8), (TORCH, 0.8), (spec(seed=1, recipe={"l2": 0.5}), 0.8))
    add_failed(b, broken, "RuntimeError: no memory in /home/someone/x.py")
    asked = spec("keras", "inception_v3")
    b.remember([KERAS, TORCH, asked])
    (b.runs_folder / "of-another-contract").mkdir()
    found, tables, text = compared(a, b)
    why = {(one["side"], one["id"]): one["why"] for one in found["lone"]}
    assert why["A", gone.id] == "not in B"
    assert why["A", broken.id] == "failed in B"
    assert why["B", broken.id] == "failed: RuntimeError: no memory in …/x.py"
    assert why["A", other.id] == "B has another experiment: l2 0.0 here, 0.5 there"
    assert why["B", asked.id] == "asked for, not there"
    assert found["b"]["unreadable"] == ["of-another-contract"]
    shown = [row[0] for row in tables.find("Runs that are not in a pair")]
    assert "someone" not in str(tables.tables)
    assert {key for _, key in why} | {"of-another-contract"} <= set(shown)
    ids = {run[s] for cell in found["cells"] for run in cell["runs"] for s in "ab"}
    everything = {run.spec.id for store in (a, b) for run in store.runs()} | {asked.id}
    assert ids | {key for _, key in why} == everything
    assert "not in a pair: 3 runs of A" in text and "not in a pair: 4 runs of B" in text
    cell = next(c for c in found["cells"] if c["framework"] == "torch")
    assert cell["changes"]["accuracy"]["b"] is None and cell["word"] == "undecided"
    assert "1 of 2 seeds, 1 failed" in cell["reason"]


def test_a_fold_short_is_an_x(stores, compared):
    folds = [(spec(variant="cnn_lstm", fold=f), 0.75) for f in (0, 1)]
    found, tables, _ = compared(stores("a", *folds), stores("b", *folds[:1]))
    assert only(found)["changes"]["accuracy"]["difference"] is None
    row = tables.row("A, B, and B − A", "CNN-LSTM")
    assert row[3] == "X | 1 of 2 folds" and row[4] == "X"
    assert row[-1].startswith("undecided | B: 1 of 2 folds")


def test_another_device_is_compared_and_every_difference_named(stores, compared, monkeypatch):
    a = stores("a", (KERAS, 0.8), (LATENCY, 4.0))
    raise_version(monkeypatch)
    b = stores("b", (spec(backend="jax", **GPU), 0.8), (spec(stage="latency", **GPU), 2.0))
    found, tables, text = compared(a, b)
    differ = {one["what"] for one in found["around"]["keras"] if one["differ"]}
    assert differ == {"device", "device, in detail", "CPU threads", "backend", "results version"}
    rows = {row[0]: row[1:] for row in tables.find("Keras: what differs") if len(row) == 4}
    assert rows["device"] == ["cpu", "Some GPU", "2 of 2"]
    assert rows["results version"] == ["1", "2", "2 of 2"]
    assert rows["backend"][2] == "1 of 2"
    assert "differs, Keras: device cpu / Some GPU" in text
    assert tables.find("Time to an answer")[-1][5] == "0.50 | 4.00\u202fs → 2.00\u202fs"
    named = "cpu (A made-up processor), 2 threads → Some GPU, 8 threads".replace(" th", "\u00a0th")
    assert tables.find("Training")[-1][-1] == tables.find("Time to an answer")[-1][-3] == named


def test_of_several_ways_to_run_the_nearest_are_compared(stores, compared):
    jax = spec(backend="jax")
    found, _, _ = compared(stores("a", (KERAS, 0.8), (jax, 0.7)), stores("b", (jax, 0.7)))
    accuracy = only(found)["changes"]["accuracy"]["a"]
    assert only(found)["runs"][0] | {"n": 0} == {
        "a": jax.id, "b": jax.id, "seed": 0, "fold": None, "identical": True, "agree": 1, "n": 0,
        "id": f"{jax.id}={jax.id}", "accuracy": [accuracy, accuracy],
        "largest_difference": 0, "other_answers": 0,
    }  # fmt: skip
    (lone,) = found["lone"]
    assert lone["id"] == KERAS.id and "nearer to B's" in lone["why"]


def test_other_test_images_are_never_compared(stores, compared, monkeypatch):
    a = stores("a", *seeds((0.80, 0.81, 0.82)))
    monkeypatch.setattr(
        "tests.support.synthetic.ids_of", lambda run: [f"x{i}" for i in range(2487)]
    )
    b = stores("b", *seeds((0.80, 0.81, 0.82), **GPU))
    found, tables, _ = compared(a, b)
    assert only(found)["word"] == "undecided"
    assert only(found)["reason"] == "not the same test images"
    assert only(found)["images"] == {} and only(found)["runs"][0]["agree"] is None
    assert "not the same test images" in tables.row("Image by image", "Xception")[4]


def test_images_in_another_order_are_put_in_order(stores, compared, monkeypatch):
    a = stores("a", (KERAS, 0.8))
    from tests.support import synthetic

    turned = {name: getattr(synthetic, name) for name in ("labels_of", "ids_of")}
    monkeypatch.setattr(synthetic, "labels_of", lambda run: turned["labels_of"](run)[::-1].copy())
    monkeypatch.setattr(synthetic, "ids_of", lambda run: turned["ids_of"](run)[::-1])
    b = stores("b", (KERAS, 0.8))
    one, two = (s.runs()[0].predictions for s in (a, b))
    same = one["selected"].argmax(1) == two["selected"][::-1].argmax(1)
    found, _, _ = compared(a, b)
    assert only(found)["runs"][0]["agree"] == pytest.approx(same.mean())
    assert only(found)["images"]["accuracy"]["value"] == pytest.approx(0, abs=1e-12)


def test_the_command_line(stores, tmp_path):
    a, b = stores("a", (KERAS, 0.8)), stores("b", (KERAS, 0.8))
    answer = runner("--compare", a.out, b.out, "--out", tmp_path / "out")
    assert answer.returncode == 0, answer.stderr
    assert "1 identical" in answer.stdout and "compare.html" in answer.stdout
    assert (tmp_path / "out" / "compare.json").is_file()


@pytest.mark.parametrize("damage", ["altered", "missing"])
def test_a_damaged_run_is_named_and_nothing_is_compared(stores, tmp_path, damage):
    a, b = stores("a", (KERAS, 0.8)), stores("b", (KERAS, 0.8))
    path = b.runs()[0].folder / "history.csv"
    path.write_text(
        path.read_text(encoding="utf-8") + " ", encoding="utf-8"
    ) if damage == "altered" else path.unlink()
    answer = asked("--compare", a.out, b.out, "--out", tmp_path / "new")
    assert answer.returncode == 2 and not (tmp_path / "new").exists()
    assert f"history.csv: {damage}" in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1


def test_both_times_of_a_ratio_have_one_unit():
    found = ratio(0.5, 1.2, "k", "")
    assert (found.text, found.note) == ("2.40", "0.500\u202fs → 1.20\u202fs")
