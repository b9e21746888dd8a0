"""The nine networks of the two papers: variants.toml, checked."""

from dataclasses import dataclass

from protocols import tables

BACKBONES = ("inception_v3", "resnet50", "xception")


@dataclass(frozen=True)
class Variant:
    """What a network is made of; how it is trained stands in recipes.toml."""

    name: str
    paper: str  # "liang" or "jane"
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
            not set(v.backbones) <= set(BACKBONES)
            or v.sequence not in ("none", "rows", "feature_map")
            or v.cell not in ("none", "lstm", "gru")
            or v.paper not in ("liang", "jane")
        ):
            raise ValueError(f"variants.toml [{v.name}]: unknown backbone, sequence or cell")
    return variants
