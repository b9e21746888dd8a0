"""The nine networks of the two papers, and the control's: variants.toml, checked."""

from dataclasses import dataclass

from protocols import tables

CHANNELS = {  # of a backbone's last feature map
    "inception_v3": 2048,
    "resnet50": 2048,
    "xception": 2048,
    "efficientnet_lite0": 1280,
}
SUITES = ("liang", "jane", "control")


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
    """All variants by name, in the papers' order. Raises ValueError on an unknown part."""
    variants = tables.rows("variants.toml", Variant, "name")
    for v in variants.values():
        if (
            not v.backbones
            or not set(v.backbones) <= set(CHANNELS)
            or v.suite not in SUITES
            or v.suite not in (v.paper, "control")
            or v.sequence not in ("none", "rows", "feature_map")
            or v.cell not in ("none", "lstm", "gru")
            or v.paper not in ("liang", "jane")
        ):
            raise ValueError(
                f"variants.toml [{v.name}]: unknown suite, paper, backbone, sequence or cell"
            )
    return variants
