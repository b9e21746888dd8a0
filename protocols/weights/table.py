"""Reads what backbones.toml says of the weights learned from ImageNet: digests, and sources."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocols.errors import RequestError, TableError
from protocols.papers import toml_rows
from protocols.papers.backbones import load_backbones
from protocols.weights.content import PREFIX

FILE = r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}"
CONTENT = rf"{PREFIX}[0-9a-f]{{64}}"
LAYOUTS = ("keras", "torch")


@dataclass(frozen=True)
class WeightFile:
    """One of the files that hold a backbone's weights, and where it comes from."""

    file: str  # the file's name, or its path in the package that brings it
    url: str  # the file's address, "" where a package brings the file
    size: int  # bytes
    hash: str  # "md5:..." or "sha256:...", hex
    package: str  # the package that brings the file, by name and version, or ""
    command: str  # what a user types to install the package, or ""
    official: bool  # whether the maker of the weights published this very file

    @property
    def name(self) -> str:
        """The file's name without folders."""
        return Path(self.file).name

    @property
    def expected(self) -> str:
        """The expected size and hash, in words."""
        return f"{self.size} bytes, {spelled(self.hash)}"

    @property
    def origin(self) -> str:
        """Words on where the file comes from."""
        return f"`{self.command}` installs it" if self.package else f"it comes from {self.url}"


@dataclass(frozen=True)
class Pretrained:
    """What is known of the weights of one backbone."""

    backbone: str
    about: str
    layout: str  # of the files: "keras" or "torch"
    digest: str  # what a run names: `content`, or the hash of a file
    content: str  # "content:..." of the tensors, "" where no file was read yet
    shapes: str  # the digest of the tensors' names and shapes, or ""
    compared: bool  # whether the official file was read, and has this content
    sources: tuple[WeightFile, ...]  # in the order in which they are asked

    @property
    def official(self) -> WeightFile:
        """The file that the maker of the weights published."""
        return next(source for source in self.sources if source.official)

    @property
    def learned(self) -> str:
        """The package from whose file the contents are known, while the official file has not been
        compared with it; "" where it has, and where no contents are known."""
        packages = [source.package for source in self.sources if not source.official]
        waiting = self.content and not self.compared
        return packages[0].replace("==", " ") if waiting and packages else ""

    @property
    def origin(self) -> str:
        """Words on where a file comes from."""
        return ", or ".join(source.origin for source in self.sources)


def load_pretrained() -> dict[str, Pretrained]:
    """Gives what is known of the weights of each backbone of which a file is known, by backbone.
    Raises TableError on an unknown layout, a malformed digest or a wrong size."""
    table = {}
    for name, backbone in load_backbones().items():
        if backbone.pretrained is None:
            continue
        where = f"backbones.toml [{name}.pretrained]"
        given: dict[str, Any] = {"backbone": name, **backbone.pretrained}
        files = given.pop("sources", ())
        sources = tuple(toml_rows.record(f"{where} sources", WeightFile, file) for file in files)
        found = toml_rows.record(where, Pretrained, given | {"sources": sources})
        hashes = [source.hash for source in sources]
        whole = (
            found.layout in LAYOUTS
            and sum(source.official for source in sources) == 1
            and all(re.fullmatch(FILE, source.hash) and source.size > 0 for source in sources)
            and all(bool(source.package) == bool(source.command) for source in sources)
            and all(bool(source.package) != bool(source.url) for source in sources)
            and bool(found.content) == bool(re.fullmatch(CONTENT, found.content))
            and bool(found.content) == bool(re.fullmatch("[0-9a-f]{64}", found.shapes))
            and found.digest in {*hashes, found.content} - {""}
        )
        if not whole:
            raise TableError(f"{where}: a layout, digest or size is wrong, or a source")
        table[name] = found
    return table


def digest_of(backbones: Sequence[str]) -> str:
    """Gives what a run names as the digest of the backbones' weights, joined by "+"; the digests
    come from the table alone.

    Raises RequestError where no file of a backbone is known.
    """
    table = load_pretrained()
    if without := [name for name in backbones if name not in table]:
        raise RequestError(
            f"no file of ImageNet weights of {without[0]} is known here; start from random weights "
            "with --weights random"
        )
    return "+".join(table[name].digest for name in backbones)


def spelled(digest: str) -> str:
    """Gives a file's hash, of the form "sha256:12ab...", in words."""
    algorithm, _, number = digest.partition(":")
    return f"{'MD5' if algorithm == 'md5' else 'SHA-256'} {number}"
