"""Tells which commit the sources are of: a run records the commit, as information only.

What makes a stored run stale is `protocols.spec.RESULTS_VERSION`.
"""

import subprocess
from pathlib import Path

from protocols.files import ROOT


def commit(root: Path = ROOT) -> str:
    """Returns the commit that is checked out in `root`, with "-dirty" behind it if a tracked file
    differs. The text is empty where git, or the repository, is not there."""
    words = "describe --always --abbrev=40 --exclude=* --dirty"
    command = ["git", "-C", str(root), *words.split()]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=20, check=True, encoding="utf-8"
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()
