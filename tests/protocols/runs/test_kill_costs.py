"""A kill costs at most the interval between checkpoints, whenever it comes: by a clock of our own.

Runs of made-up twins, one and several together, killed once at every moment of their work.
"""

import types
from dataclasses import replace

import numpy as np
import pytest

from protocols.runs import checkpoint
from protocols.runs import course as training
from protocols.runs.activations import Seen
from tests.support.line import Killed, Line, ending

SECONDS = {"calibrate": 30, "features": 40, "step": 25, "frozen": 1, "thawed": 60}  # of a batch
INTERVAL = checkpoint.INSIDE_EPOCH


class World:
    """A clock that work moves on, and the moment of the kill."""

    now, death = 0.0, float("inf")

    def spend(self, seconds):
        self.now += seconds
        if self.now >= self.death:
            raise Killed


class Lines(Line):
    """A number a member. Its work takes SECONDS."""

    world: World

    def __init__(self, specs, pool, start=None):
        super().__init__(specs, pool)
        self.network, self.optimizer = np.arange(1.0, 1 + len(specs)), np.zeros(len(specs))
        self.size = specs[0].recipe["batch_size"]

    def calibrate(self, batches):
        super().calibrate(batches)
        self.world.spend(SECONDS["calibrate"])

    def backbone_features(self, number, positions):
        self.world.spend(SECONDS["features"])
        return np.stack([np.sin(positions), positions], 1).astype(np.float32)

    def begin_phase(self, phase, stored):
        self.phase, self.stored, self.optimizer = phase, stored, np.zeros_like(self.network)

    def begin_epoch(self, orders, keep):
        self.orders = orders

    def step(self, start, stop):
        self.world.spend(SECONDS["step"])
        slopes = [np.sin(order[start:stop]).sum() for order in self.orders]
        if self.stored:
            slopes = [
                s + self.stored[0][o[start:stop]].sum()
                for s, o in zip(slopes, self.orders, strict=True)
            ]
        self.optimizer = 0.9 * self.optimizer + np.array(slopes) / 1000
        self.network = self.network + self.optimizer
        return np.stack([self.network, np.ones_like(self.network)], 1).astype(np.float32)

    def penalty(self):
        return list(self.network)

    def _logits(self, positions, network):
        logits = np.outer(np.sin(positions + network), np.arange(4.0))
        return logits - np.log(np.exp(logits).sum(1, keepdims=True))

    def log_probabilities(self, part=slice(None)):
        parts = [evaluated[part] for evaluated in self.pool.evaluated]
        kind = "frozen" if self.phase["frozen"] else "thawed"
        self.world.spend(SECONDS[kind] * -(-len(parts[0]) // self.size))
        return [
            self._logits(*pair).astype(np.float32) for pair in zip(parts, self.network, strict=True)
        ]

    def look(self, positions):
        maps = {"xception": np.ones((4, 1, 1, 1))}
        return [
            Seen(self._logits(*p), {}, maps, maps)
            for p in zip(positions, self.network, strict=True)
        ]

    def state(self):
        return {"network/x": self.network, "optimizer/x": self.optimizer}

    def restore(self, state):
        self.network = state.get("network/x", self.network)
        self.optimizer = state.get("optimizer/x", self.optimizer)


@pytest.fixture
def course(plan_of, job_of, tmp_path, monkeypatch):
    """Runs `specs` in a fresh folder, killed once after so many seconds of work; the seconds it
    took in all, what it ended with, and how often it went on from a checkpoint."""

    def run(specs, death=float("inf")):
        world, number = World(), len(list(tmp_path.iterdir()))
        monkeypatch.setattr(Lines, "world", world, raising=False)
        monkeypatch.setattr(checkpoint, "time", types.SimpleNamespace(monotonic=lambda: world.now))
        jobs = []
        for spec in specs:
            folder = tmp_path / str(number) / spec.id
            folder.mkdir(parents=True)
            here = {"cache": folder.parent, "checkpoint": folder.parent / "checkpoint.npz"}
            jobs.append(replace(job_of(spec), folder=folder, **here))
        for world.death in (death, float("inf")):
            try:
                training.run(Lines, specs, jobs, lambda *_: None, pytest.fail)
                break
            except Killed:
                pass
        return world.now, [ending(job.folder) for job in jobs]

    return run


def one(plan_of):
    (spec,) = [s for s in plan_of("xception", frameworks=("torch",)) if s.stage == "train"]
    return [replace(spec, recipe=spec.recipe | {"batch_size": 2})]


def several(plan_of):
    specs = plan_of("cnn_gru", frameworks=("torch",), folds=(0, 1, 2))
    weights = {"source": "imagenet", "digest": "e" * 64}
    return [
        replace(s, weights=weights, recipe=s.recipe | {"batch_size": 2})
        for s in specs
        if s.stage == "train"
    ]


@pytest.mark.parametrize("specs_of", [one, several])
def test_a_kill_loses_at_most_the_interval_and_changes_no_bit(specs_of, plan_of, course):
    specs = specs_of(plan_of)
    whole, expected = course(specs)
    assert len(expected) == (3 if specs_of is several else 1)
    assert whole > 5 * INTERVAL
    lost = []
    for death in np.linspace(1, whole, 40):
        seconds, found = course(specs, death)
        assert found == expected, f"killed after {death} s"
        lost.append(seconds - whole)
    assert INTERVAL / 2 < max(lost) <= INTERVAL + max(SECONDS.values())
