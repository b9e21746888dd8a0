"""Measures the building of the decoded set, once, beside one pass of what others read per epoch."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.speed.harness import Sample, Scale, decoded, spec_of
from benchmarks.speed.peers.process import PeerProcess
from benchmarks.speed.side_by_side import paired


def test_cache_build(
    benchmark: Any,
    scale: Scale,
    sample: Callable[[int], Sample],
    peer: Callable[..., PeerProcess],
    tmp_path: Path,
) -> None:
    """Hashes, decodes, resizes and stores every image, against decoding and resizing it."""
    run, files = spec_of("torch", "xception", scale), sample(scale.frozen_images)
    words = {"spec": run.to_json(), "folder": str(files.folder)}
    fresh = (tmp_path / str(number) for number in itertools.count())
    paired(
        benchmark,
        lambda: decoded(files, run, next(fresh)),
        {
            "plain PyTorch, one pass": peer("plain_torch", "read", **words),
            "plain Keras, one pass": peer("plain_keras", "read", **words),
        },
        scale.rounds,
        what="Decode and build the cache, once",
        unit=f"{files.count} images",
        size=scale.size,
        data=files.kind,
    )
