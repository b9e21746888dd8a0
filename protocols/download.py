"""Fetches files: the public images from the repository they come from, every file proven; weights.

Nothing half-downloaded is ever used: a file gets its name when it is complete (and, where it is
checked, right), the folder of images when every file the manifest names has the right SHA-256.
Whatever a server answers, in headers or in bytes, ends in a file that is right or in one sentence.
"""

from __future__ import annotations

import hashlib
import os
import queue
import re
import threading
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterable
from http.client import HTTPResponse, IncompleteRead, RemoteDisconnected
from pathlib import Path
from typing import BinaryIO

from protocols.errors import RequestError, one_line
from protocols.files import Progress, aside, throttled

try:
    import fcntl
except ImportError:  # not a POSIX system: no lock, the SHA-256 of every file still guards
    fcntl = None

COMMIT = "0b22eb2084b1004d464fb5ab87adc85ab94b2079"
BASE_URL = "https://github.com/dhruvp/wbc-classification"
INSTEAD = "give a folder that holds the images with --data DIR"
BLOCK = 1 << 18  # bytes read at once
TRIES = 4  # connections for one file; each goes on where the last one was cut
MOST = 1 << 30  # bytes of a file, beyond which no server is listened to: ours are far smaller
WORDS = 120  # characters of a server's own words that are shown
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what GitHub's archives are made with


class Busy(RequestError):
    """Another process is loading the same file."""


def archive_url(base: str = BASE_URL) -> str:
    """Address of the zip of the pinned commit; `base` is the repository's address."""
    return f"{base}/archive/{COMMIT}.zip"


def fetch(
    url: str,
    target: Path,
    progress: Progress | None = None,
    timeout: float = 10,
    what: str = "images",
    instead: str = INSTEAD,
    check: Callable[[Path], str] | None = None,
) -> None:
    """Load `url` into the file `target`, through `target.part`, which a later call goes on with.

    `timeout` is in seconds, for the connection and for each read; `what` is loaded and what to do
    `instead`, in words. `check` tells what is wrong with a complete file, or "": a wrong one is
    deleted and never named `target`. Raises RequestError (Busy if another process loads it); what
    came until then stays in the `.part` file. Raises OSError if that can't be made.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    report = throttled(progress)
    with open(part, "ab") as out:
        _lock(out, part, what)
        for attempt in range(TRIES):
            before = out.seek(0, os.SEEK_END)
            reason = "the connection was cut"
            try:
                if _load_rest(url, out, report, timeout, what):
                    break
            except Exception as error:  # an answer can make urllib raise many kinds
                reason = _reason(error)
            have = out.seek(0, os.SEEK_END)
            if have == before or attempt == TRIES - 1:  # nothing came: no use in asking again
                raise RequestError(_failed(url, reason, have, what, instead))
        problem = check(part) if check else ""
    if problem:
        part.unlink()
        raise RequestError(
            f"What {url} gave is not the {what} ({problem}) and was deleted: "
            f"{instead}, or try again."
        )
    os.replace(part, target)


def install(
    entries: Iterable[tuple[str, int, str]],
    folder: Path,
    progress: Progress | None = None,
    base: str = BASE_URL,
    timeout: float = 10,
) -> None:
    """Download the archive and make `folder` of its files named in `entries`.

    `entries`: (path below the repository's root, size in bytes, SHA-256 hex). The archive is kept
    beside `folder` while it loads and removed afterwards. Raises RequestError.
    """
    archive = folder.with_name(folder.name + f"-{COMMIT[:12]}.zip")
    try:
        if not archive.exists():
            fetch(archive_url(base), archive, progress, timeout)
        unpack(archive, list(entries), folder, progress)
    except OSError as error:
        raise RequestError(
            f"The images can't be written to {folder} ({_reason(error)}): make room there, "
            f"choose another cache with --cache DIR, or {INSTEAD}."
        ) from error
    archive.unlink(missing_ok=True)


def unpack(
    archive: Path,
    entries: list[tuple[str, int, str]],
    folder: Path,
    progress: Progress | None = None,
) -> None:
    """Extract the files of `entries` from the zip `archive`; each must have its SHA-256.

    `folder` appears complete or not at all; one that exists already (another process was faster)
    is left as it is. A wrong archive is deleted. Raises RequestError.
    """
    report = throttled(progress)
    try:
        with open(archive, "rb") as file, _opened(file) as pack, aside(folder) as work:
            members = {i.filename.partition("/")[2]: i for i in pack.infolist()}
            for done, (name, size, digest) in enumerate(entries, start=1):
                data = _member(pack, members.get(name), size)
                if hashlib.sha256(data).hexdigest() != digest:
                    raise zipfile.BadZipFile(f"{name} is missing or altered in it")
                path = work / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                report("unpacking the images", done, len(entries))
    except zipfile.BadZipFile as error:
        archive.unlink(missing_ok=True)
        raise RequestError(
            f"The archive that was downloaded is not the images ({error}) and was deleted: "
            f"try again, or {INSTEAD}."
        ) from error


def _opened(archive: BinaryIO) -> zipfile.ZipFile:
    """Raises BadZipFile, whatever the bytes are."""
    try:
        return zipfile.ZipFile(archive)
    except Exception as error:  # as for names in no encoding
        raise zipfile.BadZipFile("no zip archive that can be read") from error


def _member(pack: zipfile.ZipFile, member: zipfile.ZipInfo | None, size: int) -> bytes:
    """The bytes of a member that should have `size` of them; empty where it can't be the right one.
    No more than that is unpacked, so none fills the memory or the disk."""
    if member is None or member.file_size != size or member.compress_type not in PACKED:
        return b""
    try:
        with pack.open(member) as file:
            return file.read(size)
    except Exception:  # damaged or encrypted bytes make zipfile raise many kinds
        return b""


def _load_rest(url: str, out, report: Progress, timeout: float, what: str) -> bool:
    """Append what is missing of `url` to the open file `out`; False if it was cut."""
    have = out.seek(0, os.SEEK_END)
    headers = {"User-Agent": "wbc-reproduction-benchmark", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        response = _connect(urllib.request.Request(url, headers=headers), timeout)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        out.truncate(0)  # what is there is no beginning of the file: start over
        return False
    with response:
        place = response.getheader("Content-Range", "")
        if response.status != 206 or not place.startswith(f"bytes {have}-"):
            if response.status != 200:
                raise OSError(f"an unexpected answer, {response.status} {place}")
            out.truncate(0)
            have = 0
        length = response.getheader("Content-Length", "0")
        if not re.fullmatch("[0-9]{1,18}", length):
            raise OSError(f"an unexpected answer, Content-Length {length}")
        total = have + int(length) if int(length) else 0
        while block := response.read1(BLOCK):
            if max(total, have + len(block)) > MOST:
                out.truncate(0)
                raise OSError(f"an answer of more than {MOST} bytes")
            out.write(block)
            have += len(block)
            report(f"downloading the {what} (bytes)", have, total)
    out.flush()
    return not total or have >= total


def _connect(request: urllib.request.Request, timeout: float) -> HTTPResponse:
    """Open the address, and give up after `timeout` even where the name look-up hangs."""
    answers: queue.SimpleQueue = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put(urllib.request.urlopen(request, timeout=timeout))
        except Exception as error:
            answers.put(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        answer = answers.get(timeout=timeout + 1)
    except queue.Empty:
        raise TimeoutError(f"no answer in {timeout:g} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _lock(file, path: Path, what: str = "images") -> None:
    """Raises Busy. Where the file system has no locks, nothing is kept out."""
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if not isinstance(error, BlockingIOError):
            return
        raise Busy(
            f"Another process is downloading the {what} to {path}: wait for it to end."
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return _shown(f"answer {error.code} {error.reason}")
    if isinstance(error, IncompleteRead | RemoteDisconnected):
        return "the connection was cut"
    reason = getattr(error, "reason", None) or error
    said = str(getattr(reason, "strerror", None) or reason or type(error).__name__)
    return _shown(said if isinstance(error, OSError) else f"an unexpected answer, {said}")


def _shown(words: str) -> str:
    """Words that may be a server's: one short line, and nothing that moves a terminal."""
    return one_line(words)[:WORDS]


def _failed(url: str, reason: str, have: int, what: str, instead: str) -> str:
    kept = f", {have / 1e6:.1f} MB are kept and the next try goes on from there" if have else ""
    return f"The {what} can't be downloaded from {url} ({reason}{kept}): {instead}, or try again."
