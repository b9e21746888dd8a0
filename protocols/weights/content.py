"""Tells what a file of weights contains, so that a copy saved again is as good as the original."""

import hashlib
from collections.abc import Mapping

import numpy as np

Arrays = Mapping[str, np.ndarray]
PREFIX = "content:"  # of a digest of the contents; a file's digest begins with its algorithm


def digest_of_content(arrays: Arrays) -> str:
    """Gives "content:" and the SHA-256 over each tensor's name, shape and float32 bytes (little
    endian, in C order), in the order of the names."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name], "<f4")
        found.update(f"{name} {array.shape}\n".encode())
        found.update(array.data)
    return PREFIX + found.hexdigest()


def digest_of_shapes(arrays: Arrays) -> str:
    """Gives the SHA-256 over each tensor's name and shape, in the order of the names, in hex."""
    lines = "".join(f"{name} {arrays[name].shape}\n" for name in sorted(arrays))
    return hashlib.sha256(lines.encode()).hexdigest()


def difference(arrays: Arrays, content: str, shapes: str) -> str:
    """Tells in words how float32 tensors differ from those whose digests are `content` and
    `shapes`; gives "" where they don't."""
    if digest_of_shapes(arrays) != shapes:
        numbers = sum(array.size for array in arrays.values())
        return f"holds another network (tensors: {len(arrays)}, their numbers: {numbers:,})"
    if digest_of_content(arrays) == content:
        return ""
    if all(_is_float16(array) for array in arrays.values()):
        return "is a rounded copy: its numbers are those of float16, not float32"
    return "is altered: it holds the right tensors with other numbers"


def _is_float16(array: np.ndarray) -> bool:
    with np.errstate(over="ignore"):
        return bool((array.astype(np.float16) == array).all())
