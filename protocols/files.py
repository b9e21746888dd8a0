"""Small tools for files: folders that appear complete or not at all, ordered threads, progress."""

import hashlib
import json
import os
import secrets
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import platformdirs
from filelock import FileLock, Timeout

from protocols.errors import RequestError

Progress = Callable[[str, int, int], None]
In = TypeVar("In")
Out = TypeVar("Out")

ROOT = Path(__file__).resolve().parent.parent  # the project's folder
LEFT_OVER = 24 * 3600  # seconds after which an unfinished folder belongs to no living process
WAITING = 64  # results that may wait to be read, so that memory stays bounded


def default_cache() -> Path:
    """Gives the user's cache folder of this suite (images, decoded arrays), without making it.

    Raises RequestError for a user without a home folder.
    """
    try:
        return Path(platformdirs.user_cache_dir("wbc-reproduction-benchmark"))
    except RuntimeError:
        raise RequestError(
            "this user has no home folder for the cache (HOME is not set, and the system knows "
            "none); give one with --cache DIR, or set HOME"
        ) from None


def check_cache(cache: Path) -> None:
    """Raises RequestError unless the cache folder, there or still to be made, can be written into;
    makes and changes nothing."""
    if reason := unwritable(cache):
        raise cache_error(cache, reason)


def unwritable(folder: Path) -> str:
    """Tells why a folder, there or still to be made, can't be written into, or gives ""."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    if not os.path.isdir(folder):
        return f"{folder} is no folder"
    own = os.access in os.supports_effective_ids
    can = os.access(folder, os.W_OK | os.X_OK, effective_ids=own)
    return "" if can else f"{folder} can't be written"


def cache_error(cache: Path, reason: str) -> RequestError:
    """Gives the error that tells of a cache that can't be used, for the words `reason`."""
    return RequestError(
        f"The cache {cache} can't be used ({reason}): make room there, let this user write into "
        "it, or choose another with --cache DIR."
    )


@contextmanager
def locked(path: Path, refusal: RequestError) -> Iterator[None]:
    """Holds the lock on the file `path`, which is made, until the block or this process ends.

    Raises `refusal` where another process has the lock. A child process holds no lock: a started
    child doesn't get the open file, and filelock closes the file in a forked child. Where the file
    system has no locks, or the file is another user's, no process is kept out.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(FileLock(path, blocking=False, fallback_to_soft=False))
        except Timeout:
            raise refusal from None
        except OSError:
            pass
        yield


def throttled(progress: Progress | None, every: float = 0.1) -> Progress:
    """Gives a function that calls `progress(what, done, total)` at most once in `every` seconds,
    and at the end."""
    last = 0.0

    def call(what: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if progress is not None and (now - last >= every or done == total):
            last = now
            progress(what, done, total)

    return call


@contextmanager
def aside(folder: Path, finished: Callable[[Path], bool] = Path.exists) -> Iterator[Path]:
    """Makes an empty folder beside `folder`, which takes its name if the block ends without error.

    Where another process was faster (`finished(folder)`), the new folder is thrown away; a `folder`
    that is there unfinished is replaced. After an error no new folder is left. Raises OSError.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for old in folder.parent.glob(f"{folder.name}.tmp-*"):
        if time.time() - old.stat().st_mtime > LEFT_OVER:
            shutil.rmtree(old, ignore_errors=True)
    work = folder.with_name(f"{folder.name}.tmp-{secrets.token_hex(4)}")
    work.mkdir()
    try:
        yield work
        if folder.exists() and not finished(folder):
            shutil.rmtree(folder)
        try:
            work.rename(folder)
        except OSError:
            if not finished(folder):
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def in_order(work: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
    """Gives `map(work, items)`, computed by threads (Pillow and hashlib release the GIL), with the
    results in the order of the items."""
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        waiting: deque = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= WAITING:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def sha256_of(path: Path) -> str:
    """Gives the SHA-256 of a file, as hex digits. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(words: Any) -> str:
    """Gives the SHA-256, as hex digits, of what JSON can hold."""
    return hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()


def write_whole(path: Path, data: bytes | memoryview) -> None:
    """Writes a file that is at any time either the old file or all of `data`, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.tmp-{secrets.token_hex(4)}")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Makes a folder of a report. Raises RequestError where something else has that name."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise RequestError(f"{path} is no folder, where the report keeps its tables") from None


def write(path: Path, text: str) -> None:
    """Writes a page or a data file whole. A lone surrogate (of a name that isn't UTF-8) is written
    as its escape. Raises RequestError where a folder has the file's name."""
    try:
        write_whole(path, text.encode("utf-8", "backslashreplace"))
    except IsADirectoryError:
        raise RequestError(f"{path} is a folder, where the report writes a file") from None
