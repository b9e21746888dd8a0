"""Reads and checks backbones.toml, the table of the CNNs of which networks are made."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from protocols.errors import TableError
from protocols.papers import toml_rows

TABLE = Path(__file__).with_name("backbones.toml")
PREPROCESSING = ("tf", "caffe")


@dataclass(frozen=True)
class Layer:
    """An inner layer whose maps are recorded and shown."""

    name: str  # the layer's name in Keras
    timm: str  # the layer's place in timm's network
    maps: int  # how many of the layer's maps are kept, from the first on
    source: str  # "paper" or "assumed"
    reason: str

    @property
    def pools(self) -> bool:
        """Whether this is a pooling layer, not the first convolution."""
        return "pool" in self.name


@dataclass(frozen=True)
class Backbone:
    """The facts about one CNN; the head of backbones.toml says what each value means."""

    name: str
    channels: int
    pads: bool
    preprocessing: str
    keras: str
    timm: str
    cost: float
    options: tuple[str, ...]
    whole_ladders: tuple[str, ...]
    layers: tuple[Layer, ...]
    pretrained: dict[str, Any] | None = None  # the table that protocols.weights.files reads


@cache
def load_backbones() -> dict[str, Backbone]:
    """Gives all backbones by name. Raises TableError on a wrong entry."""
    return {name: _checked(b) for name, b in toml_rows.rows(TABLE, Backbone, "name").items()}


def _checked(backbone: Backbone) -> Backbone:
    where = f"{toml_rows.place(TABLE)} [{backbone.name}]"
    if backbone.preprocessing not in PREPROCESSING:
        raise TableError(f"{where}: the preprocessing {backbone.preprocessing!r} is unknown")
    given: tuple[Any, ...] = backbone.layers  # the layers are still plain dictionaries
    layers = tuple(toml_rows.record(f"{where} layers", Layer, layer) for layer in given)
    if not layers:
        raise TableError(f"{where}: at least one layer is looked at")
    return replace(backbone, layers=layers)
