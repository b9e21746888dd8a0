"""Holds a checked request: what is to be run, where, and from which images."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from benchmarks.planning.plan import (
    Device,
    Selection,
    check,
    chosen_profile,
    chosen_variants,
    make_plan,
)
from protocols.errors import RequestError
from protocols.images.dataset import Source
from protocols.papers.recipes import Profile
from protocols.papers.variants import Variant
from protocols.spec import RunSpec
from protocols.weights.files import AT_HAND, lacking


@dataclass(frozen=True)
class Request:
    """The request of a command line. Raises RequestError where the request can't be planned."""

    wish: Selection
    where: str  # on which GPU it computes, or why on the CPU, in words that follow "profile NAME"
    devices: dict[str, Device]  # where each framework is expected to compute
    keras_backend: str  # the backend that the user wants for Keras; "": the suite chooses
    source: Source  # has no root while the images are still to be downloaded or drawn
    cores: int
    cache: Path
    jobs: int  # the number of runs at a time

    def __post_init__(self) -> None:
        check(self.wish, self.source.kind, self.devices)
        if not self.variants:
            ways = "; ".join(dict.fromkeys(self.skipped.values()))
            raise RequestError(f"no network of this request can run: {ways}")

    @property
    def profile(self) -> Profile:
        """The numbers of the request's profile."""
        return chosen_profile(self.wish.profile)

    @property
    def weights(self) -> str:
        """The weights from which networks start, as --weights takes them."""
        return self.wish.weights or self.profile.weights

    @cached_property
    def skipped(self) -> dict[str, str]:
        """The networks that the request leaves out because their weights are not at hand: by name,
        words on which weights are lacking and how to get them."""
        asked = chosen_variants(self.wish)
        return without_weights(asked, self.cache) if self.weights == AT_HAND else {}

    @property
    def variants(self) -> list[Variant]:
        """The networks that the request runs."""
        return [v for v in chosen_variants(self.wish) if v.name not in self.skipped]

    @property
    def possible(self) -> Selection:
        """The wish without the networks that are left out."""
        names = tuple(v.name for v in self.variants)
        return replace(self.wish, variants=names) if self.skipped else self.wish

    def plan(self, devices: dict[str, Device], source: Source) -> list[RunSpec]:
        """Returns every run of the request, on these devices and of these images."""
        return make_plan(self.possible, source.kind, devices, self.cores)


def without_weights(variants: list[Variant], cache: Path) -> dict[str, str]:
    """Returns the networks whose weights are not at hand: by name, words on which weights are
    lacking and how to get them."""
    missing = lacking([name for v in variants for name in v.backbones], cache)
    found = {v.name: [missing[name] for name in v.backbones if name in missing] for v in variants}
    return {name: "; ".join(reasons) for name, reasons in found.items() if reasons}
