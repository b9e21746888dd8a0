"""Tells when a command prints something, in a pipe or on a terminal."""

import os
import pty
import subprocess
import termios
import time


def outputs(words, terminal, env):
    """Gives the exit code, and for each output its seconds since the start and its text.

    The last entry is the end. Standard output and standard error both go into a pipe, or both to a
    pseudo-terminal.
    """
    begin = time.perf_counter()
    mine, theirs = pty.openpty() if terminal else os.pipe()
    if terminal:
        termios.tcsetwinsize(theirs, (24, 80))
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=env
    ) as process:
        os.close(theirs)
        seen = []
        try:
            while data := os.read(mine, 65536):
                seen.append((time.perf_counter() - begin, data.decode(errors="replace")))
        except OSError:  # a terminal whose other end is closed
            pass
    os.close(mine)
    return process.returncode, [*seen, (time.perf_counter() - begin, "")]


def silences(seen):
    """Gives the seconds before each output, and the text after which they lie."""
    before = [(0.0, "the start"), *seen]
    return [(b[0] - a[0], a[1]) for a, b in zip(before, seen, strict=False)]
