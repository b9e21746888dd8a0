"""Fetches files: the public images from the repository they come from, every file proven; weights.

Nothing half-downloaded is ever used: a file gets its name when it is complete (and, where it is
checked, right), the folder of images when every file the manifest names has the right SHA-256.
Whatever a server answers, in headers or in bytes, ends in a file that is right or in one sentence.
"""

from __future__ import annotations

import fcntl
import os
import queue
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPResponse, IncompleteRead, RemoteDisconnected
from pathlib import Path
from typing import BinaryIO

from protocols.errors import RequestError, one_line
from protocols.files import Progress, throttled

INSTEAD = "give a folder that holds the images with --data DIR"
BLOCK = 1 << 18  # bytes read at once
TRIES = 4  # connections for one file; each goes on where the last one was cut
MOST = 1 << 30  # bytes of a file, beyond which no server is listened to: ours are far smaller
WORDS = 120  # characters of a server's own words that are shown


class Busy(RequestError):
    """Another process is loading the same file."""


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


def _load_rest(url: str, out: BinaryIO, report: Progress, timeout: float, what: str) -> bool:
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


def _lock(file: BinaryIO, path: Path, what: str = "images") -> None:
    """Raises Busy. Where the file system has no locks, nothing is kept out."""
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
