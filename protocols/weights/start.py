"""Gives the weights from which a run starts, in the form in which both twins exchange weights.

This form has Keras's layouts. A key is "part/layer/weight": the part is a backbone's name or
"head", the layer has the name that Keras gives in a fresh process, and the weight has Keras's name
("kernel", "moving_mean", ...).
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from protocols.papers.variants import load_variants
from protocols.seeds import generator
from protocols.spec import RunSpec
from protocols.weights.reading import described, verified

Arrays = dict[str, np.ndarray]
Shapes = Mapping[str, tuple[int, ...]]
HEAD = "head"
LSTM_GATES, FORGET = 4, 1  # Keras's order of the gates: input, forget, cell, output
NAMED = 4  # how many names an error lists


def check_same(have: Shapes, given: Shapes, what: str) -> None:
    """Raises ValueError, which names what differs, unless the keys and the shapes in `have` and
    `given` are the same."""
    missing, unknown = have.keys() - given.keys(), given.keys() - have.keys()
    shapes = {k for k in have.keys() & given.keys() if tuple(have[k]) != tuple(given[k])}
    problems = (("missing", missing), ("unknown", unknown), ("of another shape", shapes))
    said = [f"{len(keys)} {word} ({_some(keys)})" for word, keys in problems if keys]
    if said:
        raise ValueError(f"{what} are not this network's weights: {', '.join(said)}")


def _some(keys: Iterable[str]) -> str:
    names = sorted(keys)
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")


def shapes_of(arrays: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Gives the shape of each array, or of anything else with a `shape`, by key."""
    return {key: tuple(array.shape) for key, array in arrays.items()}


def counts(shapes: Shapes) -> dict[str, int]:
    """Counts the numbers in each kind of weight ("kernel", "moving_mean", ...)."""
    found: dict[str, int] = {}
    for key, shape in shapes.items():
        kind = key.rsplit("/", 1)[1]
        found[kind] = found.get(kind, 0) + math.prod(shape)
    return dict(sorted(found.items()))


def drawn(seed: int, shapes: Shapes) -> Arrays:
    """Draws random weights for `--init shared`, float32: Keras's distributions, drawn by NumPy.

    Each array has a generator of its own, made from the run's seed and the array's key, so that a
    backbone is the same in every variant.
    """
    return {key: _draw(seed, key, shapes) for key in shapes}


def _draw(seed: int, key: str, shapes: Shapes) -> np.ndarray:
    layer, kind = key.rsplit("/", 1)
    shape, random = tuple(shapes[key]), generator(seed, "shared weights", key)
    if kind == "recurrent_kernel":
        return _orthogonal(random, shape).astype(np.float32)
    if kind.endswith("kernel"):
        return _glorot_uniform(random, shape)
    if kind in ("gamma", "moving_variance"):
        return np.ones(shape, np.float32)
    if kind in ("beta", "moving_mean"):
        return np.zeros(shape, np.float32)
    if kind != "bias":
        raise ValueError(f"{key}: no rule to draw it")
    bias = np.zeros(shape, np.float32)
    units, gates = shapes.get(f"{layer}/recurrent_kernel", (0, 0))
    if units and gates == LSTM_GATES * units:
        bias[FORGET * units : (FORGET + 1) * units] = 1
    return bias


def _glorot_uniform(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draws like keras.initializers.GlorotUniform: the fans are the lengths of the last two axes,
    times the kernel's area."""
    area = math.prod(shape[:-2])
    limit = math.sqrt(6 / (area * (shape[-2] + shape[-1])))
    return random.uniform(-limit, limit, shape).astype(np.float32)


def _orthogonal(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draws like keras.initializers.Orthogonal: the rows (units) are orthonormal, from the QR
    decomposition of Gaussian numbers."""
    rows, columns = shape
    q, r = np.linalg.qr(random.standard_normal((max(shape), min(shape))))
    q = q * np.sign(np.diag(r))
    return q.T if rows < columns else q


def loaded(spec: RunSpec, backbone: str) -> str:
    """Gives the digest of the weights from which a backbone of the run starts."""
    names = load_variants()[spec.variant].backbones
    return spec.weights["digest"].split("+")[names.index(backbone)]


@dataclass(frozen=True)
class Start:
    """The weights from which a run's networks start, part by part; {} for a part whose weights the
    twin draws by itself."""

    files: Mapping[str, Path] = field(default_factory=dict)  # the files of loaded backbones

    def backbone(self, spec: RunSpec, name: str, shapes: Shapes) -> Arrays:
        """Gives a backbone's weights by "name/layer/weight". Raises ValueError if the file is not
        the one that the run names; a run that names none has its weights drawn."""
        if spec.weights["digest"] is None:
            return self._drawn(spec, shapes)
        found = verified(name, self.files[name], loaded(spec, name))
        return {f"{name}/{key}": array for key, array in found.items()}

    def described(self, spec: RunSpec) -> dict[str, dict[str, str]]:
        """Gives the name and the hash of each loaded backbone's file, as env.json has them."""
        names = load_variants()[spec.variant].backbones if spec.weights["digest"] else ()
        return {name: described(name, self.files[name]) for name in names if name in self.files}

    def head(self, spec: RunSpec, shapes: Shapes) -> Arrays:
        """Gives the head's weights by "head/layer/weight"; a head is never loaded from a file."""
        return self._drawn(spec, shapes)

    def _drawn(self, spec: RunSpec, shapes: Shapes) -> Arrays:
        return drawn(spec.seed, shapes) if spec.init == "shared" else {}


class HeadsOnly(Start):
    """The start of heads that are trained on given features: no backbone is loaded or drawn."""

    def backbone(self, spec: RunSpec, name: str, shapes: Shapes) -> Arrays:
        """Gives no weights."""
        return {}


OWN = Start()
