"""Defines the parity ladder: what must be equal in both twins, how the twins are compared, and what
is not equal in them.

One rung is one measured number per network, with a bound. Weights are drawn once and put into both
twins under their Keras names (protocols.weights.start). All is computed on the CPU, mostly in
float64, where rounding can't hide a fault: in float32 the gradients of the two twins differ by
percents, and so do the gradients of two memory formats of one framework.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from protocols.papers.backbones import load_backbones
from protocols.runs.twin import Twin
from protocols.spec import schedule
from protocols.weights.start import Arrays

Key = TypeVar("Key")
SCHEMA = 2
# Height and width in pixels. float32 has the published size; float64 has a size whose steps 2 cores
# can compute, and no smaller one: at 75x96 recurrent layers would read one position of a map, and
# hide at which position they end
SIZES = {"float64": (84, 112), "float32": (240, 320)}
BATCH = 4  # images in a batch
STEPS = 10
NOISE = 1e-12  # of the network's largest gradient: a gradient below this is rounding of a zero


@dataclass(frozen=True)
class Rung:
    """A rung of the ladder: what is measured, the bound that the value must not exceed, and in
    `what` also the reason of the bound."""

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
    """Something that is deliberately not the same in the two twins, with the reason."""

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
    """One twin of one network, on batches of a pool. Arrays are in Keras's layouts, by key."""

    twin: Twin  # the twin that trains

    def weights(self, keys: Iterable[str] = ()) -> Arrays:
        """Gives all weights and moving statistics, or those of `keys`."""

    def take(self, arrays: Arrays) -> None:
        """Takes over arrays that `weights` of either twin gave; all other weights stay."""

    def calibrate(self, positions: np.ndarray) -> None:
        """Sets the moving statistics from the one batch at `positions`."""
        self.twin.calibrate([positions])

    def inputs(self, positions: np.ndarray) -> Arrays:
        """Gives what each backbone reads, (n, h, w, 3), and "rows", which the LSTM reads, (n, h,
        w)."""

    def features(self, positions: np.ndarray) -> Arrays:
        """Gives what the head reads of each backbone, (n, c) or (n, h, w, c), in inference mode."""

    def probabilities(self) -> np.ndarray:
        """Gives the probabilities (n, 4) for the pool's test part, in inference mode; a phase must
        have begun."""
        return np.exp(self.twin.log_probabilities()[0])

    def values(self) -> dict[str, int]:
        """Counts the values of one image that each batch normalisation normalises, which are the
        positions of its map, by the key of its moving variance."""

    def begin(self, phase: dict[str, Any], order: np.ndarray, stored: Arrays | None = None) -> None:
        """Begins a phase with a new optimiser, and an epoch over the positions `order`. Over a
        frozen CNN, `stored` has the features of every image by backbone, as `features` gives
        them."""

    def step(self, start: int, stop: int) -> tuple[float, float]:
        """Makes one update on order[start:stop]; gives the mean data loss and the penalty before
        the update."""
        (penalty,) = self.twin.penalty()
        figures = self.twin.read([self.twin.step(start, stop)])
        return float(figures[0, 0, 0]) / (stop - start), penalty

    def step_gradients(self, start: int, stop: int) -> tuple[float, float, Arrays]:
        """Makes one update like `step`, and gives the gradients of the update too."""


class GivenSide(Side, Protocol):
    """A twin whose optimiser can be given the other twin's gradients."""

    def apply(self, gradients: Arrays) -> None:
        """Makes one update by `gradients`, with an optimiser of its own, whose memory is that of
        earlier calls in this phase."""


@dataclass(frozen=True)
class Result:
    """The measured value of one rung for one network."""

    rung: str
    variant: str
    value: float
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether the value is within its bound; a NaN is not."""
        return bool(self.value <= RUNGS[self.rung].bound)

    def to_json(self) -> dict[str, Any]:
        """Gives the result in the form of parity.json."""
        return asdict(self) | {"bound": RUNGS[self.rung].bound, "ok": self.ok}


def report(
    results: list[Result],
    device: str,
    versions: dict[str, str],
    images: str,
    seconds: float,
    changes: Iterable[str] = (),
    weights: str = "random",
) -> dict[str, Any]:
    """Gives the content of parity.json. `images` is "real" or "phantom"; `changes` holds the
    "key=value" of --set; `weights` is where the CNNs' come from, "random" or "imagenet"."""
    words = ["--weights", "at-hand"] if weights != "random" else []
    words += ["--set", *changes] if changes else []
    return {
        "schema": SCHEMA,
        "device": device,
        "versions": versions,
        "images": images,
        "sizes": {precision: list(size) for precision, size in SIZES.items()},
        "batch": BATCH,
        "seconds": round(seconds, 1),
        "weights": weights,
        "command": " ".join(["python runner.py --parity", *words]),
        "rungs": [asdict(rung) for rung in RUNGS.values()],
        "results": [result.to_json() for result in results],
        "differences": [asdict(difference) for difference in DIFFERENCES],
    }


def relative(a: np.ndarray, b: np.ndarray) -> float:
    """Gives max|a - b| / max|b|, or 0 where a and b are equal."""
    difference = float(np.abs(a - b).max())
    return difference / float(np.abs(b).max()) if difference else 0.0


def roundings(a: np.ndarray, b: np.ndarray) -> float:
    """Gives max|a - b| in float32 units in the last place of the largest value of b."""
    return float(np.abs(a - b).max() / np.spacing(np.float32(np.abs(b).max())))


def largest(found: Mapping[Key, float]) -> tuple[float, Key]:
    """Gives the largest value and its key, the first of several; a NaN counts as the largest."""
    key = max(found, key=lambda k: (math.isnan(found[k]), found[k]))
    return found[key], key


def peak(arrays: Arrays) -> float:
    """Gives the largest absolute value in all arrays."""
    return max(float(np.abs(array).max()) for array in arrays.values())


@dataclass(frozen=True)
class Distance:
    """The distance of arrays: the Euclidean length over all numbers, and the largest difference of
    any number."""

    length: float
    most: float

    @classmethod
    def between(cls, a: Arrays, b: Arrays, keys: Iterable[str]) -> "Distance":
        """Gives the distance between the arrays of `keys` in `a` and `b`."""
        squares, most = 0.0, 0.0
        for key in keys:
            difference = (a[key] - b[key]).ravel()
            squares += float(difference @ difference)
            most = max(most, float(difference.max()), -float(difference.min()))
        return cls(math.sqrt(squares), most)


def apart(a: Arrays, b: Arrays) -> tuple[float, str]:
    """Gives the largest difference of any number in all arrays, divided by the largest number of
    `b`, and the key of its array."""
    scale = peak(b) or 1.0
    return largest({key: float(np.abs(a[key] - b[key]).max()) / scale for key in b})


def zeros(gradients: Arrays) -> set[str]:
    """Gives the keys of the arrays whose gradient is zero in truth, which holds rounding noise in
    every number."""
    least = NOISE * peak(gradients)
    return {key for key, g in gradients.items() if float(np.abs(g).max()) < least}


def held(number: float) -> float:
    """Gives the float32 nearest to a number, which both twins hold exactly."""
    return float(np.float32(number))


def recipe(values: dict[str, Any]) -> dict[str, Any]:
    """Gives a run's recipe on the ladder: with dropout off, batches of BATCH, and numbers that
    float32 holds."""
    decay = {k: held(v) for k, v in values.items() if k in ("adam_beta1", "adam_beta2")}
    return values | decay | {"dropout": 0.0, "batch_size": BATCH}


def phase(optimizer: str, recipe: dict[str, Any], frozen: bool = False) -> dict[str, Any]:
    """Gives a phase at the recipe's rate, of the head alone (`frozen`) or of the whole network."""
    rates = {words["optimizer"]: words["rate"] for words in schedule(recipe)}
    return {"phase": 1, "epochs": 1, "optimizer": optimizer, "rate": held(rates[optimizer]),
            "frozen": frozen, "batch_statistics": not frozen, "stored": False}  # fmt: skip


def given(optimizer: str) -> str:
    """Gives the name of an optimiser's rung on equal gradients."""
    return f"{optimizer}_given"


def optimizers(recipe: dict[str, Any]) -> list[str]:
    """Gives the optimisers of the recipe's phases, in the order of the phases."""
    return list(dict.fromkeys(words["optimizer"] for words in schedule(recipe)))


def trains_whole(variant: str) -> bool:
    """Tells whether the ten steps of a network train its CNN too. They do for each CNN once alone,
    and for one with an LSTM beside it; the heads of the others are trained over frozen CNNs."""
    return any(variant in backbone.whole_ladders for backbone in load_backbones().values())
