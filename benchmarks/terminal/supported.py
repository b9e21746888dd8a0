"""Refuses, in one sentence, to run on another Python or system. Works on any Python from 3.7 on."""

from __future__ import annotations

import sys

PYTHONS = (3, 11), (3, 13)  # from and to: the versions that every pin of requirements.txt is for
HELP = "-h", "--help"


def refusal(words: list[str]) -> str:
    """Returns the sentence why the suite can't run the command line `words` here; "" if it can."""
    oldest, newest = PYTHONS
    here = tuple(sys.version_info[:2])
    if here < oldest or (here > newest and not set(HELP) & set(words)):
        found, first, last = (".".join(map(str, version)) for version in (here, oldest, newest))
        return (
            "the suite runs on Python " + first + " to " + last + " and this is " + found + ": "
            "TensorFlow's pinned version exists for no other; make the environment with "
            "one of them (make run PYTHON=python" + first + ")"
        )
    try:
        import fcntl  # noqa: F401, PLC0415
        import resource  # noqa: F401, PLC0415
    except ImportError:
        if not set(HELP) & set(words):
            return (
                "the suite runs on Linux and macOS, and this system (" + sys.platform + ") lacks "
                "what it needs of them, file locks above all; on Windows take WSL 2"
            )
    return ""


def refuse(words: list[str]) -> None:
    """Ends the process with a sentence and exit code 2 where the suite can't run."""
    why = refusal(words)
    if why:
        sys.stderr.write("runner.py: " + why + "\n")
        sys.exit(2)
