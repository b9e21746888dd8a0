"""The parity ladder: what must be equal in both twins, how it is compared, and what is not equal.

One rung is one measured number a network, with a bound. Weights are drawn once and put into both
twins under their Keras names (weights.py); all is computed on the CPU, mostly in float64, where
rounding can't hide a fault: in float32 the gradients of the two twins differ by percents, and so
do those of two memory formats of one framework.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from protocols.papers.backbones import load_backbones
from protocols.spec import schedule
from protocols.weights.start import Arrays

SCHEMA = 2
# Height, width in pixels: float32 as published; steps in float64 where 2 cores can take them, and
# no smaller: at 75x96 recurrent layers would read one position of a map, and hide which they end at
SIZES = {"float64": (84, 112), "float32": (240, 320)}
BATCH = 4  # images
STEPS = 10
NOISE = 1e-12  # of the network's largest gradient: a gradient below it is a zero, rounded


@dataclass(frozen=True)
class Rung:
    """What is measured, and the value that it must not exceed, with the reason of the bound."""

    name: str
    title: str
    what: str
    bound: float
    unit: str


RUNGS = {
    rung.name: rung
    for rung in (
        Rung("counts", "Parameter counts",
             "numbers of each kind (kernel, bias, gamma, moving mean, ...) that one twin has more; "
             "integers, so none", 0, "parameters"),
        Rung("shapes", "The bridge",
             "arrays whose key or shape differs, or whose bytes change from Keras to PyTorch and "
             "back; it only copies, so none", 0, "arrays"),
        Rung("preprocessing", "Preprocessing",
             "float32 inputs of the networks, pixel by pixel, and the grey rows; the same "
             "operations, only the three products of a grey value may be summed in another "
             "order: one rounding", 1, "float32 roundings of the largest value"),
        Rung("forward", "Forward pass, float64",
             "features of each backbone and class probabilities; a hundred layers of rounding at "
             "1e-16 stay far below", 1e-10, "of the largest value"),
        Rung("forward32", "Forward pass, float32",
             "the same in the precision and, but for the laptop's, the size of training; rounding "
             "at 6e-8, which a hundred layers amplify; two backends of one framework differ as "
             "much", 1e-4, "of the largest value"),
        Rung("loss", "Loss",
             "data loss of a training batch (with label smoothing where the recipe has it) and L2 "
             "penalty", 1e-10, "of the loss"),
        Rung("gradients", "Gradients",
             "of data loss and penalty, every weight, whole network thawed, training mode, dropout "
             "off; the backward pass adds up more rounding than the forward pass", 1e-8,
             "of the network's largest gradient"),
        Rung("statistics", "Running statistics",
             "moving means and variances after one step, n/(n-1) taken out of PyTorch's variance; "
             "and what it explains of the variances' difference", 1e-8, "of the step's change"),
        Rung("rmsprop", "Ten RMSProp steps",
             "the weights' change in each of ten steps, both twins at the same weights before "
             "each (a step doubles the rounding of the one before), each with its own optimiser's "
             "memory; as Euclidean lengths, for a first step divides a gradient near zero by "
             "itself, rounding and all", 1e-7, "of the change's length"),
        Rung("adam", "Ten Adam steps", "the same", 1e-7, "of the change's length"),
        Rung("rmsprop_given", "RMSProp, equal gradients",
             "the change of each single weight in the same ten steps, where Keras's optimiser is "
             "given PyTorch's gradients: what is left is the optimisers' own arithmetic, so "
             "gradients near zero count too", 1e-7, "of the largest change"),
        Rung("adam_given", "Adam, equal gradients", "the same", 1e-7, "of the largest change"),
        Rung("backends", "Keras on TensorFlow and on JAX",
             "the forward pass of Keras in two processes; float32, for off TensorFlow Keras "
             "normalises batches of float64 in float32", 1e-4, "of the largest value"),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Difference:
    """What is deliberately not the same in the twins."""

    what: str
    keras: str
    torch: str
    reason: str


DIFFERENCES = (
    Difference("running variance", "biased (divided by n)", "unbiased (divided by n-1)",
               "each framework's own; no training step reads it, every evaluation does; measured "
               "by rung Running statistics, where it explains the whole difference"),
    Difference("numbers of the optimisers", "learning rate, and on TensorFlow Adam's decay rates "
               "in the bias correction, rounded to float32", "exact",
               "0.999 as float32 makes the first step of Adam 6.4e-6 of itself smaller, the rate "
               "changes it by 5e-8; the ladder gives both twins numbers that float32 holds"),
    Difference("gradients that are zero in truth", "rounding noise", "other rounding noise",
               "a bias before batch normalisation (all of ResNet50's convolutions) changes "
               "nothing, so its gradient is zero up to rounding; Adam divides it by itself, in "
               "float32 up to a full step of a weight without effect; compared apart"),
    Difference("a second bias of LSTMs, InceptionV3's gammas", "do not exist",
               "exist, stay 0 and 1, not trained", "PyTorch's layers always have them"),
    Difference("random weights with --init own", "drawn by Keras", "drawn by PyTorch",
               "the same distributions from different generators; --init shared takes one draw"),
    Difference("float32 rounding", "TensorFlow's or XLA's kernels", "PyTorch's kernels",
               "sums in another order; training amplifies it, as it does another number of "
               "threads"),
    Difference("precision of the two backends' rung", "float32", "not compared",
               "off TensorFlow, Keras normalises batches of float64 in float32"),
    Difference("memory format in this ladder", "channels last, as in training",
               "channels first; channels last in training",
               "PyTorch's float64 depthwise convolution takes ten times as long in channels last; "
               "the float32 rungs have that of training"),
)  # fmt: skip


class Side(Protocol):
    """One twin of one network, on batches of a pool; arrays in Keras's layouts, by key."""

    def weights(self, keys: Iterable[str] = ()) -> Arrays:
        """All weights and moving statistics, or those of `keys`."""

    def take(self, arrays: Arrays) -> None:
        """Takes what `weights` gave, of either twin; the others stay."""

    def calibrate(self, positions: np.ndarray) -> None:
        """Sets the moving statistics from one batch."""

    def inputs(self, positions: np.ndarray) -> Arrays:
        """What each backbone reads, (n, h, w, 3), and "rows", the LSTM's (n, h, w)."""

    def features(self, positions: np.ndarray) -> Arrays:
        """What the head reads of each backbone: (n, c) or (n, h, w, c), inference mode."""

    def probabilities(self) -> np.ndarray:
        """(n, 4) of the pool's test part, inference mode; a phase must have begun."""

    def values(self) -> dict[str, int]:
        """How many values of one image each batch normalisation normalises: positions of its map,
        by the key of its moving variance."""

    def begin(self, phase: dict[str, Any], order: np.ndarray, stored: Arrays | None = None) -> None:
        """A phase with a new optimiser, and an epoch over positions in this order; over a frozen
        CNN from stored features, those of every image by backbone, as `features` gives them."""

    def step(self, start: int, stop: int) -> tuple[float, float]:
        """One update on order[start:stop]; mean data loss and penalty before it."""

    def step_gradients(self, start: int, stop: int) -> tuple[float, float, Arrays]:
        """The same, with the gradients it used."""


class GivenSide(Side, Protocol):
    """A twin whose optimiser can be given another's gradients."""

    def apply(self, gradients: Arrays) -> None:
        """One update by them, of an optimiser apart, whose memory is that of earlier calls in this
        phase."""


@dataclass(frozen=True)
class Result:
    """One rung of one network."""

    rung: str
    variant: str
    value: float
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether the value is within its bound; a NaN is not."""
        return bool(self.value <= RUNGS[self.rung].bound)

    def to_json(self) -> dict[str, Any]:
        """As parity.json has it."""
        return asdict(self) | {"bound": RUNGS[self.rung].bound, "ok": self.ok}


def report(
    results: list[Result],
    device: str,
    versions: dict[str, str],
    images: str,
    seconds: float,
    changes: Iterable[str] = (),
) -> dict[str, Any]:
    """parity.json; `images`: "real" or "phantom"; `changes`: "key=value" of --set."""
    return {
        "schema": SCHEMA,
        "device": device,
        "versions": versions,
        "images": images,
        "sizes": {precision: list(size) for precision, size in SIZES.items()},
        "batch": BATCH,
        "seconds": round(seconds, 1),
        "command": " ".join(
            ["python runner.py --parity", *(["--set", *changes] if changes else [])]
        ),
        "rungs": [asdict(rung) for rung in RUNGS.values()],
        "results": [result.to_json() for result in results],
        "differences": [asdict(difference) for difference in DIFFERENCES],
    }


def relative(a: np.ndarray, b: np.ndarray) -> float:
    """max|a - b| / max|b|; 0 where both are zero."""
    difference = float(np.abs(a - b).max())
    return difference / float(np.abs(b).max()) if difference else 0.0


def roundings(a: np.ndarray, b: np.ndarray) -> float:
    """max|a - b| in float32 units in the last place of the largest value."""
    return float(np.abs(a - b).max() / np.spacing(np.float32(np.abs(b).max())))


def nan_last(found: tuple[float, Any]) -> tuple[bool, float]:
    """The key of a sort by the first value in which a NaN counts as the largest."""
    return math.isnan(found[0]), found[0]


def largest(found: Mapping[str, float]) -> tuple[float, str]:
    """The largest value and its key; a NaN counts as the largest."""
    key = max(found, key=lambda k: nan_last((found[k], k)))
    return found[key], key


def peak(arrays: Arrays) -> float:
    """The largest absolute value of all arrays."""
    return max(float(np.abs(array).max()) for array in arrays.values())


@dataclass(frozen=True)
class Distance:
    """How far arrays are apart: the Euclidean length over all, the most of any number."""

    length: float
    most: float

    @classmethod
    def between(cls, a: Arrays, b: Arrays, keys: Iterable[str]) -> "Distance":
        """Of the arrays of `keys`."""
        squares, most = 0.0, 0.0
        for key in keys:
            difference = (a[key] - b[key]).ravel()
            squares += float(difference @ difference)
            most = max(most, float(difference.max()), -float(difference.min()))
        return cls(math.sqrt(squares), most)


def apart(a: Arrays, b: Arrays) -> tuple[float, str]:
    """The largest difference of any number of all arrays, against the largest number of `b`."""
    scale = peak(b) or 1.0
    return largest({key: float(np.abs(a[key] - b[key]).max()) / scale for key in b})


def zeros(gradients: Arrays) -> set[str]:
    """Keys of the arrays whose gradient is zero in truth: rounding noise in every number."""
    least = NOISE * peak(gradients)
    return {key for key, g in gradients.items() if float(np.abs(g).max()) < least}


def held(number: float) -> float:
    """The float32 next to a number: one that both twins hold exactly."""
    return float(np.float32(number))


def recipe(values: dict[str, Any]) -> dict[str, Any]:
    """A run's recipe on the ladder: dropout off, batches of BATCH, numbers that float32 holds."""
    decay = {k: held(v) for k, v in values.items() if k in ("adam_beta1", "adam_beta2")}
    return values | decay | {"dropout": 0.0, "batch_size": BATCH}


def phase(optimizer: str, recipe: dict[str, Any], frozen: bool = False) -> dict[str, Any]:
    """A phase at the recipe's rate, of the head alone or of the whole network."""
    rates = {words["optimizer"]: words["rate"] for words in schedule(recipe)}
    return {"phase": 1, "epochs": 1, "optimizer": optimizer, "rate": held(rates[optimizer]),
            "frozen": frozen, "batch_statistics": not frozen, "stored": False}  # fmt: skip


def given(optimizer: str) -> str:
    """The rung of an optimiser on equal gradients."""
    return f"{optimizer}_given"


def optimizers(recipe: dict[str, Any]) -> list[str]:
    """The optimisers of the recipe's phases, in their order."""
    return list(dict.fromkeys(words["optimizer"] for words in schedule(recipe)))


def trains_whole(variant: str) -> bool:
    """Whether the ten steps of a network train its CNN too: each CNN once alone, and one with an
    LSTM beside it. The heads of the others are trained over frozen CNNs."""
    return any(variant in backbone.whole_ladders for backbone in load_backbones().values())
