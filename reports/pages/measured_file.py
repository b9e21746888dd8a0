"""Reads the files of other commands' measurements, which some pages show beside the runs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from protocols.boundary import Damaged, read_loose
from protocols.files import ROOT
from reports.cells.settings import scrub

PUBLISHED = ROOT / "reports" / "published"


@dataclass(frozen=True)
class Measured:
    """The base of what a page shows of such a file; `sentence` says why it shows nothing."""

    sentence: str = ""
    href: str = ""  # the address of the file, if it stands beside the page


Shown = TypeVar("Shown", bound=Measured)


def read_texts(path: Path, schema: type) -> dict[str, Any]:
    """Return what `schema` names of the file, with the folders of absolute paths left out of every
    text. Raises Damaged."""
    return _scrubbed(read_loose(path, schema))


def _scrubbed(content: Any) -> Any:
    if isinstance(content, dict):
        return {scrub(key): _scrubbed(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_scrubbed(value) for value in content]
    return scrub(content) if isinstance(content, str) else content


def place_of(out: Path, name: str) -> Path | None:
    """Return the file `name` of the report in `out`, else the published one; None if both are
    missing."""
    return next((path for path in (out / name, PUBLISHED / name) if path.is_file()), None)


def read_measured(
    out: Path, name: str, command: str, kind: type[Shown], read: Callable[[Path], Shown]
) -> Shown:
    """Return what `read` makes of the file, with a link to it. If there is no such file, or `read`
    raises Damaged, return a `kind` with a sentence that names the `command` which writes it."""
    path = place_of(out, name)
    if path is None:
        return kind(f"Not measured here; {command} does it.")
    try:
        return replace(read(path), href=name if path == out / name else "")
    except Damaged as error:
        reason = scrub(str(error))
        return kind(f"The stored {name} can't be read ({reason}); {command} writes it anew.")
