"""The nine networks of the two papers, and the control's: variants.toml, checked."""

from dataclasses import dataclass

from protocols.errors import TableError
from protocols.papers import toml_rows

CHANNELS = {  # of a backbone's last feature map
    "inception_v3": 2048,
    "resnet50": 2048,
    "xception": 2048,
    "efficientnet_lite0": 1280,
}
SUITES = ("liang", "jane", "control")
SEQUENCES = {"liang": ("none", "rows"), "jane": ("feature_map",)}  # by whose recipe it is
SMALL_MAPS = ("inception_v3",)  # its convolutions are not padded


@dataclass(frozen=True)
class Variant:
    """What a network is made of; how it is trained stands in recipes.toml."""

    name: str
    suite: str  # "liang" or "jane", whose network it is; "control": ours, in neither paper
    paper: str  # "liang" or "jane": whose recipe and protocol it follows
    backbones: tuple[str, ...]
    sequence: str  # what the recurrent branch reads: "none", "rows", "feature_map"
    cell: str  # "none", "lstm", "gru"
    title: str  # as the papers print it

    @property
    def published_protocol(self) -> str:
        """The protocol under which the paper reports this network."""
        return "fixed" if self.paper == "liang" else "cv10"


def load_variants() -> dict[str, Variant]:
    """All variants by name, in the papers' order. Raises TableError on one that can't be built."""
    variants = toml_rows.rows(toml_rows.FOLDER / "variants.toml", Variant, "name")
    for v in variants.values():
        if problem := _problem(v):
            raise TableError(f"variants.toml [{v.name}]: {problem}")
    return variants


def _problem(v: Variant) -> str:
    """Why a network can't be built as its table says, or ""."""
    known = (
        ("suite", v.suite, SUITES),
        ("paper", v.paper, tuple(SEQUENCES)),
        *(("backbone", name, tuple(CHANNELS)) for name in v.backbones),
        ("cell", v.cell, ("none", "lstm", "gru")),
    )
    for what, word, words in known:
        if word not in words:
            return f"unknown {what} {word!r}; known are {', '.join(words)}"
    if v.suite not in (v.paper, "control"):
        return f"suite {v.suite} has no network by the recipe of {v.paper}"
    if not v.backbones or len(set(v.backbones)) < len(v.backbones):
        return "it needs one backbone, or several different ones"
    if v.sequence not in SEQUENCES[v.paper]:
        return (
            f"by the recipe of {v.paper} sequence is {' or '.join(SEQUENCES[v.paper])}, not "
            f"{v.sequence!r}"
        )
    if (v.sequence == "none") != (v.cell == "none"):
        return "sequence and cell are both none, or neither is"
    if v.sequence == "feature_map" and len(v.backbones) > 1:
        return "one feature map is read, so there is one backbone"
    if v.sequence == "feature_map" and v.backbones[0] in SMALL_MAPS:
        return (
            f"the last map of {v.backbones[0]} has one row at profile smoke's image size, and 2x2 "
            "pooling leaves none of it"
        )
    return ""
