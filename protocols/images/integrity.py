"""Checks by size, by SHA-256 and by decoding whether a source's files are those of its manifest."""

import hashlib
import io
import os
import stat
from collections import defaultdict
from pathlib import Path

from PIL import Image

from protocols.errors import RequestError
from protocols.files import Progress, in_order, throttled
from protocols.images import archive, augment
from protocols.images.dataset import CACHE, LABELS, ORIGINALS, Entry, Source
from protocols.photographs import provenance

UNREAD = "can't be read"


def quick_check(source: Source, protocol: str = "") -> str:
    """Looks at the name and size of every file of which a set of `protocol` is made (of every
    required file, if no protocol is given), without reading a file.

    Returns the SHA-256, as hex digits, of (path, size, time of change, expected SHA-256) of all
    files: as long as it stays the same, `verify` need not run again. Raises RequestError.
    """
    folders: dict[str, list[tuple[str, Entry]]] = defaultdict(list)
    for entry in source.entries(protocol):
        folder, name = os.path.split(source.place(entry.path))
        folders[folder].append((name, entry))
    problems, state = {}, hashlib.sha256()
    for folder, wanted in folders.items():
        there, unread = _scan(source.folder / folder)
        if unread:
            problems[folder] = f"{folder or source.folder} {unread}"
            continue
        for name, entry in wanted:
            problem, found = _look(source, there.get(name), entry)
            if problem:
                problems[entry.path] = problem
            if found:
                line = f"{folder}/{name},{found.st_size},{found.st_mtime_ns},{entry.sha256}\n"
                state.update(line.encode())
    refuse(source, problems, protocol)
    return state.hexdigest()


def _scan(folder: Path) -> tuple[dict[str, os.DirEntry], str]:
    """Gives what is in a folder, by name, and in words why that can't be told, or ""."""
    try:
        with os.scandir(folder) as found:
            return {file.name: file for file in found}, ""
    except (FileNotFoundError, NotADirectoryError):
        return {}, ""
    except OSError as error:
        return {}, _unread(error)


def _look(
    source: Source, file: os.DirEntry | None, entry: Entry
) -> tuple[str, os.stat_result | None]:
    """Tells what is wrong with one file by its size, or gives "", and the file's state if the file
    is there."""
    try:
        found = file.stat() if file else None
    except FileNotFoundError:  # a link to nowhere
        found = None
    except OSError as error:
        return f"{source.place(entry.path)} {_unread(error)}", None
    if found and not stat.S_ISREG(found.st_mode):
        found = None
    if found and entry.path == LABELS and found.st_size != entry.size:
        return read_checked(source, entry)[1], found
    return _size_problem(source.place(entry.path), entry, found.st_size if found else None), found


def _unread(error: OSError) -> str:
    return f"{UNREAD} ({error.strerror or error})"


def verify(source: Source, progress: Progress | None = None, protocol: str = "") -> None:
    """Hashes and decodes every file of which a set of `protocol` is made, or every required file.
    Raises a RequestError that names the first bad file."""
    report, entries, problems = throttled(progress), source.entries(protocol), {}
    found = in_order(lambda entry: inspect(source, entry)[1], entries)
    for done, (entry, problem) in enumerate(zip(entries, found, strict=True), start=1):
        if problem:
            problems[entry.path] = problem
        report("checking the images", done, len(entries))
    refuse(source, problems, protocol)


def inspect(source: Source, entry: Entry) -> tuple[Image.Image | None, str]:
    """Reads, hashes and decodes one file; gives the RGB image (None for labels.csv or a wrong file)
    and what is wrong, or ""."""
    data, problem = read_checked(source, entry)
    if problem or entry.path == LABELS:
        return None, problem
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.convert("RGB"), ""
    except Exception as error:  # Pillow raises errors of many kinds for broken files
        return None, f"{source.place(entry.path)} can't be decoded ({error})"


def read_checked(source: Source, entry: Entry) -> tuple[bytes, str]:
    """Gives the bytes of one file, and what is wrong with the file by size and SHA-256, or "". A
    labels.csv of other bytes is right if it holds the same labels."""
    name = source.place(entry.path)
    try:
        data = source.path(entry.path).read_bytes()
    except FileNotFoundError:
        return b"", _size_problem(name, entry, None)
    except OSError as error:
        return b"", f"{name} {_unread(error)}"
    if hashlib.sha256(data).hexdigest() == entry.sha256:
        return data, ""
    if entry.path == LABELS:
        return data, _other_labels(source)
    return data, _size_problem(name, entry, len(data)) or f"{name} is altered"


def _other_labels(source: Source) -> str:
    """Tells what is wrong with a labels.csv of other bytes than the public one's, or gives "". Line
    ends, order and other columns don't matter; the class of each photograph that counts does."""
    name = source.place(LABELS)
    if source.kind != "real":
        return f"{name} differs"
    wanted = {e.path.removeprefix(ORIGINALS) for e in source.entries("cv10") if e.path != LABELS}
    known = {o.file: o.label for o in provenance.originals() if o.file in wanted}
    try:
        found = augment.read_labels(source.path(LABELS), existing=wanted)
    except RequestError:
        return f"{name} differs: it has no readable columns Image and Category"
    other = sorted(n for n in wanted if known.get(n) != found.get(n))
    if not other:
        return ""
    more = f", and {len(other) - 1} more labels differ" if len(other) > 1 else ""
    there = found.get(other[0], "not one class of the four")
    return f"{name} differs: {other[0]} is {there} instead of {known.get(other[0])}{more}"


def _size_problem(name: str, entry: Entry, size: int | None) -> str:
    if size is None:
        return f"{name} is missing"
    if size == entry.size:
        return ""
    word = "cut off" if size < entry.size else "altered"
    return f"{name} is {word} ({size} bytes instead of {entry.size})"


def refuse(source: Source, problems: dict[str, str], protocol: str = "") -> None:
    """Raises, if there is a problem, a RequestError that names the first problem, counts the rest,
    and says where the files come from. `problems` tells what is wrong, by the path in the manifest.
    """
    if not problems:
        return
    path, problem = next(iter(problems.items()))
    more = f", and {len(problems) - 1} more are missing or wrong" if len(problems) > 1 else ""
    address = f"{archive.BASE_URL}/raw/{archive.COMMIT}/{path}"
    whence = f"it from {address}" if len(problems) == 1 else f"them from {archive.archive_url()}"
    remedy = f"restore {whence}, give another folder with --data DIR, or take --data auto without "
    remedy += "WBC_DATA to download all"
    if UNREAD in problem:
        remedy = "make it readable, or give another folder with --data DIR"
    elif source.how in (CACHE, "download", "phantom"):
        remedy = "delete that folder and start again"
    use = f"by {protocol}" if protocol else "as they are"
    raise RequestError(
        f"The images in {source.folder} ({source.how}) can't be used {use}: {problem}{more}; "
        f"{remedy}."
    )
