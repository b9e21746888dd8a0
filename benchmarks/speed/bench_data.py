"""Measures the building of the decoded set, once, beside one pass of what others read per epoch."""

import itertools
from pathlib import Path

from benchmarks.speed.harness import decoded, spec_of
from benchmarks.speed.side_by_side import Bench


def test_cache_build(bench: Bench, tmp_path: Path) -> None:
    """Hashes, decodes, resizes and stores every image, against decoding and resizing it."""
    run, files = spec_of("torch", "xception", bench.scale), bench.sample(bench.scale.frozen_images)
    words = {"spec": run, "folder": str(files.folder)}
    fresh = (tmp_path / str(number) for number in itertools.count())
    bench.paired(
        lambda: decoded(files, run, next(fresh)),
        {
            "plain PyTorch, one pass": bench.peer("plain_torch", "read", **words),
            "plain Keras, one pass": bench.peer("plain_keras", "read", **words),
        },
        files,
        what="Decode and build the cache, once",
    )
