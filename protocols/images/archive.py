"""Fetches, checks and unpacks the public set's archive, whole or not at all."""

import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from protocols.download import INSTEAD, fetch, reason_of
from protocols.errors import RequestError
from protocols.files import Progress, aside, throttled

COMMIT = "0b22eb2084b1004d464fb5ab87adc85ab94b2079"
BASE_URL = "https://github.com/dhruvp/wbc-classification"
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the compressions in GitHub's archives


def archive_url(base: str = BASE_URL) -> str:
    """Gives the address of the pinned commit's zip; `base` is the repository's address."""
    return f"{base}/archive/{COMMIT}.zip"


def install(
    entries: Iterable[tuple[str, int, str]],
    folder: Path,
    progress: Progress | None = None,
    base: str = BASE_URL,
) -> None:
    """Downloads the archive and makes `folder` of those of its files that `entries` names.

    An entry is (path below the repository's root, size in bytes, SHA-256 hex). The archive is kept
    beside `folder` until `folder` is whole, and removed then. Raises RequestError.
    """
    archive = folder.with_name(folder.name + f"-{COMMIT[:12]}.zip")
    try:
        if not archive.exists():
            fetch(archive_url(base), archive, progress)
        unpack(archive, list(entries), folder, progress)
    except OSError as error:
        raise RequestError(
            f"The images can't be written to {folder} ({reason_of(error)}): make room there, "
            f"choose another cache with --cache DIR, or {INSTEAD}."
        ) from error
    archive.unlink(missing_ok=True)


def unpack(
    archive: Path,
    entries: list[tuple[str, int, str]],
    folder: Path,
    progress: Progress | None = None,
) -> None:
    """Extracts the files of `entries` from the zip `archive`; each must have its entry's SHA-256.

    `folder` appears complete or not at all; a folder that is there already (another process was
    faster) is left as it is. A wrong archive is deleted. Raises RequestError.
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
    """Opens a zip. Whatever is wrong with its bytes, the error that it raises is a BadZipFile."""
    try:
        return zipfile.ZipFile(archive)
    except Exception as error:  # for example because names are in no encoding
        raise zipfile.BadZipFile("no zip archive that can be read") from error


def _member(pack: zipfile.ZipFile, member: zipfile.ZipInfo | None, size: int) -> bytes:
    """Gives the bytes of a member that should have `size` of them, or no bytes where the member
    can't be the right one. No more than `size` bytes are unpacked, so no member fills the memory or
    the disk."""
    if member is None or member.file_size != size or member.compress_type not in PACKED:
        return b""
    try:
        with pack.open(member) as file:
            return file.read(size)
    except Exception:  # damaged or encrypted bytes make zipfile raise many errors
        return b""
