"""Reads TOML files as tables of dataclasses; unknown and missing keys are errors."""

import dataclasses
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from protocols.errors import TableError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


@cache
def raw(path: Path) -> dict[str, Any]:
    """Gives the file's tables as plain dictionaries."""
    with path.open("rb") as file:
        return tomllib.load(file)


def rows(
    path: Path, into: type[T], key: str, given: Mapping[str, Any] | None = None
) -> dict[str, T]:
    """Gives each table of the file `path` as a dataclass `into`, by its name, in the file's order.

    The table's name goes into the field `key`, and each value of `given` into the field of its
    name. Raises TableError on an unknown or a missing key.
    """
    found = {}
    for title, table in raw(path).items():
        where, words = f"{place(path)} [{title}]", {key: title} | dict(given or {})
        if twice := sorted(words.keys() & table.keys()):
            raise TableError(f"{where}: unknown keys {twice}, missing keys []")
        found[title] = record(where, into, words | table)
    return found


def place(path: Path) -> str:
    """Gives the words for a file in a sentence: its folder and its name."""
    return f"{path.parent.name}/{path.name}"


def record(where: str, into: type[T], values: dict[str, Any]) -> T:
    """Gives `values` as the dataclass `into`. Raises TableError, which names `where`, on unknown or
    missing keys."""
    fields = {f.name: f for f in dataclasses.fields(into)}
    unknown = sorted(set(values) - set(fields))
    missing = sorted(
        name
        for name, f in fields.items()
        if name not in values and {f.default, f.default_factory} == {dataclasses.MISSING}
    )
    if unknown or missing:
        raise TableError(f"{where}: unknown keys {unknown}, missing keys {missing}")
    return into(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
