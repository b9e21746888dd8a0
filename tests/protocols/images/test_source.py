"""The data is found in every layout, and no damaged file goes unnamed."""

import gzip
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from protocols.classes import CLASSES
from protocols.errors import RequestError
from protocols.files import ROOT
from protocols.images import dataset, integrity
from protocols.images.dataset import Source
from protocols.images.phantom import write_phantom

TRAIN, TEST, ORIGINALS = 2, 1, 2
REPO = ROOT
KAGGLE = ("kaggle", "kaggle-flat")
LAYOUTS = ("origin", *KAGGLE)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A tiny set in the origin's layout, and its manifest."""
    root = tmp_path_factory.mktemp("drawn") / "set"
    write_phantom(root, TRAIN, TEST, ORIGINALS)
    (root / "PHANTOM").unlink()  # here it stands for the real set
    return root, dataset.make_manifest(root)


@pytest.fixture(params=LAYOUTS)
def root(request, drawn, tmp_path, monkeypatch):
    """A copy of the tiny set in each layout; its manifest stands in for the repository's."""
    manifest = tmp_path / "manifest.csv.gz"
    manifest.write_bytes(drawn[1])
    monkeypatch.setattr(dataset, "MANIFEST", manifest)
    monkeypatch.delenv("WBC_DATA", raising=False)
    top = tmp_path / "data"
    if request.param == "origin":
        shutil.copytree(drawn[0], top)
        return top
    twice = request.param == "kaggle"
    images = top / ("dataset2-master/dataset2-master" if twice else "dataset2-master")
    rest = top / ("dataset-master/dataset-master" if twice else "dataset-master")
    shutil.copytree(drawn[0] / "images", images / "images")
    shutil.copytree(drawn[0] / "Original_Images", rest / "JPEGImages")
    shutil.copy(drawn[0] / "labels.csv", rest)
    return top


def found(root, tmp_path):
    return dataset.locate(str(root), False, tmp_path / "cache")


def file_of(source, start):
    """The middle one of the files whose manifest path begins so: (shown name, file)."""
    names = [entry.path for entry in source.entries() if entry.path.startswith(start)]
    name = names[len(names) // 2]
    return source.place(name), source.path(name)


def test_a_whole_set_passes_in_each_layout(root, tmp_path):
    source = found(root, tmp_path)
    calls = []
    state = integrity.quick_check(source)
    integrity.verify(source, lambda *call: calls.append(call))
    assert state == integrity.quick_check(source)
    assert calls[-1][1:] == (len(source.entries()),) * 2
    assert len(source.entries()) == 4 * (TRAIN + TEST + ORIGINALS) + 1
    assert source.how == "--data DIR" and source.kind == "real"


def test_a_folder_a_level_too_deep_is_accepted(root, tmp_path):
    source = found(root, tmp_path)
    folder = source.path("images/TRAIN/x").parent.parent
    while folder != root:
        assert found(folder, tmp_path) == source
        folder = folder.parent


@pytest.mark.parametrize("root", KAGGLE, indirect=True)
def test_kaggle_labels_beside_the_images_are_found(root, tmp_path):
    source = found(root, tmp_path)
    images = source.path("images/x").parent.parent
    before, beside = source.path("labels.csv"), images / "labels.csv"
    assert before != beside
    before.rename(beside)
    source = found(root, tmp_path)
    assert source.path("labels.csv") == beside
    integrity.verify(source)


@pytest.mark.parametrize("start", ["images/TRAIN/", "images/TEST/", "Original_Images/", "labels"])
def test_missing_and_truncated_files_are_named_by_both_checks(root, tmp_path, start):
    source = found(root, tmp_path)
    name, file = file_of(source, start)
    whole, labels = file.read_bytes(), start == "labels"
    file.write_bytes(whole[: len(whole) // 2])
    cut = "differs: " if labels else "is cut off .*bytes instead of"
    for check in (integrity.quick_check, integrity.verify):
        with pytest.raises(RequestError, match=f"{name} {cut}"):
            check(source)
    file.write_bytes(whole + b"\n")
    longer = "differs: " if labels else "is altered"
    for check in (integrity.quick_check, integrity.verify):
        with pytest.raises(RequestError, match=f"{name} {longer}"):
            check(source)
    file.unlink()
    for check in (integrity.quick_check, integrity.verify):
        with pytest.raises(RequestError, match=f"{name} is missing"):
            check(source)
    file.write_bytes(whole)
    integrity.quick_check(source)
    integrity.verify(source)


@pytest.mark.parametrize("start", ["images/TRAIN/", "images/TEST/", "Original_Images/", "labels"])
def test_one_altered_byte_is_named(root, tmp_path, start):
    source = found(root, tmp_path)
    name, file = file_of(source, start)
    before = integrity.quick_check(source)
    flip(file)
    assert integrity.quick_check(source) != before  # the size is the same, the time is not
    what = "differs: .*" if start == "labels" else "is altered"
    with pytest.raises(RequestError, match=f"{name} {what}; restore it from http.*/raw/"):
        integrity.verify(source)


def flip(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    stat = file.stat()
    file.write_bytes(data)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))


def test_the_first_is_named_and_the_rest_counted(root, tmp_path):
    source = found(root, tmp_path)
    names = [entry.path for entry in source.entries()][3:7]
    for name in names:
        source.path(name).unlink()
    for check in (integrity.quick_check, integrity.verify):
        with pytest.raises(RequestError, match=f"{source.place(names[0])} .*and 3 more"):
            check(source)


@pytest.mark.parametrize("damage", ["cut", "noise"])
def test_what_pillow_cannot_decode_is_named(drawn, tmp_path, damage):
    """The manifest agrees with the file here, so only decoding can tell."""
    root = tmp_path / "set"
    shutil.copytree(drawn[0], root)
    file = sorted(root.glob("images/TRAIN/MONOCYTE/*"))[0]
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2] if damage == "cut" else os.urandom(len(data)))
    (root / "manifest.csv.gz").write_bytes(dataset.make_manifest(root))
    source = Source("phantom", root, how="phantom")
    integrity.quick_check(source)
    with pytest.raises(RequestError, match=f"{file.name} can't be decoded .*delete that folder"):
        integrity.verify(source)


def test_a_folder_without_images_says_what_was_looked_for(tmp_path, monkeypatch):
    with pytest.raises(RequestError, match=r"\(--data DIR\).*images/TRAIN.*dataset2-master"):
        found(tmp_path / "nowhere", tmp_path)
    monkeypatch.setenv("WBC_DATA", str(tmp_path))
    with pytest.raises(RequestError, match=r"\(WBC_DATA\).*images/TRAIN"):
        dataset.locate("auto", True, tmp_path / "cache")


def test_the_order_of_auto(drawn, tmp_path, monkeypatch):
    monkeypatch.delenv("WBC_DATA", raising=False)
    monkeypatch.setattr(dataset, "PHANTOM_SIZES", (1, 1, 1))
    cache, nobody = tmp_path / "cache", "http://127.0.0.1:9"

    def auto(allowed=True):
        source = dataset.locate("auto", allowed, cache)
        return dataset.made(source, allowed, cache, base_url=nobody)

    plan = dataset.locate("auto", True, cache)
    assert (plan.kind, plan.root, plan.how) == ("real", None, "download")
    assert not cache.exists()
    with pytest.raises(RequestError, match=r"can't be downloaded.*refused.*--data DIR"):
        auto(allowed=False)
    phantom = auto()
    assert phantom.kind == "phantom" and "can't be downloaded" in phantom.note
    integrity.verify(phantom)
    assert dataset.locate("phantom", True, cache).root == phantom.root
    (cache / "data").mkdir()
    assert auto(allowed=False).root == cache / "data"
    monkeypatch.setenv("WBC_DATA", str(drawn[0]))
    assert auto().root == drawn[0] and auto().how == "WBC_DATA"


def test_the_phantom_only_where_it_is_allowed(tmp_path, drawn):
    with pytest.raises(RequestError, match="Only the smoke profile"):
        dataset.locate("phantom", False, tmp_path)
    plan = dataset.locate("phantom", True, tmp_path / "cache")
    assert (plan.kind, plan.root) == ("phantom", None) and not (tmp_path / "cache").exists()
    root = tmp_path / "set"
    shutil.copytree(drawn[0], root)
    (root / "PHANTOM").touch()
    with pytest.raises(RequestError, match="holds a drawn phantom"):
        dataset.locate(str(root), True, tmp_path / "cache")


def test_a_phantom_whose_drawing_is_stopped_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "PHANTOM_SIZES", (1, 1, 1))

    def stop(what, done, total):
        if "ORIGINAL" in what:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dataset.made(dataset.locate("phantom", True, tmp_path), True, tmp_path, stop)
    assert list(tmp_path.iterdir()) == []


def test_a_phantom_without_its_manifest_is_refused(tmp_path, drawn):
    with pytest.raises(RequestError, match="list of files"):
        integrity.quick_check(Source("phantom", drawn[0]))


def test_the_digest_names_the_data(monkeypatch):
    real, phantom = dataset.data_digest("real"), dataset.data_digest("phantom")
    assert len(real) == len(phantom) == 64 and real != phantom
    monkeypatch.setattr(dataset, "PHANTOM_SIZES", (25, 12, 20))
    assert dataset.data_digest("phantom") != phantom


@pytest.mark.alone
def test_the_digest_takes_no_time():
    dataset.data_digest("real")
    start = time.perf_counter()
    dataset.data_digest("real")
    assert time.perf_counter() - start < 0.05


def test_the_manifest_is_the_same_each_time_and_has_no_clock_in_it(drawn):
    assert dataset.make_manifest(drawn[0]) == drawn[1]
    assert drawn[1][4:8] == bytes(4)  # the time in gzip's header


def test_the_repository_manifest_has_the_counts_of_the_public_set():
    entries = Source("real", None).entries()
    names = [entry.path for entry in entries]
    assert names == sorted(set(names)) and len(names) == 12_793

    def count(part):
        return [sum(n.startswith(f"images/{part}/{c}/") for n in names) for c in CLASSES]

    assert count("TRAIN") == [2497, 2483, 2478, 2499]
    assert count("TEST") == [623, 620, 620, 624]
    assert sum(name.startswith("Original_Images/") for name in names) == 348


def test_importing_it_is_quick_and_needs_no_framework():
    code = "import sys, protocols.images.dataset, protocols.images.decoded; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, encoding="utf-8"
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert {"numpy", "PIL"} <= loaded
    assert not loaded & {"sklearn", "tensorflow", "keras", "torch", "scipy", "pandas"}


@pytest.fixture
def real(tmp_path):
    """The real images of WBC_DATA."""
    if not os.environ.get("WBC_DATA"):
        pytest.skip("WBC_DATA names no folder of the real images")
    return dataset.locate("auto", False, tmp_path)


@pytest.mark.real
def test_the_real_images_are_those_of_the_manifest(real):
    made = gzip.decompress(dataset.make_manifest(real.root))
    assert made == gzip.decompress(dataset.MANIFEST.read_bytes())


@pytest.mark.alone
@pytest.mark.real
def test_the_real_images_are_checked_quickly(real):
    integrity.quick_check(real)
    start = time.perf_counter()
    integrity.quick_check(real)
    assert time.perf_counter() - start < 0.6  # 0.1 s where nothing else runs


@pytest.mark.real
@pytest.mark.parametrize("layout", ["origin", "kaggle"])
def test_a_real_image_damaged_is_named(real, tmp_path, layout):
    """A tree of links to the real images, one of them replaced by a damaged copy."""
    top = tmp_path / "links"
    source = replace(real, root=top)
    if layout == "kaggle":
        source = replace(source, places=dataset._kaggle_places(top, dataset.KAGGLE_IMAGES[0]))
    for entry in real.entries():
        link = source.path(entry.path)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(real.path(entry.path))
    source = dataset.locate(str(top), False, tmp_path)
    assert bool(source.places) == (layout == "kaggle")
    state = integrity.quick_check(source)
    name, link = file_of(source, "images/TEST/")
    link.unlink()
    link.write_bytes(real.path(file_of(real, "images/TEST/")[0]).read_bytes())
    flip(link)
    assert integrity.quick_check(source) != state
    with pytest.raises(RequestError, match=f"{name} is altered;"):
        integrity.verify(source)
    link.write_bytes(link.read_bytes()[:-1])
    with pytest.raises(RequestError, match=f"{name} is cut off"):
        integrity.quick_check(source)
