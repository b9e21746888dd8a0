"""Are the files of a source the ones its manifest names? By size, by SHA-256, by decoding."""

from __future__ import annotations

import hashlib
import io
import os
from collections import defaultdict
from pathlib import Path

from PIL import Image

from protocols.dataset import LABELS, Entry, Source
from protocols.errors import RequestError
from protocols.files import Progress, in_order, throttled


def quick_check(source: Source) -> str:
    """Look at the name and size of every required file, without reading one.

    Returns SHA-256 hex of (path, size, time of change, expected SHA-256) of all: as long as it
    stays the same, `verify` need not run again. Raises RequestError.
    """
    folders: dict[str, list[tuple[str, Entry]]] = defaultdict(list)
    for entry in source.entries():
        folder, name = os.path.split(source.place(entry.path))
        folders[folder].append((name, entry))
    problems, state = [], hashlib.sha256()
    for folder, wanted in folders.items():
        there = _scan(source.folder / folder)
        for name, entry in wanted:
            stat = there[name].stat() if name in there else None
            problem = _size_problem(
                f"{folder}/{name}".lstrip("/"), entry, stat.st_size if stat else None
            )
            if problem:
                problems.append(problem)
            if stat:
                line = f"{folder}/{name},{stat.st_size},{stat.st_mtime_ns},{entry.sha256}\n"
                state.update(line.encode())
    refuse(source, problems)
    return state.hexdigest()


def _scan(folder: Path) -> dict[str, os.DirEntry]:
    try:
        with os.scandir(folder) as found:
            return {file.name: file for file in found if file.is_file()}
    except OSError:
        return {}


def verify(source: Source, progress: Progress | None = None) -> None:
    """Hash and decode every required file. Raises RequestError that names the first bad one."""
    report, entries, problems = throttled(progress), source.entries(), []
    found = in_order(lambda entry: inspect(source, entry)[1], entries)
    for done, problem in enumerate(found, start=1):
        problems += [problem] if problem else []
        report("checking the images", done, len(entries))
    refuse(source, problems)


def inspect(source: Source, entry: Entry) -> tuple[Image.Image | None, str]:
    """Read, hash and decode one file: (RGB image, or None for labels.csv, what is wrong or "")."""
    data, problem = read_checked(source, entry)
    if problem or entry.path == LABELS:
        return None, problem
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.convert("RGB"), ""
    except Exception as error:  # Pillow raises many kinds for broken files
        return None, f"{source.place(entry.path)} can't be decoded ({error})"


def read_checked(source: Source, entry: Entry) -> tuple[bytes, str]:
    """The bytes of one file, and what is wrong with it by size and SHA-256, or ""."""
    name = source.place(entry.path)
    try:
        data = source.path(entry.path).read_bytes()
    except FileNotFoundError:
        return b"", _size_problem(name, entry, None)
    except OSError as error:
        return b"", f"{name} can't be read ({error.strerror})"
    problem = _size_problem(name, entry, len(data))
    if not problem and hashlib.sha256(data).hexdigest() != entry.sha256:
        problem = f"{name} is altered"
    return data, problem


def _size_problem(name: str, entry: Entry, size: int | None) -> str:
    if size is None:
        return f"{name} is missing"
    if size == entry.size:
        return ""
    word = "cut off" if size < entry.size else "altered"
    return f"{name} is {word} ({size} bytes instead of {entry.size})"


def refuse(source: Source, problems: list[str]) -> None:
    """Raise a RequestError that names the first problem and counts the rest, if there is one."""
    if not problems:
        return
    more = f", and {len(problems) - 1} more are wrong" if len(problems) > 1 else ""
    remedy = "restore the files, give another folder with --data DIR, or --data auto"
    if source.how in ("the cache", "download", "phantom"):
        remedy = "delete that folder and start again"
    raise RequestError(
        f"The images in {source.folder} ({source.how}) can't be used: {problems[0]}{more}; "
        f"{remedy}."
    )
