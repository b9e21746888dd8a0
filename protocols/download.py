"""Fetches files: the public images from their repository, with every file proven, and weights.

Nothing half-downloaded is ever used: a file gets its name when it is complete (and, where a check
is given, right), the folder of images when every file of the manifest has the right SHA-256.
Whatever a server answers, in headers or in bytes, the end is a right file or one sentence.
"""

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
from protocols.files import Progress, locked, throttled

INSTEAD = "give a folder that holds the images with --data DIR"
BLOCK = 1 << 18  # bytes read at once
TRIES = 4  # connections for one file; each goes on where the last one was cut
MOST = 1 << 30  # bytes of a file, beyond which nothing is read: our files are far smaller
WORDS = 120  # the characters of a server's own words that are shown


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
    """Loads `url` into the file `target`, through `target.part`, which a later call goes on with.

    `timeout` is in seconds, for the connection and for each read. `what` names in words what is
    loaded, and `instead` what a user can do instead. `check` tells what is wrong with a complete
    file, or gives "": a wrong file is deleted and never named `target`. Raises RequestError (Busy
    if another process loads the file); the bytes that came before stay in the `.part` file. Raises
    OSError if the `.part` file can't be made.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    report = throttled(progress)
    busy = Busy(f"Another process is downloading the {what} to {part}: wait for it to end.")
    with locked(part, busy), open(part, "ab") as out:
        for attempt in range(TRIES):
            before = out.seek(0, os.SEEK_END)
            reason = "the connection was cut"
            try:
                if _load_rest(url, out, report, timeout, what):
                    break
            except Exception as error:  # an answer can make urllib raise errors of many kinds
                reason = reason_of(error)
            have = out.seek(0, os.SEEK_END)
            if have == before or attempt == TRIES - 1:  # nothing came: asking again is of no use
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
    """Appends what is missing of `url` to the open file `out`; gives False if the file was cut."""
    have = out.seek(0, os.SEEK_END)
    headers = {"User-Agent": "wbc-reproduction-benchmark", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        response = _connect(urllib.request.Request(url, headers=headers), timeout)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        out.truncate(0)  # what is there is not the file's beginning: the next try starts over
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
    """Opens the address, and gives up after `timeout` seconds even where the name look-up hangs."""
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


def reason_of(error: Exception) -> str:
    """Gives the cause of a failed download or write, in a few words for a sentence. A server's own
    words become one short line, with nothing that moves a terminal."""
    if isinstance(error, urllib.error.HTTPError):
        return one_line(f"answer {error.code} {error.reason}")[:WORDS]
    if isinstance(error, IncompleteRead | RemoteDisconnected):
        return "the connection was cut"
    reason = getattr(error, "reason", None) or error
    said = str(getattr(reason, "strerror", None) or reason or type(error).__name__)
    return one_line(said if isinstance(error, OSError) else f"an unexpected answer, {said}")[:WORDS]


def _failed(url: str, reason: str, have: int, what: str, instead: str) -> str:
    kept = f", {have / 1e6:.1f} MB are kept and the next try goes on from there" if have else ""
    return f"The {what} can't be downloaded from {url} ({reason}{kept}): {instead}, or try again."
