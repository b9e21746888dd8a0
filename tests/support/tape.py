"""Stands in, on a CPU, for what records a step on a GPU as a CUDA graph (impl_torch.graphs).

As a CUDA graph, a tape keeps addresses and numbers: a replay calls the same operations on the same
memory, with the numbers of the host that the recording met. It refuses what no CUDA graph can hold.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

HOST_READS = (torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape)
Call = Callable[[], torch.Tensor]


class NotRecordable(AssertionError):
    """The step reads a number from the device, or brings one from the host."""


class _Tape(TorchDispatchMode):
    """Keeps the operations that are called, and how the memory looked that was there before."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []
        self.before: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}
        self.made: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        places = func is torch.ops.aten.index.Tensor and _tensors(args[1])  # no shape depends
        by_number = bool(places) and all(x.dtype == torch.int64 for x in places)  # on numbers
        if any(tag in func.tags for tag in HOST_READS) and not by_number:
            raise NotRecordable(f"{func} asks the device for a number")
        if "lift_fresh" in str(func):
            raise NotRecordable("a tensor is made of numbers of the host")
        kwargs = kwargs or {}
        for memory in map(_memory, _tensors((args, kwargs))):
            if (place := memory.data_ptr()) not in self.made and place not in self.before:
                self.before[place] = memory, memory.clone()
        found = func(*args, **kwargs)
        self.calls.append((func, args, kwargs, found))  # holds all: no address is used again
        self.made |= {_memory(x).data_ptr() for x in _tensors(found)} - self.before.keys()
        return found

    def take_back(self) -> None:
        """Undoes the calls: a recording makes none."""
        for memory, copy in self.before.values():
            memory.copy_(copy)

    @torch.no_grad()
    def replay(self) -> None:
        for func, args, kwargs, found in self.calls:
            again = func(*args, **kwargs)
            for old, new in zip(_tensors(found), _tensors(again), strict=True):
                if _memory(old).data_ptr() != _memory(new).data_ptr():
                    old.copy_(new)


def _tensors(tree: Any) -> list[torch.Tensor]:
    return [x for x in tree_leaves(tree) if isinstance(x, torch.Tensor)]


def _memory(x: torch.Tensor) -> torch.UntypedStorage:
    return x.untyped_storage()


class Tapes:
    """A Recorder; `replays` counts what it replayed."""

    replays = 0

    def fits(self) -> bool:
        return True

    def warm_up(self, call: Call) -> torch.Tensor:
        return call()

    def record(self, call: Call) -> Call:
        with _Tape() as tape:
            found = call()
        tape.take_back()

        def replay() -> torch.Tensor:
            self.replays += 1
            tape.replay()
            return found

        return replay


class Eager(Tapes):
    """A Recorder that records nothing: each step runs as it is."""

    def record(self, call: Call) -> Call:
        return call


class Refusing(Tapes):
    """A Recorder of a device that refuses a recording in the middle."""

    def record(self, call: Call) -> Call:
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\n  more")


class Full(Tapes):
    """A Recorder of a device without memory for a recording."""

    def fits(self) -> bool:
        return False
