"""The door in a process of its own, as a user meets it."""

import os
import subprocess
import sys

from protocols.files import ROOT


def runner(*words, limit=300, **env):
    clean = {k: v for k, v in os.environ.items() if k not in ("WBC_DATA", "KERAS_BACKEND")}
    return subprocess.run(
        [sys.executable, str(ROOT / "runner.py"), *map(str, words)],
        capture_output=True,
        text=True,
        env=clean | env,
        timeout=limit,
        encoding="utf-8",
    )


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))
