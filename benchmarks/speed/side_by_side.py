"""Measures our code and its peers side by side: in turn, round by round, so that drift hits all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.harness import Sample, Scale
from benchmarks.speed.peers.process import PeerProcess
from protocols.runs.latency import seconds_of

Peer = Callable[[], float]  # runs once, and returns the seconds that this took


def timed(call: Callable[[], Any]) -> Peer:
    """Returns a peer of this process. `call` must end only when its work is done."""

    return partial(seconds_of, call)


def paired(
    benchmark: Any,  # pytest-benchmark's fixture
    ours: Callable[[], Any],
    peers: Mapping[str, Peer],
    rounds: int,
    *,
    warmup: int = 1,
    again: bool = False,
    aims: dict[str, float] | None = None,
    **info: Any,
) -> None:
    """Times `ours` (for pytest-benchmark) and every peer once per round, and keeps the ratios.

    The peers run before ours in one round and after it in the next. `extra_info` gets `info` and,
    for each peer, the median seconds, and the ratio ours / peer of the rounds as median and range.
    `aims`: the highest ratio that is wanted of each peer. `again`: everyone's turn is two calls, of
    which the second counts, for after another's turn the processor's caches hold that one's data.
    """
    seconds: dict[str, list[float]] = {name: [] for name in peers}
    played = 0

    def peers_run() -> None:
        for name, peer in peers.items():
            if again:
                peer()
            seconds[name].append(peer())

    def before() -> None:
        nonlocal played
        played += 1
        if played % 2:
            peers_run()
        if again:
            ours()

    def after() -> None:
        if not played % 2:
            peers_run()

    benchmark.pedantic(ours, setup=before, teardown=after, rounds=rounds, warmup_rounds=warmup)
    if benchmark.stats is None:  # --benchmark-disable: everything ran once
        return
    own = list(benchmark.stats.stats.data)
    benchmark.extra_info |= info | {"rounds": rounds, "ours": float(np.median(own))}
    benchmark.extra_info["peers"] = [
        {"name": name, "aim": (aims or {}).get(name)} | compared(own, times[warmup:])
        for name, times in seconds.items()
    ]


def compared(ours: list[float], peer: list[float]) -> dict[str, Any]:
    """Returns the median seconds of a peer, and the ratio ours / peer: median, low and high."""
    ratios = np.array(ours) / np.array(peer)
    ratio = {"median": np.median(ratios), "low": ratios.min(), "high": ratios.max()}
    return {
        "seconds": float(np.median(peer)),
        "ratio": {name: float(value) for name, value in ratio.items()},
    }


@dataclass(frozen=True)
class Bench:
    """What each benchmark is given: pytest-benchmark's fixture, and those of conftest.py."""

    benchmark: Any
    scale: Scale
    sample: Callable[[int], Sample]
    peer: Callable[..., PeerProcess]
    cache: Path

    def paired(
        self, ours: Callable[[], Any], peers: Mapping[str, Peer], files: Sample, **info: Any
    ) -> None:
        """Measures `ours` beside `peers` as the function `paired` does, on the images `files`."""
        words = {"unit": f"{files.count} images", "size": self.scale.size, "data": files.kind}
        rounds = info.pop("rounds", self.scale.rounds)
        paired(self.benchmark, ours, peers, rounds, **words | info)
