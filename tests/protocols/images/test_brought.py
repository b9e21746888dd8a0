"""Data as people bring it: what lacks disables only what needs it, and no damage is trained on."""

import contextlib
import json
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import runner as door
from benchmarks.launch.launcher import Launcher
from benchmarks.launch.pending import check_images, weights_of
from benchmarks.planning import plan
from benchmarks.planning.plan import Device, Selection, make_plan
from benchmarks.store.store import Store
from benchmarks.terminal import texts as words
from benchmarks.terminal.console import Console
from protocols.errors import RequestError
from protocols.images import archive, augment, dataset, decoded, integrity
from protocols.images.dataset import Source
from protocols.images.decoded import image_set
from protocols.images.phantom import write_phantom
from protocols.images.sets import SetRequest
from protocols.photographs import provenance
from protocols.photographs.provenance import Original
from protocols.weights import files as weight_files
from reports.figures import photographs, pictures

FIXED = SetRequest("fixed", 24, 32)
POOL = SetRequest("cv10", 24, 32, per_class=5)
GROUPED = replace(POOL, protocol="cv10-grouped", n_folds=2, fold=0)
CPU = {"keras": Device("tensorflow", "cpu"), "torch": Device("torch", "cpu")}
UNREAD = r"can't be read \(Permission denied\)"
KAGGLE = "dataset2-master/dataset2-master", "dataset-master/dataset-master"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A tiny set in the origin's layout, its manifest, and its labels."""
    root = tmp_path_factory.mktemp("drawn") / "set"
    write_phantom(root, 2, 1, 3)
    (root / "PHANTOM").unlink()  # here it stands for the real set
    return root, dataset.make_manifest(root), augment.read_labels(root / "labels.csv")


@pytest.fixture
def open_folder():
    """A folder that every user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="wbc-permission-"))
    folder.chmod(0o755)
    yield folder
    for path, folders, _ in os.walk(folder):
        for name in folders:
            (Path(path) / name).chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture
def real(drawn, open_folder, monkeypatch):
    """The tiny set stands for the real one: its manifest, its recorded labels, no groups."""
    root, manifest, labels = drawn
    (open_folder / "manifest.csv.gz").write_bytes(manifest)
    monkeypatch.setattr(dataset, "MANIFEST", open_folder / "manifest.csv.gz")
    monkeypatch.setattr(plan, "set_digest", decoded.set_digest)  # which keeps what it was told
    monkeypatch.setattr(provenance, "groups", dict)
    monkeypatch.setattr(provenance, "groups_digest", str)
    known = [Original(name, "", label, "TRAIN") for name, label in labels.items()]
    monkeypatch.setattr(provenance, "originals", lambda: known)
    monkeypatch.delenv("WBC_DATA", raising=False)
    return root


@pytest.fixture
def kaggle(real, tmp_path):
    """Kaggle's archive as it is shipped: a photograph is missing. The folder and its name."""
    top, name = tmp_path / "archive", sorted((real / "Original_Images").iterdir())[4].name
    shutil.copytree(real / "images", top / KAGGLE[0] / "images")
    shutil.copytree(real / "Original_Images", top / KAGGLE[1] / "JPEGImages")
    shutil.copy(real / "labels.csv", top / KAGGLE[1])
    (top / KAGGLE[1] / "JPEGImages" / name).unlink()
    return top, name


@pytest.fixture
def source(real, tmp_path):
    """A copy of the tiny set that a test may spoil."""
    shutil.copytree(real, tmp_path / "set")
    return Source("real", tmp_path / "set", how="--data DIR")


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def located(folder, tmp_path):
    return dataset.locate(str(folder), False, tmp_path / "cache")


def test_a_missing_photograph_leaves_the_images_whole(kaggle, tmp_path, cache):
    top, name = kaggle
    source = located(top, tmp_path)
    assert len(image_set(source, FIXED, cache).ids) == 4 * 3
    address = f"{archive.BASE_URL}/raw/{archive.COMMIT}/Original_Images/{name}"
    for request in (POOL, GROUPED):
        said = f"by {request.protocol}: .*JPEGImages/{name} is missing; restore it from {address},"
        with pytest.raises(RequestError, match=said):
            image_set(source, request, cache)
    assert len(list((cache / "arrays").iterdir())) == 1


@pytest.mark.parametrize("alone", ["dataset2-master", "dataset2-master/dataset2-master", "images"])
def test_the_images_alone_are_enough(kaggle, tmp_path, cache, alone):
    top, _ = kaggle
    (top / KAGGLE[0] / "labels.csv").write_text("no labels", encoding="utf-8")
    whole = image_set(located(top, tmp_path), FIXED, cache).pixels_sha256
    shutil.rmtree(top / "dataset-master")
    if alone == "images":
        shutil.move(top / KAGGLE[0] / "images", top / "images")
        shutil.rmtree(top / "dataset2-master")
    source = located(top / alone, tmp_path)
    assert image_set(source, FIXED, tmp_path / "another").pixels_sha256 == whole
    with pytest.raises(RequestError, match=r"by cv10: .*missing, and \d+ more"):
        image_set(source, POOL, cache)


def request_of(*variants, suite="", **more):
    return make_plan(Selection(suite=suite, variants=variants, **more), "real", CPU, 2)


def test_the_door_says_what_can_run_without(kaggle, tmp_path):
    top, name = kaggle
    source = located(top, tmp_path)
    check_images(request_of(suite="liang"), source)
    check_images(request_of("cnn_lstm", protocol="fixed"), source)
    check_images(request_of(suite="all"), Source("real", None))
    said = f"{name} is missing; .*without that cnn_lstm and cnn_gru can't run, .*"
    with pytest.raises(RequestError, match=f"{said} --suite liang\\.$"):
        check_images(request_of(suite="all"), source)
    said = "without that cnn_gru can't run, .* --variant resnet50 xception"
    with pytest.raises(RequestError, match=f"{said}\\.$"):
        check_images(request_of("xception", "resnet50", "cnn_gru"), source)
    with pytest.raises(RequestError, match=r"download all\.$"):  # nothing is left
        check_images(request_of(suite="jane"), source)
    shutil.rmtree(top / KAGGLE[0] / "images" / "TEST")
    with pytest.raises(RequestError, match=r"by fixed: .*download all\.$"):
        check_images(request_of(suite="all"), source)


@pytest.mark.parametrize(
    ("suite", "code", "said"),
    [("all", 2, "--suite liang"), ("jane", 2, "is missing"), ("liang", 0, "28 to make")],
)
def test_the_plan_ends_as_the_run_would(kaggle, tmp_path, monkeypatch, capsys, suite, code, said):
    words = ["--plan", "--suite", suite, "--gpu", "none", "--data", str(kaggle[0])]
    words += ["--cache", str(tmp_path / "cache"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["runner.py", *words])
    assert door.main() == code
    answer = capsys.readouterr()
    shown = answer.err if code else answer.out
    assert said in shown and (code == 0 or (answer.out == "" and len(shown.splitlines()) == 1))


def test_validate_tells_of_both_parts_and_of_the_decoded_images(kaggle, tmp_path, cache):
    top, name = kaggle
    made = image_set(located(top, tmp_path), FIXED, cache)
    lines, wrong = words.validate(str(top), cache, Store(tmp_path / "out"), lambda *_: None)
    assert any("the 12 files of fixed and fixed-grouped" in line for line in lines)
    assert "data: cv10 and cv10-grouped can't run" in lines
    assert len(wrong) == 1 and f"{name} is missing" in wrong[0]
    assert f"decoded images: 1 set in {cache / 'arrays'}, 0 wrong" in lines
    flip(made.folder / "pixels.npy")
    lines, wrong = words.validate(str(top), cache, Store(tmp_path / "out"), lambda *_: None)
    assert f"decoded images: 1 set in {cache / 'arrays'}, 1 wrong" in lines
    assert f"{made.folder}: the decoded images were altered" in wrong[1]


def flip(path, at=-5):
    """Changes one bit, and neither size nor time."""
    data, before = bytearray(path.read_bytes()), path.stat()
    data[at] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def swap(path, old, new):
    """Changes text for other text of the same length."""
    text = path.read_text(encoding="utf-8")
    assert len(old) == len(new) and old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


SPOILED = {
    "a pixel": lambda folder: flip(folder / "pixels.npy"),
    "the shape": lambda folder: reshaped(folder / "pixels.npy"),
    "a label": lambda folder: swap(folder / "index.json", '"labels":[0', '"labels":[1'),
    "a part": lambda folder: swap(folder / "index.json", '"part":["test"', '"part":["tent"'),
    "a name": lambda folder: swap(folder / "index.json", "TEST/EOSIN", "TEST/EOSIM"),
    "a label that is none": lambda folder: swap(
        folder / "index.json", '"labels":[0', '"labels":{0'
    ),
    "one label less": lambda folder: swap(
        folder / "index.json", '"labels":[0,1,2', '"labels":[0,  2'
    ),
}


def reshaped(path):
    data = path.read_bytes()
    path.write_bytes(data.replace(b"(12, 24, 32, 3)", b"(12, 32, 24, 3)"))


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED.keys())
def test_altered_decoded_images_are_said_and_decoded_anew(source, cache, spoil):
    """Of the same size and time, so that nothing but the content can tell."""
    made = image_set(source, FIXED, cache)
    before = {path.name: path.read_bytes() for path in made.folder.iterdir()}
    spoil(made.folder)
    assert {path.name: path.read_bytes() for path in made.folder.iterdir()} != before
    count, wrong = decoded.wrong_sets(source, cache)
    assert count == 1 and len(wrong) == 1 and str(made.folder) in wrong[0]
    said = []
    again = image_set(source, FIXED, cache, say=said.append)
    assert {path.name: path.read_bytes() for path in again.folder.iterdir()} == before
    assert len(said) == 1 and "decoded anew" in said[0] and str(made.folder) in said[0]
    image_set(source, FIXED, cache, say=said.append)
    assert len(said) == 1 and decoded.wrong_sets(source, cache) == (1, [])


def test_altered_decoded_photographs_too(source, cache):
    made = image_set(source, POOL, cache)
    flip(made.folder / "pixels.npy")
    said = []
    again = image_set(source, POOL, cache, say=said.append)
    assert decoded.pixels_digest(again) == made.pixels_sha256 and len(said) == 1


def test_a_launch_says_so_and_a_worker_does_not_look_again(source, cache, tmp_path, monkeypatch):
    spec = make_plan(Selection(variants=("xception",)), "real", CPU, 2)[0]
    said = []
    monkeypatch.setattr(Console, "say", lambda _, text: said.append(text))

    def launched():
        launcher = Launcher(Store(tmp_path / "out"), source, CPU, cache, Console(), 1)
        launcher.prepare([spec, spec])
        return launcher.sets[spec.data["digest"]]

    flip(launched().folder / "pixels.npy")
    folder = launched().folder
    assert len(said) == 1 and "were altered since they were made" in said[0]
    monkeypatch.setattr(decoded, "pixels_digest", lambda *_: pytest.fail("hashed again"))
    assert decoded.open_set(folder).digest == spec.data["digest"]


def test_sets_of_another_version_are_no_fault(source, cache, monkeypatch):
    image_set(source, FIXED, cache)
    monkeypatch.setattr(decoded, "ARRAY_VERSION", 99)
    assert decoded.wrong_sets(source, cache) == (0, [])


def other_form(labels, form):
    """labels.csv as it goes about."""
    rows = [(str(int(name[11:16])), label) for name, label in labels.items()]
    if form == "an old editor's":
        return "\ufeffImage,Category\r\n" + "".join(f"{n},{c}\r\n" for n, c in rows)
    if form == "two more columns":
        rows = [f"x,{c}, {n},y\n" for n, c in reversed(rows)]
        return "a,Category,Image,b\n" + "".join(rows)
    return ",Image,Category\n" + "".join(f",{n},{c}\n" for n, c in rows)


@pytest.mark.parametrize("form", ["line feeds", "an old editor's", "two more columns"])
def test_the_same_labels_in_another_form_are_accepted(drawn, source, cache, form):
    wanted = image_set(source, POOL, cache)
    source.path("labels.csv").write_text(other_form(drawn[2], form), encoding="utf-8")
    integrity.quick_check(source)
    integrity.verify(source)
    again = image_set(source, POOL, cache / "another")
    assert (again.ids, again.pixels_sha256) == (wanted.ids, wanted.pixels_sha256)


@pytest.mark.parametrize("size", ["same", "other"])
def test_other_labels_differ_and_say_where(drawn, source, cache, size):
    labels = dict(drawn[2])
    name = sorted(labels)[3]
    labels[name] = "MONOCYTE" if labels[name] != "MONOCYTE" else "NEUTROPHIL"
    text = other_form(labels, "line feeds")
    if size == "same":
        path = source.path("labels.csv")
        text = path.read_text(encoding="utf-8")
        text = text.replace("EOSINOPHIL", "NEUTROPHIL", 1)
    source.path("labels.csv").write_bytes(text.encode())
    said = r"labels.csv differs: BloodImage_\d+\.jpg is (MONO|NEUTRO)\w+ instead of \w+PHIL;"
    with pytest.raises(RequestError, match=said):
        image_set(source, POOL, cache)
    for spoiled in ("", "Image,Category\n", "no table", "\x00"):
        source.path("labels.csv").write_text(spoiled, encoding="utf-8")
        with pytest.raises(RequestError, match=r"labels\.csv differs: ") as error:
            integrity.quick_check(source)
        assert "cut off" not in str(error.value)
    integrity.quick_check(source, "fixed")


@contextlib.contextmanager
def as_nobody():
    """Permissions don't bind root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def readable(real, open_folder):
    shutil.copytree(real, open_folder / "set")
    return open_folder / "set"


def test_a_folder_without_permission_is_one_sentence(readable, tmp_path):
    shut = (
        readable,
        readable / "images",
        readable / "images/TRAIN",
        readable / "images/TEST/NEUTROPHIL",
    )
    for folder in shut:
        folder.chmod(0)
        with as_nobody(), pytest.raises(RequestError, match=UNREAD) as e:
            integrity.quick_check(dataset.locate(str(readable), False, readable / "cache"), "fixed")
        folder.chmod(0o755)
        assert ("is missing" not in str(e.value) and "readable" in str(e.value)) or "let" in str(
            e.value
        )
        assert folder.relative_to(readable).as_posix().strip(".") in str(e.value)


def test_a_file_without_permission_is_one_sentence(readable):
    source = Source("real", readable, how="--data DIR")
    for entry in (source.entries("fixed")[1], source.entries("cv10")[1]):
        path = source.path(entry.path)
        path.chmod(0)
        protocol = "fixed" if entry.path.startswith("images/") else "cv10"
        with as_nobody(), pytest.raises(RequestError) as error:
            integrity.verify(source, None, protocol)
        path.chmod(0o644)
        assert f"{entry.path} can't be read (Permission denied); make it readable" in str(
            error.value
        )


def test_a_path_longer_than_the_system_allows_is_one_sentence(tmp_path):
    for folder in ("x" * 300, "x/" * 3000):
        with pytest.raises(RequestError, match=r"can't be read \(File name too long\)"):
            located(tmp_path / folder, tmp_path)


def test_photographs_without_permission_or_sense_are_left_out_of_pictures(readable, open_folder):
    pair = provenance.overlaps()[0]
    folder = open_folder / "other"
    (folder / "Original_Images").mkdir(parents=True)
    source = Source("real", folder)
    (folder / "Original_Images" / pair.first).write_bytes(b"P6 99999999999 1 255\n")
    (folder / "Original_Images" / pair.second).symlink_to(pair.second)  # a link to itself
    (folder / "Original_Images").chmod(0)
    for out in (open_folder / "shut", open_folder / "open"):
        out.mkdir()
        out.chmod(0o777)
        with as_nobody() if out.name == "shut" else contextlib.nullcontext():
            photographs.write_overlaps(source, out)
            assert pictures.pixels(source, f"{pair.first}#0") is None
        assert json.loads((out / photographs.OVERLAPS).read_bytes()) == {}


def test_a_cache_that_cannot_be_written_is_told_before_any_image_is_read(
    readable, open_folder, monkeypatch
):
    read = []
    plain = integrity.read_checked
    monkeypatch.setattr(integrity, "read_checked", lambda s, e: read.append(e.path) or plain(s, e))
    source, cache = Source("real", readable, how="--data DIR"), open_folder / "cache"
    cache.mkdir()
    for request in (FIXED, POOL):
        with (
            as_nobody(),
            pytest.raises(RequestError, match=r"cache .* can't be used .*can't be wr"),
        ):
            image_set(source, request, cache)
    assert set(read) <= {"labels.csv"} and list(cache.iterdir()) == []
    image_set(source, FIXED, cache)
    with as_nobody():  # what is there can be used
        assert image_set(source, FIXED, cache).ids


def test_a_cache_for_features_is_asked_for_before_weights_are_read(real, open_folder, monkeypatch):
    monkeypatch.setattr(weight_files, "locate", lambda *_: pytest.fail("weights were looked for"))
    (open_folder / "cache").mkdir()
    todo = request_of("xception")
    with as_nobody(), pytest.raises(RequestError, match="can't be written"):
        weights_of(todo, "imagenet", open_folder / "cache", lambda *_: None)
    monkeypatch.undo()
    with as_nobody():  # a latency keeps nothing there
        assert weights_of(todo[-1:], "imagenet", open_folder / "cache", lambda *_: None) == {}


def test_a_folder_whose_name_is_no_text_is_verified(source, tmp_path, cache):
    """Its mark in the cache had UTF-8 for its only encoding."""
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    source.folder.rename(root)
    strange = replace(source, root=root)
    assert image_set(strange, FIXED, cache).files[0].startswith(str(root))
    assert image_set(strange, FIXED, cache).ids


def test_a_mark_that_is_damaged_is_no_mark(source, cache):
    image_set(source, POOL, cache)
    for mark in (cache / "verified").iterdir():
        mark.write_bytes(b"\xff\xfe")
    assert image_set(source, POOL, cache).ids


def test_images_may_be_pictures_of_another_mode(tmp_path):
    """What Pillow can't convert is told, whatever it raises."""
    path = tmp_path / "x.jpg"
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)
    data = bytearray(path.read_bytes())
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(data[:40]))
    with pytest.raises(RequestError, match="can't be read as an image"):
        augment.load_original(path)
