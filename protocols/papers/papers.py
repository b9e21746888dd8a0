"""Reads the papers: each has a folder with its facts (paper.toml), claims, networks and recipe.

A folder without a paper.toml has networks of our own, which follow a paper's recipe: the control.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from protocols.errors import TableError
from protocols.papers import toml_rows
from protocols.papers.toml_rows import T
from protocols.spec import PROTOCOLS

FOLDER = Path(__file__).parent
SEQUENCES = ("none", "rows", "feature_map")  # what a recurrent branch reads


@dataclass(frozen=True)
class Paper:
    """The facts about a paper, and what is common to all of its networks."""

    key: str  # the paper's name in ids and in data
    name: str  # the paper's name in sentences: author and year
    title: str
    year: int
    doi: str
    lead: str  # the first words of the paper's page in a report
    protocol: str  # the protocol under which the paper reports its networks
    sequences: tuple[str, ...]  # what recurrent branches by the paper's recipe read
    milestones: tuple[int, ...]  # epochs of the schedule for which the paper prints numbers
    pictured: dict[str, str] | None = None  # the `network` whose maps are shown; the figures

    @property
    def author(self) -> str:
        """The name without the year."""
        return self.name.removesuffix(f" {self.year}")


@cache
def load_papers() -> dict[str, Paper]:
    """Gives all papers by key, in the order of their years. Raises TableError on a wrong entry."""
    files = sorted(FOLDER.glob("*/paper.toml"))
    found = [toml_rows.record(toml_rows.place(f), Paper, toml_rows.raw(f)) for f in files]
    for file, paper in zip(files, found, strict=True):
        for what, word, known in (
            ("protocol", paper.protocol, PROTOCOLS),
            *(("sequence", word, SEQUENCES) for word in paper.sequences),
        ):
            if word not in known:
                raise TableError(f"{toml_rows.place(file)}: the {what} {word!r} is unknown")
    papers = {paper.key: paper for paper in sorted(found, key=lambda paper: paper.year)}
    if len(papers) < len(found):
        raise TableError("two papers have one key")
    return papers


@cache
def folders() -> dict[str, Path]:
    """Gives the folder of each paper, then the folders of our own networks, by key. Each folder is
    one suite."""
    of_papers = {toml_rows.raw(f)["key"]: f.parent for f in FOLDER.glob("*/paper.toml")}
    ours = {f.parent.name: f.parent for f in sorted(FOLDER.glob("*/variants.toml"))
            if f.parent not in of_papers.values()}  # fmt: skip
    return {key: of_papers[key] for key in load_papers()} | ours


@cache  # a report asks for a network thousands of times
def rows(file: str, into: type[T], key: str) -> Mapping[str, T]:
    """Gives each table of the files named `file` as a dataclass `into`, by its name: folder by
    folder, and in each file's own order.

    The folder gives the values of the fields `suite` and `paper`, where `into` has them; a network
    of our own itself names the paper whose recipe it follows. Raises TableError on an unknown or a
    missing key, and where two tables have one name.
    """
    fields = {f.name for f in dataclasses.fields(into)}
    found: dict[str, T] = {}
    for suite, folder in folders().items():
        given: dict[str, Any] = {"suite": suite} if "suite" in fields else {}
        if "paper" in fields and suite in load_papers():
            given["paper"] = suite
        if (path := folder / file).exists():
            of_folder = toml_rows.rows(path, into, key, given)
            if twice := found.keys() & of_folder.keys():
                raise TableError(f"{toml_rows.place(path)} [{min(twice)}] is in two folders")
            found |= of_folder
    return MappingProxyType(found)
