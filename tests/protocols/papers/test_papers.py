"""Claims, recipes, specs, seeds, splits: the tables are whole and mean what the papers print."""

import dataclasses
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.planning.plan import Device, Selection, chosen_profile, make_plan
from protocols import hardware
from protocols.classes import CLASSES
from protocols.errors import RequestError
from protocols.images import set_rows, splits
from protocols.images.sets import SetRequest
from protocols.papers import toml_rows
from protocols.papers.claims import load_claims
from protocols.papers.recipes import Value, load_profiles, load_recipe
from protocols.papers.variants import load_variants
from protocols.photographs import provenance
from protocols.seeds import derive, dropout_keep, epoch_order
from protocols.spec import RunSpec
from protocols.weights.files import load_pretrained
from tests.support.synthetic import spec


def test_every_claim_of_the_tables():
    claims = load_claims()
    table1 = [c.printed for c in claims.values() if c.where == "Table 1"]
    assert table1 == ["84.08", "87.62", "88.70", "87.45", "89.38", "90.79", "88.58"]
    assert sum(c.where == "Table II" for c in claims.values()) == 8
    assert sum(c.where == "Table III" for c in claims.values()) == 20
    assert claims["jane.t3.cnn_gru.log_loss.300"].printed == "0.7423"
    assert claims["jane.t2.cnn_lstm.accuracy"].value == pytest.approx(0.921)
    assert claims["liang.speed.test"].value == 3.8


def test_each_metric_claim_names_a_variant_under_its_published_protocol():
    variants = load_variants()
    for claim in load_claims().values():
        if claim.kind == "metric":
            assert claim.protocol == variants[claim.variant].published_protocol
            assert claim.value is not None


def test_unknown_and_missing_keys_are_errors():
    with pytest.raises(ValueError, match=r"unknown keys \['surprise'\]"):
        toml_rows.record(
            "here", Value, {"value": 1, "source": "paper", "reason": "x", "surprise": 1}
        )
    with pytest.raises(ValueError, match=r"missing keys \['reason'\]"):
        toml_rows.record("here", Value, {"value": 1, "source": "paper"})


@pytest.mark.parametrize("paper", ["liang", "jane"])
def test_every_value_has_a_source_and_a_reason(paper):
    recipe = load_recipe(paper)
    assert {entry.source for entry in recipe.values()} == {"paper", "assumed"}
    assert all(entry.reason for entry in recipe.values())


def test_the_paper_profile_is_the_published_schedule():
    paper, liang, jane = load_profiles()["paper"], load_recipe("liang"), load_recipe("jane")
    assert (paper.phase1_epochs, paper.phase2_epochs) == (
        liang["phase1_epochs"].value,
        liang["phase2_epochs"].value,
    )
    assert (paper.cv_epochs, paper.cv_per_class, paper.cv_folds_run) == (
        jane["epochs"].value,
        jane["images_per_class"].value,
        jane["folds"].value,
    )
    assert (paper.height, paper.width, paper.train_per_class) == (240, 320, 0)


def plan(device="cpu", **words):
    devices = {"keras": Device("jax", device, 0), "torch": Device("torch", device, 0)}
    return make_plan(Selection(**{"weights": "random"} | words), "real", devices, cores=2)


def test_all_is_the_published_matrix_in_both_twins():
    runs = [s for s in plan(profile="paper") if s.stage == "train"]
    assert len(runs) == 2 * (7 * 3 + 2 * 10 * 3)
    assert {s.protocol for s in runs if s.recipe.get("epochs") is None} == {"fixed"}
    assert sum(s.stage == "latency" for s in plan(profile="paper")) == 2 * 9


def test_ids_are_content():
    smoke = plan()
    assert len({s.id for s in smoke}) == len(smoke)
    assert [s.id for s in plan()] == [s.id for s in smoke]
    assert not {s.id for s in plan("NVIDIA H100")} & {s.id for s in smoke}
    assert RunSpec.from_json(smoke[0].to_json()) == smoke[0]


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(RunSpec)])
def test_every_field_is_in_the_id(field):
    run = spec()
    changed = {"recipe": {}, "data": {}, "weights": {}}.get(field, "other")
    assert dataclasses.replace(run, **{field: changed}).id != run.id


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"suite": "lyang"}, "unknown suite 'lyang'"),
        ({"variants": ("vgg",)}, "unknown variant 'vgg'"),
        ({"profile": "quick"}, "unknown profile 'quick'"),
        ({"protocol": "cv5"}, "unknown protocol 'cv5'"),
        ({"folds": (10,)}, "there is no fold 10"),
        ({"suite": "jane", "variants": ("xception",)}, "is in suite"),
    ],
)
def test_wrong_selections_are_named(words, sentence):
    with pytest.raises(RequestError, match=sentence):
        plan(**words)


def test_weights_are_known_by_their_files_digests_wherever_they_lie():
    found = {
        weights: {s.variant: s.weights["digest"] for s in plan(profile="paper", weights=weights)}
        for weights in ("", "imagenet", "/a/folder", "random")
    }
    table = load_pretrained()
    both = f"{table['xception'].hash}+{table['resnet50'].hash}"
    assert found[""]["xception_resnet50_lstm"] == both
    assert found[""] == found["imagenet"] == found["/a/folder"]
    assert set(found["random"].values()) == {None}


def test_the_control_is_no_part_of_the_papers_and_laptop_is_its_own():
    control = {"efficientnet_lite0", "efficientnet_lite0_lstm", "efficientnet_lite0_cnn_lstm",
               "efficientnet_lite0_cnn_gru"}  # fmt: skip
    assert not control & {s.variant for s in plan()}
    assert {s.variant for s in plan(suite="control")} == control
    assert {s.variant for s in plan(profile="laptop")} == control
    for words in ({"suite": "all"}, {"variants": ("xception",)}):
        with pytest.raises(RequestError, match="suite control only"):
            plan(profile="laptop", **words)


def test_the_paper_profile_refuses_the_phantom():
    with pytest.raises(RequestError, match="real images only"):
        make_plan(Selection(profile="paper", weights="random"), "phantom", {}, cores=2)


def test_jane_trains_the_cnn_only_from_random_weights():
    run = spec(variant="cnn_lstm", fold=0)
    assert [p["frozen"] for p in run.phases] == [False]
    assert [p["frozen"] for p in spec(variant="cnn_lstm", weights="imagenet").phases] == [True]
    assert [p["frozen"] for p in spec().phases] == [True, False]


def test_seeds_are_hashed_from_seed_and_purpose():
    assert derive(0, "weights") == derive(0, "weights")
    assert len({derive(0, "weights"), derive(1, "weights"), derive(0, "dropout")}) == 3
    first, second = epoch_order(0, 1, 1, 50), epoch_order(0, 1, 2, 50)
    assert sorted(first) == list(range(50))
    assert (first != second).any()


def test_folds_are_stratified_disjoint_and_complete():
    labels = np.repeat(np.arange(4), 50)
    folds = splits.stratified_folds(labels, 10)
    assert sorted(np.unique(folds)) == list(range(10))
    for fold in range(10):
        assert np.bincount(labels[folds == fold]).tolist() == [5] * 4


def test_grouped_folds_keep_groups_whole(rng):
    labels = np.repeat(np.arange(4), 40)
    groups = np.array([f"{label}-{i // 4}" for i, label in enumerate(labels)])
    folds = splits.grouped_folds(labels, groups, 10)
    for group in np.unique(groups):
        assert len(set(folds[groups == group])) == 1


def test_a_group_with_a_test_image_leaves_training_and_validation_takes_whole_groups(rng):
    labels = np.repeat(np.arange(4), 60)
    groups = np.array([f"{label}-{i % 12}" for i, label in enumerate(labels)])
    shuffled = rng.permutation(len(labels))
    test, train = np.sort(shuffled[:6]), np.sort(shuffled[6:])
    left, validation = splits.ungrouped(labels, groups, train, test)
    in_test = set(groups[test])
    assert not in_test & {*groups[left], *groups[validation]}
    assert not set(groups[left]) & set(groups[validation])
    dropped = sum(group in in_test for group in groups[train])
    assert dropped > 0 and len(left) + len(validation) == len(train) - dropped
    for label in range(4):
        mine = {g for g in groups[train] if g.startswith(f"{label}-")} - in_test
        held = {g for g in groups[validation] if g.startswith(f"{label}-")}
        assert len(held) == round(0.2 * len(mine))


def test_a_group_of_two_classes_is_never_cut():
    labels = np.repeat([0, 1, 2, 3], 10)
    groups = np.array(["a"] * 8 + ["mixed"] * 5 + ["b"] * 7 + ["c", "d"] * 5 + ["e", "f"] * 5)
    train = np.arange(40)
    left, validation = splits.ungrouped(labels, groups, train, train[:0])
    assert not set(groups[left]) & set(groups[validation])
    assert len(left) + len(validation) == 40


def test_the_public_set_keeps_no_group_on_two_sides():
    rows = [row for row in provenance.shown() if row.split != "TEST_SIMPLE"]
    labels = np.array([CLASSES.index(row.class_name) for row in rows])
    groups = np.array([provenance.groups()[row.original] for row in rows])
    test = np.flatnonzero([row.split == "TEST" for row in rows])
    train = np.flatnonzero([row.split == "TRAIN" for row in rows])
    left, validation = splits.ungrouped(labels, groups, train, test)
    parts = [set(groups[part]) for part in (left, validation, test)]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    near = [row for row in provenance.overlaps() if {row.first, row.second} & set(groups)]
    assert near  # the check has something to find
    assert 0 < len(train) - len(left) - len(validation) < len(train) // 10
    assert np.bincount(labels[left]).min() > 0 and np.bincount(labels[validation]).min() > 0


def test_grouped_folds_of_the_public_set_keep_overlapping_photographs_together():
    names = [(o.file, CLASSES.index(o.label)) for o in provenance.originals() if o.label in CLASSES]
    groups = [provenance.groups()[name] for name, _ in names]
    request = SetRequest("cv10-grouped", 84, 112, per_class=9, fold=0)
    fold_of = {}
    for fold in range(10):
        rows = set_rows._fold_rows(names, groups, replace(request, fold=fold))
        fold_of |= {row.group: fold for row in rows if row.part == "test"}
    assert len(fold_of) == len(names) == 348
    pairs = [p for p in provenance.overlaps() if p.first in fold_of and p.second in fold_of]
    assert len(pairs) > 10
    assert all(fold_of[pair.first] == fold_of[pair.second] for pair in pairs)


def test_a_draw_is_seeded_and_balanced():
    labels = np.repeat(np.arange(4), [9, 30, 12, 20])
    drawn = splits.draw_per_class(labels, 8, "train")
    assert np.bincount(labels[drawn]).tolist() == [8] * 4
    assert (drawn == splits.draw_per_class(labels, 8, "train")).all()
    assert (drawn != splits.draw_per_class(labels, 8, "test")).any()
    with pytest.raises(ValueError, match="9 images of EOSINOPHIL, 10 wanted"):
        splits.draw_per_class(labels, 10)


def test_calibration_takes_full_batches_of_mixed_rows():
    batches = splits.calibration_rows(1000, 256, 32)
    assert [len(b) for b in batches] == [32] * 8
    assert len(np.unique(np.concatenate(batches))) == 256
    assert [len(b) for b in splits.calibration_rows(70, 256, 32)] == [32, 32]


def test_profiles_by_name():
    assert chosen_profile("smoke").phantom_allowed
    assert not chosen_profile("paper").phantom_allowed


def test_dropout_is_drawn_by_seed_fold_and_epoch():
    drawn = {
        key: dropout_keep(*key, (90, 512), 0.3)
        for key in [(0, 0, 1, 1), (1, 0, 1, 1), (0, 1, 1, 1), (0, 0, 1, 2), (0, None, 1, 1)]
    }
    again = dropout_keep(0, 0, 1, 1, (90, 512), 0.3)
    assert (again == drawn[0, 0, 1, 1]).all()
    assert len({keep.tobytes() for keep in drawn.values()}) == len(drawn)
    assert again.mean() == pytest.approx(0.7, abs=0.01)


def test_free_memory_is_what_linux_calls_available(tmp_path):
    """Not what is free: the page cache counts too. Other processes take and give back memory all
    the time, so two looks at the real file can't be compared."""
    written = tmp_path / "meminfo"
    lines = "MemTotal: 24000000 kB\nMemFree: 1000 kB\nMemAvailable: 17000000 kB\nCached: 9 kB\n"
    written.write_text(lines, encoding="utf-8")
    assert hardware.free_memory(written) == 17_000_000 * 1024
    written.write_text("MemTotal: 24000000 kB\n", encoding="utf-8")
    assert hardware.free_memory(written) == hardware.free_memory(tmp_path / "none") == 0
    assert 100e6 < hardware.free_memory() < 1e14


def test_peak_memory_begins_anew():
    """Linux gives the peak back; what is held stays."""
    big = np.ones(50_000_000)  # 400 MB
    high = hardware.peak_memory()
    del big
    hardware.reset_peak_memory()
    low = hardware.peak_memory()
    assert high - low > 300e6
    assert low > 10e6
