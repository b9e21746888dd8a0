"""Holds a checked request: what is to be run, where, and from which images."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.planning.plan import Device, Selection, check, chosen_profile, make_plan
from protocols.images.dataset import Source
from protocols.papers.recipes import Profile
from protocols.spec import RunSpec


@dataclass(frozen=True)
class Request:
    """The request of a command line. Raises RequestError where the request can't be planned."""

    wish: Selection
    gpu: str | None  # the name of the GPU that computes; None on the CPU
    devices: dict[str, Device]  # where each framework is expected to compute
    keras_backend: str  # the backend that the user wants for Keras; "": the suite chooses
    source: Source  # has no root while the images are still to be downloaded or drawn
    cores: int
    cache: Path
    jobs: int  # the number of runs at a time

    def __post_init__(self) -> None:
        check(self.wish, self.source.kind, self.devices)

    @property
    def profile(self) -> Profile:
        """The numbers of the request's profile."""
        return chosen_profile(self.wish.profile)

    def plan(self, devices: dict[str, Device], source: Source) -> list[RunSpec]:
        """Returns every run of the request, on these devices and of these images."""
        return make_plan(self.wish, source.kind, devices, self.cores)
