"""Applies a function to many items on several cores: a report of 200 runs is mostly such work."""

import gc
import importlib
import multiprocessing
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

FEW = 8  # for fewer items, starting processes costs as much as it gains
SLOW = "sklearn.metrics"  # is imported before forking, once for all processes; SciPy with it
_shared: list[tuple[Callable[[Any], Any], list[Any]]] = []  # what forked processes begin with


@contextmanager
def undisturbed() -> Iterator[None]:
    """Stops the collection of garbage: what a report is made of lives until it is written, and
    looking for garbage would make forked processes copy what they share."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def spread(
    function: Callable[[Any], Any],
    items: list[Any],
    jobs: int,
    meanwhile: Callable[[], None] | None = None,
) -> list[Any]:
    """Returns [function(item) for item in items], computed by `jobs` processes that are forked from
    this one: the items aren't copied, and the results must be picklable. This process computes the
    list itself if it is such a fork, can't fork, or has few items. `meanwhile` is called once."""
    meanwhile = meanwhile or (lambda: None)
    if _shared or jobs < 2 or len(items) < FEW or sys.platform != "linux":
        meanwhile()
        return [function(item) for item in items]
    importlib.import_module(SLOW)
    _shared.append((function, items))
    try:
        with ProcessPoolExecutor(jobs, multiprocessing.get_context("fork")) as pool:
            size = len(items) // (8 * jobs)  # a process takes few at a time where there are few
            made = pool.map(_do, range(len(items)), chunksize=min(4, max(1, size)))
            meanwhile()
            return list(made)
    finally:
        _shared.clear()


def _do(index: int) -> Any:
    ((function, items),) = _shared
    return function(items[index])
