"""A built set holds what Pillow decodes, says which image is which, and is never half used."""

import hashlib
import json
import multiprocessing
import os
import shutil
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from protocols import files
from protocols.classes import CLASSES
from protocols.errors import RequestError
from protocols.images import augment, dataset, integrity, set_rows
from protocols.images import decoded as images
from protocols.images.dataset import Source
from protocols.images.decoded import image_set, open_set, set_digest
from protocols.images.phantom import write_phantom
from protocols.images.sets import SetRequest

TRAIN, TEST, ORIGINALS = 2, 1, 3
FIXED = SetRequest("fixed", 24, 32)
POOL = SetRequest("cv10", 24, 32, per_class=5, seed=1)


def grouped(fold, **more):
    return replace(POOL, protocol="cv10-grouped", n_folds=3, fold=fold, **more)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    root = tmp_path_factory.mktemp("drawn") / "set"
    write_phantom(root, TRAIN, TEST, ORIGINALS)
    (root / "manifest.csv.gz").write_bytes(dataset.make_manifest(root))
    return root


@pytest.fixture
def source(drawn, tmp_path):
    shutil.copytree(drawn, tmp_path / "set")
    return Source("phantom", tmp_path / "set", how="phantom")


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def verified(monkeypatch):
    """Counts how often all is verified, and how many files are decoded."""
    calls = Counter()

    def counted(name, function):
        def call(*args):
            calls[name] += 1
            return function(*args)

        return call

    for name in ("verify", "inspect"):
        monkeypatch.setattr(integrity, name, counted(name, getattr(integrity, name)))
    return calls


def decoded(path, size):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize(size, Image.Resampling.BILINEAR))


def test_the_fixed_set_is_what_pillow_decodes(source, cache):
    for request in (FIXED, SetRequest("fixed", 240, 320)):
        made = image_set(source, request, cache)
        assert made.pixels.shape == (4 * (TRAIN + TEST), request.height, request.width, 3)
        assert isinstance(made.pixels, np.memmap) and made.pixels.dtype == np.uint8
        for pixels, file in zip(made.pixels, made.files, strict=True):
            assert np.array_equal(pixels, decoded(file, (request.width, request.height)))
    with pytest.raises(ValueError, match="read-only"):
        made.pixels[0] = 0


def test_every_image_of_the_fixed_set_has_its_name_class_and_part(source, cache):
    made = image_set(source, FIXED, cache)
    assert made.ids == sorted(made.ids) and made.ids[0].startswith("TEST/EOSINOPHIL/_0_")
    assert list(made.groups) == made.ids and made.phantom
    for name, label, part, file in zip(made.ids, made.labels, made.part, made.files, strict=True):
        assert name.split("/")[:2] == [part.upper(), CLASSES[label]]
        assert file == str(source.root / "images" / name)
    assert made.digest == set_digest("phantom", FIXED)
    assert made.pixels_sha256 == hashlib.sha256(made.pixels.tobytes()).hexdigest()


def test_the_stored_index_names_no_place_of_the_images(source, cache):
    made = image_set(source, FIXED, cache)
    assert str(source.root) not in (made.folder / "index.json").read_text(encoding="utf-8")
    again = open_set(made.folder)
    assert again.ids == made.ids and again.files == []
    assert np.array_equal(again.pixels, made.pixels)
    assert list(again.part) == list(made.part) and list(again.labels) == list(made.labels)


def test_all_is_checked_once_and_decoded_once(source, cache, verified):
    image_set(source, FIXED, cache)
    files = 4 * (TRAIN + TEST)
    assert verified == {"inspect": files}
    image_set(source, FIXED, cache)
    assert verified["inspect"] == files
    image_set(source, replace(FIXED, height=12), cache)  # another size
    assert verified == {"inspect": 2 * files}


def test_cross_validation_verifies_all_photographs_first(source, cache, verified):
    image_set(source, POOL, cache)
    image_set(source, grouped(0), cache)
    assert verified["verify"] == 1 and verified["inspect"] == 4 * ORIGINALS + 1


def test_a_touched_source_is_verified_again_and_accepted(source, cache, verified):
    image_set(source, FIXED, cache)
    os.utime(source.path(source.entries("fixed")[2].path), ns=(1, 1))
    for _ in range(2):
        image_set(source, FIXED, cache)
    assert verified["verify"] == 1


@pytest.mark.parametrize("start", ["images/TRAIN/", "Original_Images/", "labels.csv"])
@pytest.mark.parametrize("request_", [FIXED, POOL], ids=["fixed", "cv10"])
@pytest.mark.parametrize("before", [False, True])
def test_an_altered_file_is_named_and_nothing_is_built(source, cache, start, request_, before):
    """Before the first use, and after a good one; but for a set that is not made from it."""
    if before:
        image_set(source, replace(request_, height=20), cache)
    path = next(e.path for e in source.entries() if e.path.startswith(start))
    data = bytearray(source.path(path).read_bytes())
    data[-1] ^= 1
    source.path(path).write_bytes(data)
    if start.startswith("images/") != (request_ == FIXED):
        assert image_set(source, request_, cache).digest == set_digest("phantom", request_)
        return
    for _ in range(2):
        with pytest.raises(RequestError, match=f"{path} (is altered|differs)"):
            image_set(source, request_, cache)
    digest = set_digest("phantom", request_)
    assert not list((cache / "arrays").glob(f"{digest[:16]}*"))


def test_a_file_altered_under_the_same_time_is_seen_while_building(source, cache):
    for start, request in (("images/TEST/", FIXED), ("Original_Images/", POOL)):
        image_set(source, replace(request, height=20), cache)
        path = next(e.path for e in source.entries() if e.path.startswith(start))
        file, stat = source.path(path), source.path(path).stat()
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        with pytest.raises(RequestError, match=f"{path} is altered"):
            image_set(source, request, cache)


def test_a_missing_file_is_named_also_when_the_array_is_there(source, cache):
    image_set(source, FIXED, cache)
    path = source.entries()[-2].path
    source.path(path).unlink()
    with pytest.raises(RequestError, match=f"{path} is missing"):
        image_set(source, FIXED, cache)


def test_the_pool_fills_each_class_with_augmented_originals(source, cache):
    made = image_set(source, POOL, cache)
    assert Counter(made.labels.tolist()) == dict.fromkeys(range(4), POOL.per_class)
    assert set(made.part) == {"pool"} and len(set(made.ids)) == 4 * POOL.per_class
    labels = augment.read_labels(source.path("labels.csv"))
    for i, (name, group) in enumerate(zip(made.ids, made.groups, strict=True)):
        assert labels[group] == CLASSES[made.labels[i]] and made.files[i].endswith(group)
        copy = int(name.removeprefix(f"{group}#"))
        image = augment.load_original(source.path(f"Original_Images/{group}"))
        image = Image.fromarray(augment.augmented(image, group, copy, POOL.seed))
        small = image.resize((POOL.width, POOL.height), Image.Resampling.BILINEAR)
        assert np.array_equal(made.pixels[i], np.asarray(small))
    assert sum(name.endswith("#0") for name in made.ids) == 4 * ORIGINALS


def test_grouped_folds_share_no_original_and_hold_each_out_once(source, cache):
    held_out = []
    for fold in range(3):
        made = image_set(source, grouped(fold), cache)
        train, test = made.part == "train", made.part == "test"
        assert train.sum() == 4 * POOL.per_class and (train | test).all()
        assert not set(made.groups[train]) & set(made.groups[test])
        assert all(name.endswith("#0") for name, its in zip(made.ids, test, strict=True) if its)
        held_out += made.groups[test].tolist()
    assert sorted(held_out) == sorted(set(made.groups[train]) | set(made.groups[test]))


def test_the_digest_depends_on_what_counts_and_on_nothing_else(monkeypatch):
    def name(request, kind="phantom"):
        return set_digest(kind, request)

    same = [
        (FIXED, replace(FIXED, seed=9, per_class=9, n_folds=9)),
        (POOL, replace(POOL, n_folds=9)),
    ]
    assert all(name(a) == name(b) for a, b in same)
    others = [FIXED, replace(FIXED, width=33), replace(FIXED, height=25), POOL]
    others += [replace(POOL, seed=2), replace(POOL, per_class=6), grouped(0), grouped(1)]
    others += [grouped(0, seed=2), replace(grouped(0), n_folds=4)]
    names = [name(request) for request in others] + [name(FIXED, "real")]
    assert len(set(names)) == len(names)
    monkeypatch.setattr(augment, "AUGMENT_VERSION", 99)
    assert name(FIXED) == names[0] and name(POOL) != names[3]
    monkeypatch.setattr(images, "ARRAY_VERSION", 99)
    assert name(FIXED) != names[0]


@pytest.mark.parametrize(
    "values",
    [
        {"protocol": "fixed-grouped"},
        {"protocol": "fixed", "fold": 0},
        {"protocol": "cv10-grouped"},
        {"protocol": "cv10-grouped", "fold": 10},
        {"protocol": "fixed", "height": 0},
    ],
)
def test_wrong_requests_are_errors(values):
    with pytest.raises(ValueError):
        SetRequest(**({"height": 24, "width": 32} | values))


@pytest.mark.parametrize(
    "damage", ["no index", "cut pixels", "long pixels", "half index", "no pixels"]
)
def test_an_unfinished_folder_is_not_opened_but_rebuilt(source, cache, damage):
    folder = image_set(source, FIXED, cache).folder
    whole = (folder / "pixels.npy").read_bytes()
    if damage == "no index":
        (folder / "index.json").unlink()
    elif damage == "half index":
        text = (folder / "index.json").read_text(encoding="utf-8")
        (folder / "index.json").write_text(text[: len(text) // 2], encoding="utf-8")
    elif damage == "no pixels":
        (folder / "pixels.npy").unlink()
    else:
        other = whole[:-1] if damage == "cut pixels" else whole + b"0"
        (folder / "pixels.npy").write_bytes(other)
    with pytest.raises(RequestError, match="missing or cut off: delete that folder"):
        open_set(folder)
    image_set(source, FIXED, cache)
    open_set(folder)
    assert (folder / "pixels.npy").read_bytes() == whole


def test_a_build_that_dies_leaves_nothing_to_be_used(source, cache, monkeypatch):
    def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(images, "write_whole", dies)
        with pytest.raises(KeyboardInterrupt):
            image_set(source, FIXED, cache)
    assert list((cache / "arrays").iterdir()) == []
    assert len(image_set(source, FIXED, cache).ids) == 4 * (TRAIN + TEST)


def test_what_a_killed_process_left_is_swept_up_later(tmp_path):
    old, young = tmp_path / "set.tmp-old", tmp_path / "set.tmp-young"
    for folder in (old, young):
        folder.mkdir()
    os.utime(old, (time.time() - files.LEFT_OVER - 9,) * 2)
    with files.aside(tmp_path / "set"):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == ["set", "set.tmp-young"]


def test_a_full_disk_is_said_before_it_is_full(source, cache, monkeypatch):
    monkeypatch.setattr(images.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 1000))
    with pytest.raises(RequestError, match=r"GB in .*--cache DIR"):
        image_set(source, FIXED, cache)


def test_a_cache_that_cannot_be_written_is_said(source, cache):
    cache.write_text("a file", encoding="utf-8")
    with pytest.raises(RequestError, match=r"cache .* can't be used .*--cache DIR"):
        image_set(source, FIXED, cache)


def test_an_error_in_a_thread_stops_the_build(source, cache, monkeypatch):
    def dies(*_):
        raise RuntimeError("no")

    monkeypatch.setattr(set_rows, "_resized", dies)
    with pytest.raises(RuntimeError):
        image_set(source, FIXED, cache)
    assert list((cache / "arrays").iterdir()) == []


def _build_one(source, cache, barrier, answers):
    barrier.wait()
    answers.put(image_set(source, POOL, cache).pixels_sha256)


def test_two_processes_may_build_the_same_set(source, cache):
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(3), context.Queue()
    workers = [
        context.Process(target=_build_one, args=(source, cache, barrier, answers)) for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    assert len({answers.get(timeout=30) for _ in workers}) == 1
    for worker in workers:
        worker.join(timeout=10)
        assert worker.exitcode == 0
    assert len(list((cache / "arrays").iterdir())) == 1


def test_progress_is_told_sparingly_and_to_the_end(source, cache):
    calls = []
    image_set(source, FIXED, cache, lambda *call: calls.append(call))
    assert calls[-1][1] == calls[-1][2] == 4 * (TRAIN + TEST)
    seen = []
    report = files.throttled(lambda *call: seen.append(call))
    for done in range(1, 1001):
        report("x", done, 1000)
    assert len(seen) <= 4 and seen[-1] == ("x", 1000, 1000)


@pytest.mark.real
def test_the_real_images_are_built_in_seconds(cache):
    if not os.environ.get("WBC_DATA"):
        pytest.skip("WBC_DATA names no folder of the real images")
    source = dataset.locate("auto", False, cache)
    made = image_set(source, SetRequest("fixed", 24, 32), cache)
    assert Counter(made.part.tolist()) == {"train": 9957, "test": 2487}
    counts = Counter(zip(made.part.tolist(), made.labels.tolist(), strict=True))
    assert [counts["train", c] for c in range(4)] == [2497, 2483, 2478, 2499]
    assert [counts["test", c] for c in range(4)] == [623, 620, 620, 624]
    for i in range(0, len(made.ids), 1500):
        assert np.array_equal(made.pixels[i], decoded(made.files[i], (32, 24)))
    pool = image_set(source, SetRequest("cv10", 24, 32, per_class=32), cache)
    assert pool.pixels.shape == (128, 24, 32, 3) and not pool.phantom
    index = json.loads((made.folder / "index.json").read_text(encoding="utf-8"))
    assert index["kind"] == "real"
