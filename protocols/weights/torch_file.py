"""Reads a flat state dict that `torch.save` wrote, without torch and without running code.

It reads both formats of `torch.save`: the zip (since torch 1.6) and the earlier stream of pickles.
A pickle may name only the few harmless things in ALLOWED; a pickle that names another is refused.
"""

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # the first two pickles of a stream


class Storage(NamedTuple):
    """A row of numbers in the file, with its key there, its dtype and how many numbers it has."""

    key: str
    dtype: str
    length: int


class Tensor(NamedTuple):
    """A view of a storage; the offset and the strides are counted in the storage's elements."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    """Stands for torch._utils._rebuild_tensor_v2; its later arguments (gradients) aren't needed."""
    return Tensor(storage, offset, size, stride)


STORAGES = {
    ("torch", "FloatStorage"): "<f4",
    ("torch", "DoubleStorage"): "<f8",
    ("torch", "HalfStorage"): "<f2",
    ("torch", "LongStorage"): "<i8",
    ("torch", "IntStorage"): "<i4",
}
ALLOWED = STORAGES | {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no weights need")
        return ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> Storage:
        kind, dtype, key, _place, count, *view = pid
        if kind != "storage" or any(view) or dtype not in STORAGES.values():
            raise pickle.UnpicklingError("it holds a storage of an unknown kind")
        return Storage(str(key), dtype, int(count))


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Gives the tensors by name, each a new array of the stored dtype, in the file's order.

    Raises ValueError if the file is damaged, holds anything but tensors, or asks for code; OSError
    if the file can't be read.
    """
    try:
        with path.open("rb") as file:
            state, data = (_zipped if zipfile.is_zipfile(file) else _streamed)(file)
        return {name: _array(name, tensor, data) for name, tensor in state.items()}
    except OSError:
        raise
    except Exception as error:  # a damaged pickle can raise nearly any error
        raise ValueError(f"{path} can't be read as weights of PyTorch ({error})") from error


def _zipped(file: BinaryIO) -> tuple[dict, dict[str, np.ndarray]]:
    with zipfile.ZipFile(file) as pack:
        (main,) = (n for n in pack.namelist() if n.count("/") == 1 and n.endswith("/data.pkl"))
        folder = main.removesuffix("data.pkl")
        order = f"{folder}byteorder"
        if order in pack.namelist() and pack.read(order) != b"little":
            raise ValueError("it was written by a big-endian machine")
        state = _Unpickler(io.BytesIO(pack.read(main))).load()
        data = {s.key: _numbers(s, pack.read(f"{folder}data/{s.key}")) for s in _storages(state)}
    return state, data


def _streamed(file: BinaryIO) -> tuple[dict, dict[str, np.ndarray]]:
    """Reads the earlier format: five pickles, of which the last is a list of keys, then for each
    key 8 bytes with the count of its numbers, and the numbers."""
    file.seek(0)
    magic, protocol, system = (_Unpickler(file).load() for _ in range(3))
    if (magic, protocol) != (MAGIC, PROTOCOL) or not system["little_endian"]:
        raise ValueError("it begins as no file of torch.save on a little-endian machine")
    state, keys = _Unpickler(file).load(), _Unpickler(file).load()
    storages, data = {s.key: s for s in _storages(state)}, {}
    for key in keys:
        storage = storages[key]
        if file.read(8) != storage.length.to_bytes(8, "little"):
            raise ValueError(f"storage {key} is cut off or of another size than its tensors say")
        data[key] = _numbers(storage, file.read(storage.length * np.dtype(storage.dtype).itemsize))
    return state, data


def _storages(state: Any) -> Iterator[Storage]:
    """Gives each storage once. Raises ValueError unless `state` is a flat dictionary of tensors."""
    tensors = list(state.values()) if isinstance(state, dict) else []
    flat = all(isinstance(t, Tensor) and isinstance(t.storage, Storage) for t in tensors)
    if not isinstance(state, dict) or not flat:
        raise ValueError("it is no flat dictionary of tensors")
    yield from {tensor.storage.key: tensor.storage for tensor in tensors}.values()


def _numbers(storage: Storage, data: bytes) -> np.ndarray:
    numbers = np.frombuffer(data, storage.dtype)
    if len(numbers) != storage.length:
        raise ValueError(f"storage {storage.key} is cut off")
    return numbers


def _array(name: str, tensor: Tensor, data: dict[str, np.ndarray]) -> np.ndarray:
    """Gives a tensor's numbers as an array of its own. Raises ValueError if the tensor has no
    sensible shape or reaches out of its storage."""
    numbers = data[tensor.storage.key]
    size, stride, offset = tuple(tensor.size), tuple(tensor.stride), tensor.offset
    if len(size) != len(stride) or min((*size, *stride, offset)) < 0:
        raise ValueError(f"{name} has no sensible shape")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if 0 in size:
        return np.empty(size, numbers.dtype)
    if numbers.dtype != tensor.storage.dtype or last >= len(numbers):
        raise ValueError(f"{name} reaches out of its storage")
    steps = [step * numbers.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(numbers[offset:], size, steps).copy()
