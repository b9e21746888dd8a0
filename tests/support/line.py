"""A twin of one number, for tests that need no network, and runs of this twin that are killed."""

from types import SimpleNamespace

import numpy as np

from protocols.hardware import NO_DEVICE
from protocols.runs.activations import Seen
from protocols.runs.checkpoint import layout_of
from protocols.runs.record import HISTORY

IDENTITY = {
    "runs": ["a-run"],
    "pixels": "0" * 64,
    "results_version": 1,
    "versions": {"torch": "2.15", "numpy": "2.4"},
    "processor": "One",
    "instructions": "avx avx2",
    "variables": {"XLA_FLAGS": "--a"},
}


ARRAYS = {"network/a": np.arange(6.0), "optimizer/steps": np.array(3)}


class Line:
    """A twin of one number, which a step moves by its images' positions and dropout's units."""

    parameters, engine = 1, "a line"

    def __init__(self, specs, pool, start=None):
        self.pool, self.network, self.optimizer = pool, 1.0, 0.0
        self.batches = SimpleNamespace(waited=0.0)
        self.memory = []

    def calibrate(self, batches):
        self.network += sum(map(np.sum, batches)) % 7

    def backbone_features(self, number, positions):
        return np.stack([positions + self.network, positions], 1).astype(np.float32)

    def begin_phase(self, phase, stored):
        self.stored, self.optimizer = stored, 0.0

    def begin_epoch(self, orders, keep):
        (self.order,), self.keep = orders, keep

    def step(self, start, stop):
        if self.memory:
            raise self.memory.pop()
        self.optimizer = 0.9 * self.optimizer + float(np.sum(np.sin(self.order[start:stop])))
        if self.stored:
            self.optimizer += float(self.stored[0][self.order[start:stop]].sum()) / 1000
        self.network += 0.01 * self.optimizer
        return np.array([[self.network, 1.0]], np.float32)

    def read(self, figures):
        return np.stack(figures)

    def penalty(self):
        return [0.0]

    def log_probabilities(self, part=slice(None)):
        logits = np.outer(np.sin(self.pool.evaluated[0][part] + self.network), np.arange(4.0))
        return [(logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)]

    def look(self, positions):
        logits = np.outer(np.sin(positions[0] + self.network), np.arange(4.0))
        maps = {"xception": np.full((len(logits), 1, 1, 1), self.network)}
        return [Seen(logits, {}, maps, maps)]

    def state(self):
        return {"network/x": np.array(self.network), "optimizer/x": np.array(self.optimizer)}

    def layout(self, phase, stepped):
        return layout_of(self.state())

    def restore(self, state):
        self.network = float(state.get("network/x", self.network))
        self.optimizer = float(state.get("optimizer/x", self.optimizer))

    def spare_memory(self):
        return False

    def device_memory(self):
        return NO_DEVICE

    def environment(self):
        return HERE | {"versions": {"numpy": np.__version__}}


HERE = {"device_detail": "A processor", "instruction_set": "avx avx2", "variables": {}}


class Killed(BaseException):
    """An exception that stands for a SIGKILL."""


def ending(folder):
    """Gives what must be equal to the last bit: the predictions, and the history without
    seconds."""
    rows = (folder / "history.csv").read_text(encoding="utf-8").splitlines()
    kept = [i for i, name in enumerate(HISTORY) if not name.endswith("seconds")]
    with np.load(folder / "predictions.npz") as arrays:
        found = {name: value.tobytes() for name, value in arrays.items()}
    return found, [[row.split(",")[i] for i in kept] for row in rows]
