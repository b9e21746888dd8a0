"""Reads the TOML files beside this module; unknown and missing keys are errors."""

import dataclasses
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from protocols.errors import TableError

T = TypeVar("T")


@cache
def _parsed(name: str) -> dict[str, dict[str, Any]]:
    with (Path(__file__).parent / name).open("rb") as file:
        return tomllib.load(file)


def rows(name: str, into: type[T], key: str) -> dict[str, T]:
    """Each table of file `name` as a dataclass `into`, by the table's name, in the file's order.

    The table's name goes into field `key`. Raises TableError on an unknown or a missing key.
    """
    return dict(_rows(name, into, key))


@cache
def _rows(name: str, into: type[T], key: str) -> dict[str, T]:
    return {title: record(f"{name} [{title}]", into, {key: title, **table})
            for title, table in _parsed(name).items()}  # fmt: skip


def record(where: str, into: type[T], values: dict[str, Any]) -> T:
    """`values` as a dataclass; raises TableError, naming `where`, on unknown or missing keys."""
    fields = {f.name: f for f in dataclasses.fields(into)}
    unknown = sorted(set(values) - set(fields))
    missing = sorted(
        name
        for name, f in fields.items()
        if name not in values and f.default is dataclasses.MISSING
    )
    if unknown or missing:
        raise TableError(f"{where}: unknown keys {unknown}, missing keys {missing}")
    return into(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def raw(name: str) -> dict[str, dict[str, Any]]:
    """The file's tables as plain dictionaries."""
    return _parsed(name)
