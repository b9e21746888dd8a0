"""Reads all files from outside: each is read whole, within a limit of size, by a schema.

A file that a stranger may have written is refused here, as `Damaged`, with its name and the fault.
msgspec checks JSON against declared types, ranges and lengths; NaN, Infinity, lone surrogates and
numbers out of range are no JSON to msgspec. Arrays are held against a declared dtype and shape
before any array is unpacked, and no array is ever unpickled.
"""

import json
import math
import os
import re
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta

MOST_JSON = 1 << 26  # bytes of a JSON or CSV file
MOST_ARRAYS = 1 << 30  # bytes of a file's arrays together, unpacked
MOST_MEMBERS = 1000  # arrays in a file
WHOLE = 2**53  # the largest whole number that every reader of JSON knows exactly
LARGE = 1e300
# a text without line ends, control characters, and marks that turn the reading direction
_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]*\Z"

Line = Annotated[str, Meta(max_length=5000, pattern=_LINE)]
Key = Annotated[str, Meta(max_length=200, pattern=_LINE)]
Name = Annotated[str, Meta(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*\Z")]
FileName = Annotated[str, Meta(max_length=100, pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*\Z")]
Digest = Annotated[str, Meta(max_length=1000, pattern=r"^[A-Za-z0-9:+_-]*\Z")]
Hex = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Count = Annotated[int, Meta(ge=0, le=WHOLE)]
Positive = Annotated[float, Meta(gt=0, le=1e10)]
Amount = Annotated[float, Meta(ge=0, le=1e18)]
# A value for which a schema names no type is one of these: they nest at most so deep.
Scalar = (
    Annotated[int, Meta(ge=-WHOLE, le=WHOLE)]
    | Annotated[float, Meta(ge=-LARGE, le=LARGE)]
    | Annotated[str, Meta(max_length=100_000)]
    | bool
    | None
)
Leaf = (
    Scalar
    | Annotated[list[Scalar], Meta(max_length=10_000)]
    | Annotated[dict[Key, Scalar], Meta(max_length=10_000)]
)
Value = (
    Scalar
    | Annotated[list[Leaf], Meta(max_length=10_000)]
    | Annotated[dict[Key, Leaf], Meta(max_length=10_000)]
)
Content = Annotated[dict[Key, Value], Meta(max_length=10_000)]

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Damaged(ValueError):
    """A file isn't what its schema says. The error's text names the file and the fault."""


class Head(NamedTuple):
    """What the head of a stored array says of the array."""

    dtype: np.dtype
    shape: tuple[int, ...]


@contextmanager
def opened(path: Path, most: int) -> Iterator[BinaryIO]:
    """Opens the file for reading. Raises Damaged if `path` is no file (but a folder, a pipe, a loop
    of links), if the file is larger than `most` bytes, or if it can't be read."""
    try:
        with open(path, "rb", opener=lambda name, _: os.open(name, _FLAGS)) as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode):
                raise Damaged(f"{path.name} is not a file")
            if state.st_size > most:
                raise Damaged(f"{path.name} has {state.st_size:,} bytes, more than any has")
            yield file
    except OSError as error:
        raise Damaged(f"{path.name}: {error.strerror or error}") from None


def contents(path: Path, most: int = MOST_JSON) -> bytes:
    """Gives all bytes of a file. Raises Damaged where `opened` does."""
    with opened(path, most) as file:
        return file.read(most)


def decoded(data: bytes, schema: Any, name: str) -> Any:
    """Reads JSON as `schema`, a type that msgspec knows. Raises Damaged if the JSON doesn't fit."""
    try:
        return _decoder(schema).decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Damaged(f"{name}: {_said(error)}") from None


@cache  # to make a decoder takes longer than to read a file with it
def _decoder(schema: Any) -> msgspec.json.Decoder:
    return msgspec.json.Decoder(schema)


def read_json(path: Path, schema: Any, plain: Any = Content) -> Any:
    """Gives the content of a JSON file that fits `schema`, as the dictionaries and lists of
    `plain`: what the schema doesn't name is kept, within the limits of `Value`. Raises Damaged."""
    data = contents(path)
    decoded(data, schema, path.name)
    return decoded(data, plain, path.name)


def read_loose(path: Path, schema: Any) -> Any:
    """Gives what `schema` names of a JSON file whose numbers may be NaN or infinite, as
    dictionaries and lists. Raises Damaged."""
    try:
        content = msgspec.convert(json.loads(contents(path)), schema)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors too
        said = error if isinstance(error, Damaged) else f"{path.name}: {_said(error)}"
        raise Damaged(str(said)) from None
    return msgspec.to_builtins(content)


def _said(error: Exception) -> str:
    """Gives the error's words without a pattern, which would say little to a reader."""
    text = str(error).partition("\n")[0][:300]
    return re.sub(r"matching regex '.*'", "of other characters", text)


def clean(text: str) -> str:
    """Makes a text of ours, which may quote anything, one that can be written and read again: its
    control characters, but for line ends, are replaced, and its lone surrogates are escaped."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "\ufffd", text)


def arrays(path: Path, check: Any = None) -> dict[str, np.ndarray]:
    """Gives the arrays of an .npz file, by name, once `check(heads)` has let their heads pass.
    Raises Damaged."""
    with opened(path, MOST_ARRAYS) as file:
        found = _heads(file, path.name)
        if check:
            check(found)
        try:  # on a stranger's bytes numpy, zipfile and zlib raise exceptions of many kinds
            with np.load(file, allow_pickle=False) as members:
                return {name: members[name] for name in found}
        except Exception as error:
            raise Damaged(f"{path.name}: {type(error).__name__}: {_said(error)}") from None


def _heads(file: BinaryIO, name: str) -> dict[str, Head]:
    try:  # many kinds of exceptions, as in `arrays`; `_head` asks numpy alone
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()[: MOST_MEMBERS + 1]
            read = [(member, *_head(archive, member)) for member in members]
    except Exception as error:
        raise Damaged(f"{name}: {type(error).__name__}: {_said(error)}") from None
    finally:
        file.seek(0)
    if len(read) > MOST_MEMBERS:
        raise Damaged(f"{name}: more than {MOST_MEMBERS} arrays")
    found, total = {}, 0
    for member, start, dtype, shape in read:
        key = member.filename.removesuffix(".npy")
        size = dtype.itemsize * math.prod(shape)
        total += size
        if key == member.filename or key in found or not re.match(_LINE, key):
            raise Damaged(f"{name}: an array has no name of its own")
        if dtype.hasobject or dtype.kind not in "biufU":
            raise Damaged(f"{name}: {key} holds neither numbers nor text")
        if min(shape, default=0) < 0 or start + size != member.file_size:
            raise Damaged(f"{name}: {key} has another size than it says")
        found[key] = Head(dtype, shape)
    if total > MOST_ARRAYS:
        raise Damaged(f"{name}: its arrays would take {total:,} bytes")
    return found


def _head(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[int, np.dtype, tuple]:
    """Gives the place where the array's numbers begin, the array's dtype, and its shape."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"format {version}")
        read = (np.lib.format.read_array_header_1_0, np.lib.format.read_array_header_2_0)
        shape, _, dtype = read[version[0] - 1](file)
        return file.tell(), dtype, shape


def fits(found: dict[str, Head], wanted: dict[str, tuple[str, tuple]], name: str) -> dict[str, int]:
    """Holds heads against `wanted`, name -> (dtype or "text", shape), and gives the lengths that
    the words of its shapes stand for, each the same everywhere. Raises Damaged."""
    lengths: dict[str, int] = {}
    for key, (kind, shape) in wanted.items():
        if key not in found:
            raise Damaged(f"{name}: {key} is missing")
        head = found[key]
        right = head.dtype.kind == "U" if kind == "text" else head.dtype == np.dtype(kind)
        if not right or len(head.shape) != len(shape):
            raise Damaged(f"{name}: {key} is {head.dtype} {head.shape}, not {kind} {shape}")
        for length, known in zip(head.shape, shape, strict=True):
            told = lengths.setdefault(known, length) if isinstance(known, str) else known
            if length != told:
                raise Damaged(f"{name}: {key} is {head.shape}, not {shape}")
    return lengths
