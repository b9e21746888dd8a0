"""Finds the parts of one kind, tables or figures, in the content that a template is handed."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

Part = TypeVar("Part")


def found_in(content: Any, kind: type[Part]) -> Iterator[Part]:
    """Yields every part of this kind, in the content's order."""
    if isinstance(content, kind):
        yield content
    elif isinstance(content, dict):
        yield from found_in(list(content.values()), kind)
    elif isinstance(content, list | tuple):
        for one in content:
            yield from found_in(one, kind)
    elif is_dataclass(content):
        yield from found_in([getattr(content, one.name) for one in fields(content)], kind)
