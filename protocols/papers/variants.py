"""Reads and checks the networks, which stand in the variants.toml of each paper and the control.

`paper` names the paper whose recipe the network follows, `sequence` what its recurrent branch reads
("rows": the grey image, row by row; "feature_map": the CNN's last map; or "none"), and `title` the
network as the paper prints it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from protocols.errors import TableError
from protocols.papers import papers
from protocols.papers.backbones import load_backbones

FILE = "variants.toml"
CONTROL = "control"  # the suite whose networks ask the papers' questions on a small machine


@dataclass(frozen=True)
class Variant:
    """The parts of a network; how the network is trained stands in its paper's recipe."""

    name: str
    suite: str  # the paper that has the network, or a folder of ours, which no claim is about
    paper: str  # the paper whose recipe and protocol the network follows
    backbones: tuple[str, ...]
    sequence: str  # one of papers.SEQUENCES
    cell: str  # "none", "lstm", "gru"
    title: str

    @property
    def published(self) -> bool:
        """Whether a paper has this network, so that claims may be about the network."""
        return self.suite == self.paper

    @property
    def published_protocol(self) -> str:
        """The protocol under which the paper reports this network."""
        return papers.load_papers()[self.paper].protocol

    @property
    def pooled(self) -> bool:
        """Whether the head reads the mean of each CNN's last map, and not all of the map."""
        return self.sequence != "feature_map"


def load_variants() -> Mapping[str, Variant]:
    """Gives all variants by name, in the papers' order. Raises TableError on a network that can't
    be built."""
    variants = papers.rows(FILE, Variant, "name")
    for v in variants.values():
        if problem := _problem(v):
            raise TableError(f"{FILE} [{v.name}]: {problem}")
    return variants


@cache
def _problem(v: Variant) -> str:
    """Tells why a network can't be built as its table says, or gives ""."""
    recipes, backbones = papers.load_papers(), load_backbones()
    known = (
        ("suite", v.suite, tuple(papers.folders())),
        ("paper", v.paper, tuple(recipes)),
        *(("backbone", name, tuple(backbones)) for name in v.backbones),
        ("cell", v.cell, ("none", "lstm", "gru")),
    )
    for what, word, words in known:
        if word not in words:
            return f"unknown {what} {word!r}; known are {', '.join(words)}"
    if v.suite in recipes and not v.published:
        return f"suite {v.suite} has no network by the recipe of {v.paper}"
    if not v.backbones or len(set(v.backbones)) < len(v.backbones):
        return "it needs one backbone, or several different ones"
    if v.sequence not in (able := recipes[v.paper].sequences):
        return f"by the recipe of {v.paper} sequence is {' or '.join(able)}, not {v.sequence!r}"
    if (v.sequence == "none") != (v.cell == "none"):
        return "sequence and cell are both none, or neither is"
    if not v.pooled and len(v.backbones) > 1:
        return "one feature map is read, so there is one backbone"
    if not v.pooled and not backbones[v.backbones[0]].pads:
        return (
            f"the last map of {v.backbones[0]} has one row at profile smoke's image size, and 2x2 "
            "pooling leaves none of it"
        )
    return ""
