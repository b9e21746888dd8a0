"""The pages "Evidence", "Leakage" and "Images": each figure from its source, each lack said."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from benchmarks.store.store import Store
from protocols import metrics
from protocols.images.dataset import Source
from protocols.photographs import provenance
from protocols.photographs.provenance import Overlap
from protocols.runs.record import stored_epochs
from protocols.seeds import generator
from reports.cells import answers, collect
from reports.cells import cell as cells
from reports.figures import photographs
from reports.judging.uncertainty import interval_words, preferred_interval
from reports.pages import images
from reports.pages.leakage import evidence, liang
from reports.pages.leakage import page as leakage_page
from reports.statistics.intervals import Estimate, Interval, Sample, wilson
from tests.support import synthetic
from tests.support.reading import Tables, made, pages, percent, scored
from tests.support.sample_intervals import intervals


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    """Two Liang networks in both twins at `paper`, on the real test images' names."""
    out = tmp_path_factory.mktemp("paper")
    plan = [
        synthetic.spec(f, v, profile="paper", kind="real", weights="imagenet")
        for f in ("keras", "torch")
        for v in ("xception", "xception_lstm")
    ]
    store = Store(out)
    for number, spec in enumerate(plan):
        synthetic.add(store, spec, accuracy=0.86 + 0.01 * number, epochs=4)
    made(out, plan, "evidence.html", "images.html", "liang.html")
    return out, plan


def predictions(out, spec):
    return np.load(out / "runs" / spec.id / "predictions.npz")


def sample_of(arrays):
    groups = provenance.groups_of_ids(arrays["ids"].tolist(), False)
    return Sample.of(arrays["labels"], arrays["selected"], np.array(groups))


def test_the_interval_is_that_of_the_stored_predictions(paper):
    out, plan = paper
    sample = sample_of(predictions(out, plan[0]))
    found = intervals(sample, generator(0, "interval"), cells.DRAWS)["accuracy"]
    row = Tables(pages(out)["evidence.html"]).row("Accuracy at the selected epoch", "Xception")
    n = len(sample.labels)
    assert row[3:5] == [
        interval_words(preferred_interval(found)[0]),
        interval_words(wilson(sample.hits, n)),
    ]
    assert row[5:7] == ["2,487", str(len(sample.strata))]
    cell = json.loads((out / "results.json").read_text(encoding="utf-8"))["cells"][0]
    stored = cell["intervals"]["selected"]["accuracy"]
    assert (stored["low"], stored["high"]) == (found.moderated.low, found.moderated.high)
    assert stored["method"] == "moderated"
    liang = Tables(pages(out)["liang.html"]).row("Liang 2018, Table 1", "Xception")
    assert f"new cells: {interval_words(found.moderated)}" in liang[2]


def test_the_naive_interval_is_the_narrow_one(paper):
    """Of images that are right in whole photographs; the synthetic ones are right at random."""
    rows = [row for row in provenance.shown() if row.split == "TEST"]
    labels = np.array([list(Counter(r.class_name for r in rows)).index(r.class_name) for r in rows])
    groups = np.array([provenance.groups()[row.original] for row in rows])
    wrong = np.isin(groups, np.unique(groups)[::5])
    p = np.eye(4)[np.where(wrong, (labels + 1) % 4, labels)] * 0.9 + 0.025
    sample = Sample.of(labels, p, groups)
    one, _ = preferred_interval(
        intervals(sample, generator(0, "interval"), 1000, ("accuracy",))["accuracy"]
    )
    naive = wilson(sample.hits, len(labels))
    assert one.high - one.low > 4 * (naive.high - naive.low)


def test_what_has_no_interval_says_why(tmp_path):
    plan = [synthetic.spec("torch", "xception"), synthetic.spec("keras", "xception")]
    store = Store(tmp_path)
    synthetic.add(store, plan[0], accuracy=1.0)
    made(tmp_path, plan, "evidence.html")
    page = pages(tmp_path)["evidence.html"]
    row = Tables(page).row("Accuracy at the selected epoch", "PyTorch")
    assert "no cluster differs" in page and row[2] == "–1"
    assert "Differences of accuracy" not in page  # there is no other side


def test_the_moderated_interval_stands_first_then_bootstrap_t_then_the_linearised_one():
    none = Interval(reason="too few clusters")
    linear, drawn, rate = Interval(0.7, 0.9), Interval(0.6, 0.85), Interval(0.65, 0.9)
    whole = Estimate(0.8, 0.01, 9.0, linear, none, drawn, rate)
    assert preferred_interval(whole) == (rate, "moderated")
    assert preferred_interval(replace(whole, moderated=none)) == (drawn, "bootstrap_t")
    other = Estimate(0.8, 0.01, 9.0, linear, none, none)
    assert preferred_interval(other) == (linear, "linearised")
    assert preferred_interval(replace(other, linearised=none)) == (none, "linearised")


def test_comparisons_pair_the_twins_and_the_claimed_contests(paper):
    out, _ = paper
    rows = Tables(pages(out)["evidence.html"]).find("Differences of accuracy")
    firsts = [row[0] for row in rows[1:] if len(row) > 3]
    assert "Xception-LSTM minus Xception, Keras" in firsts
    assert "Xception: Keras minus PyTorch" in firsts
    assert len(firsts) == len(set(firsts)) == 2 + 2
    row = next(row for row in rows if row[0].startswith("Xception: Keras"))
    assert row[1] == "−2.01"


def test_networks_tested_on_other_images_are_not_compared(tmp_path):
    specs = [synthetic.spec(f, "xception", profile="paper", kind="real", weights="imagenet",
                            seed=seed) for f, seed in (("keras", 0), ("torch", 0))]  # fmt: skip
    store = Store(tmp_path)
    synthetic.add(store, specs[0], epochs=2)
    recorder = synthetic.recorded(specs[1], epochs=2)
    recorder.ids = recorder.ids[::-1]
    synthetic.keep(store, specs[1], recorder)
    made(tmp_path, specs, "evidence.html")
    assert "Differences of accuracy" not in pages(tmp_path)["evidence.html"]


def test_a_validation_part_leaves_no_optimism_to_tell(tmp_path):
    run = synthetic.spec("torch", "xception")
    store = Store(tmp_path)
    synthetic.add(store, run, accuracy=0.75)
    assert collect.collect(store, [run]).slots[0].measured.selection is not None
    grouped = Store(tmp_path / "other")
    made_up = synthetic.spec("torch", "xception", protocol="fixed-grouped")
    recorder = synthetic.recorded(made_up)
    recorder.selecting = 4
    synthetic.keep(grouped, made_up, recorder)
    measured = collect.collect(grouped, [made_up]).slots[0].measured
    assert measured.selection is None and measured.n == len(recorder.labels) - 4


def test_leak_free_stands_beside_as_published(tmp_path):
    plan = [
        synthetic.spec("torch", "xception", protocol=p) for p in ("fixed", "fixed-grouped")
    ]  # fmt: skip
    store = Store(tmp_path)
    for spec, accuracy in zip(plan, (0.75, 0.5), strict=True):
        synthetic.add(store, spec, accuracy=accuracy)
    made(tmp_path, plan, "leakage.html")
    row = Tables(pages(tmp_path)["leakage.html"]).row("The same networks", "Xception")
    both = [scored(tmp_path, spec.id)["accuracy"] for spec in plan]
    assert both[0] > both[1]
    assert row[2:4] == [percent(value) for value in both]
    assert row[4] == f"−{100 * (both[0] - both[1]):.2f}"
    figure = pages(tmp_path)["leakage.html"].split("<figure")[1]
    assert "PyTorch, as published" in figure and "PyTorch, leak-free" in figure
    assert all(f">{line}</text>" in figure for line in ("PyTorch", "as published", "leak-free"))
    slot = collect.collect(store, plan).slots[1]
    arrays = np.load(tmp_path / "runs" / plan[1].id / "predictions.npz")
    assert slot.measured.by_epoch.tolist() == [
        metrics.score(arrays["labels"], np.exp(p))["accuracy"] for p in stored_epochs(arrays)
    ]


def test_the_sheet_has_eight_kinds_for_both_papers():
    rows = leakage_page.sheet().bodies[0][1]
    assert len(rows) == 8
    words = [(row[1].text, row[3].text) for row in rows]
    assert words.count((evidence.NOT_FOUND, evidence.NOT_FOUND)) == 3
    assert words[1] == (evidence.NOT_FOUND, evidence.FOUND)  # augmented before the folds
    for row in rows:
        assert row[2].text and row[4].text


def test_copies_of_a_photograph_are_counted_over_the_folds(monkeypatch):
    own, grouped, n = evidence.cv_shares()
    assert n == 2000 and 0.9 < own < grouped < 1
    # By hand: of a class with far fewer photographs than images nearly all have a copy elsewhere.
    evidence.cv_shares.cache_clear()
    rows = [evidence.set_rows.Row(f"{i}#0", i % 4, "pool", f"{i}.jpg", "") for i in range(2000)]
    monkeypatch.setattr(evidence.set_rows, "filled", lambda *_: rows)
    alone = {row.group: set() for row in rows}
    monkeypatch.setattr(evidence.provenance, "overlapping", lambda: alone)
    assert evidence.cv_shares() == (0, 0, 2000)
    evidence.cv_shares.cache_clear()


def test_what_was_photographed_again_overlaps_a_training_photograph_itself(monkeypatch):
    """263 overlaps 223 alone, which is tested too; with one of TRAIN it would be the eighth."""
    evidence.photographed_again.cache_clear()
    direct, by_way = evidence.photographed_again()
    assert len(direct) == 7 and by_way == {"BloodImage_00263.jpg"}
    assert "But 215 test images (8.6\u202f%) show 7 photographs" in liang.duplicates()[1]
    known = provenance.overlapping()
    train = next(o.file for o in provenance.originals() if o.split == "TRAIN")
    monkeypatch.setattr(evidence.provenance, "overlapping",
                        lambda: {**known, "BloodImage_00263.jpg": {train}})  # fmt: skip
    evidence.photographed_again.cache_clear()
    assert "But 228 test images (9.2\u202f%) show 8 photographs" in liang.duplicates()[1]
    evidence.photographed_again.cache_clear()


def test_classes_in_runs_would_be_seen(monkeypatch):
    evidence.neighbours.cache_clear()
    rows = [
        provenance.Original(f"BloodImage_{i:05}.jpg", "", name, "TRAIN")
        for i, name in enumerate(["EOSINOPHIL"] * 50 + ["NEUTROPHIL"] * 50)
    ]
    monkeypatch.setattr(evidence.provenance, "originals", lambda: rows)
    share, chance, high = evidence.neighbours()
    assert share == 98 / 99 and chance == pytest.approx(0.495, abs=0.01) and high < 0.7
    assert evidence.batches()[0] == evidence.OPEN
    evidence.neighbours.cache_clear()


def test_every_overlap_stands_on_the_page_with_its_place_and_focus(tmp_path):
    found = images.pairs(tmp_path)
    assert sum(map(len, found.values())) == len(provenance.overlaps()) == 47
    assert next(iter(found)) == "One in TRAIN, one in TEST"
    known = {o.file: o for o in provenance.originals()}
    a, b = (next(o.file for o in known.values() if o.split == s) for s in ("TRAIN", "TEST"))
    pair = Overlap(a, b, -3, 4, 0.5, 0.9, 12, 2.0)
    assert images.kind(pair, known) == "One in TRAIN, one in TEST"
    said = images._evidence(pair, known)
    assert f"{answers.name_of(b)} is out of focus" in said and "shift −3, +4 pixels" in said


def test_maps_are_summed_up_by_part(monkeypatch):
    row = provenance.shown()[0]
    maps = [(0, 3.0, 1.0, 3.0, -4.0), (1, -176.0, 1.2, 0.0, 1.0), (1, 8.0, 1.1, -8.0, 6.0)]
    rows = [
        row._replace(split=split, mirrored=m, angle=a, stretch=s, right=x, down=y)
        for split in ("TRAIN", "TEST", "TEST_SIMPLE")
        for m, a, s, x, y in maps
    ]
    monkeypatch.setattr(images.provenance, "shown", lambda: rows)
    found = [[cell.text for cell in line] for line in images._maps().bodies[0][1]]
    assert found[0] == ["TRAIN", "66.7\u202f%", "4.0", "8.0", "1.100", "1.200", "5.0", "10.0"]


def test_pictures_stand_on_the_page_where_they_are_drawn(paper, tmp_path):
    out, _ = paper
    assert "<img" not in pages(out)["images.html"]
    pair = provenance.overlaps()[0]
    name = f"{pair.first} {pair.second}"
    (tmp_path / photographs.OVERLAPS).write_text(
        json.dumps({name: "data:image/jpeg;base64,xyz"}), encoding="utf-8"
    )
    shown_ = [p for some in images.pairs(tmp_path).values() for p in some if p.picture]
    assert [p.picture for p in shown_] == ["data:image/jpeg;base64,xyz"]


def test_pictures_are_drawn_of_the_photographs_at_hand(tmp_path):
    """A download has the labelled photographs only, and one may be damaged."""
    (tmp_path / "Original_Images").mkdir()
    first, *others = provenance.overlaps()
    damaged = next(pair for pair in others if not {*first[:2]} & {*pair[:2]})
    for name in {*first[:2], *damaged[:2]}:
        Image.new("RGB", (640, 480), "pink").save(tmp_path / "Original_Images" / name)
    (tmp_path / "Original_Images" / damaged.second).write_bytes(b"no image")
    photographs.write_overlaps(Source("phantom", tmp_path), tmp_path)
    assert not (tmp_path / photographs.OVERLAPS).exists()
    photographs.write_overlaps(Source("real", tmp_path), tmp_path)
    found = json.loads((tmp_path / photographs.OVERLAPS).read_text(encoding="utf-8"))
    assert list(found) == [f"{first.first} {first.second}"]
    assert all(text.startswith("data:image/jpeg;base64,") for text in found.values())
