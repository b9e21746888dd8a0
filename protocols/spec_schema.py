"""Says what a specification may hold: types, ranges and lengths of RunSpec's fields, from JSON.

A recipe, and the fields on data and weights, may hold more values than are named here (tables
grow), each of bounded size: `boundary.Value`. The named values are those that code computes with.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from protocols.boundary import Count, Digest, Line, Name

Number = Annotated[float, Meta(ge=0, le=1e6)]
Share = Annotated[float, Meta(ge=0, le=1)]
Epochs = Annotated[int, Meta(ge=0, le=10**6)]
Size = Annotated[int, Meta(ge=1, le=10**5)]


class Recipe(Struct):
    """The hyperparameters of a run, with two training phases or a single one."""

    label_smoothing: Share
    batch_size: Size
    dropout: Share | UnsetType = UNSET
    epochs: Epochs | UnsetType = UNSET
    optimizer: Name | UnsetType = UNSET
    rate: Number | UnsetType = UNSET
    phase1_epochs: Epochs | UnsetType = UNSET
    phase1_optimizer: Name | UnsetType = UNSET
    phase1_rate: Number | UnsetType = UNSET
    phase2_epochs: Epochs | UnsetType = UNSET
    phase2_optimizer: Name | UnsetType = UNSET
    phase2_rate: Number | UnsetType = UNSET
    calibration_images: Count | UnsetType = UNSET
    grey_pooling: Size | UnsetType = UNSET
    folds: Size | UnsetType = UNSET
    images_per_class: Count | UnsetType = UNSET
    latency_repeats: Size | UnsetType = UNSET
    latency_warmup: Count | UnsetType = UNSET
    cold_repeats: Size | UnsetType = UNSET

    def __post_init__(self) -> None:
        phases = ("",) if self.phase1_epochs is UNSET else ("phase1_", "phase2_")
        names = (f"{phase}{of}" for phase in phases for of in ("epochs", "optimizer", "rate"))
        if any(getattr(self, name) is UNSET for name in names):
            raise ValueError("epochs, optimizer or rate of a phase is missing")


class Data(Struct):
    """The images of a run: which they are, how large, and how many."""

    kind: Literal["real", "phantom"]
    digest: Annotated[str, Meta(max_length=200, pattern=r"^[A-Za-z0-9-]*\Z")]
    height: Size
    width: Size
    n_folds: Size | None = None
    per_class: Count | None = None
    train_per_class: Count | None = None
    test_per_class: Count | None = None


class Weights(Struct):
    """The weights from which networks start: "random", "imagenet" or a folder, and the files'
    digests."""

    source: Line
    digest: Digest | None


class Spec(Struct, forbid_unknown_fields=True):
    """The schema of protocols.spec.RunSpec, field by field."""

    stage: Literal["train", "latency"]
    framework: Literal["keras", "torch"]
    backend: Name
    variant: Name
    protocol: Name
    fold: Annotated[int, Meta(ge=0, le=999)] | None
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    profile: Name
    recipe: Recipe
    data: Data
    weights: Weights
    init: Name
    device: Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e]+\Z")]
    precision: Name
    threads: Annotated[int, Meta(ge=1, le=10**5)]
    deterministic: bool
    contract: Annotated[int, Meta(ge=1, le=1000)] = 1

    def __post_init__(self) -> None:
        if self.protocol in ("fixed", "fixed-grouped") and self.fold is not None:
            raise ValueError(f"protocol {self.protocol} has no folds")
