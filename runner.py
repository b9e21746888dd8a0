#!/usr/bin/env python3
"""Runs the suite and writes the report: python runner.py --suite all --gpu 0

The door: every Python since 2.7 can read this file, so that one that can't run the suite says so.
"""

import os
import sys

PYTHONS = (3, 11), (3, 13)  # from and to: the versions that every pin of requirements.txt is for
HELP = "-h", "--help"


def refusal(words):  # noqa: ANN201 (Python 2 reads this)
    """Why the suite can't run the command line `words` here, as a sentence; "" if it can."""
    oldest, newest = PYTHONS
    here = tuple(sys.version_info[:2])
    if here < oldest or (here > newest and not set(HELP) & set(words)):
        found, first, last = (".".join(map(str, version)) for version in (here, oldest, newest))
        return (
            "the suite runs on Python " + first + " to " + last + " and this is " + found + ": "
            "TensorFlow's pinned version is to be had for no other; make the environment with "
            "one of them (make run PYTHON=python" + first + ")"
        )
    try:
        import fcntl  # noqa: F401
        import resource  # noqa: F401
    except ImportError:
        if not set(HELP) & set(words):
            return (
                "the suite runs on Linux and macOS, and this system (" + sys.platform + ") lacks "
                "what it needs of them, file locks above all; on Windows take WSL 2"
            )
    return ""


def refuse(words):  # noqa: ANN201
    """Ends the process with the sentence and exit code 2 where the suite can't run."""
    why = refusal(words)
    if why:
        sys.stderr.write("runner.py: " + why + "\n")
        sys.exit(2)


if __name__ == "__main__":
    refuse(sys.argv[1:])
    here = os.path.dirname(os.path.abspath(__file__))
    if here not in sys.path:  # python -P, PYTHONSAFEPATH
        sys.path.insert(0, here)
    from main import main

    sys.exit(main())
