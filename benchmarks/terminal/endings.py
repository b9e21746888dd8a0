"""Ends a command: with its exit code, and one sentence where it could not be done."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.terminal.flags import BY_THE_SYSTEM
from protocols.errors import RequestError, TableError, one_line
from protocols.files import default_cache

if TYPE_CHECKING:
    from benchmarks.terminal.console import Console

OURS = "benchmarks", "impl_keras", "impl_torch", "protocols", "reports"


def exit_code(
    work: Callable[[Console], int], out: Path, cache: Path | None, goes_on: bool = False
) -> int:
    """Returns the exit code of `work`; 2, and prints a sentence, where the request, a package or
    the system is at fault; 130 where the work was interrupted.

    `out` and `cache` are the folders that `work` writes into. `goes_on`: whether the same command
    goes on where an interrupted one ended.
    """
    try:
        keep_below(cache)
        from benchmarks.terminal.console import Console  # noqa: PLC0415 (may lack a package)

        with Console() as console:
            code = work(console)
        sys.stdout.flush()  # here a full disk raises, if stdout is a file
        return code
    except BrokenPipeError:  # the reader, such as `| head`, has left
        drop_output()
        return 1
    except (RequestError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in BY_THE_SYSTEM:
            raise
        print(f"runner.py: {one_line(sentence(error, out))}", file=sys.stderr)
        drop_output()
        return 2
    except TableError as error:
        print(
            f"runner.py: the protocols' tables are wrong: {one_line(str(error))}", file=sys.stderr
        )
        return 2
    except ModuleNotFoundError as error:
        if not error.name or error.name.split(".")[0] in OURS:
            raise
        print(
            f"runner.py: this Python lacks the package {error.name}; take the environment's, "
            ".venv/bin/python, which `make run` makes from requirements.txt",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        command = one_line(shlex.join(sys.orig_argv))
        what = "what was done is kept; to go on" if goes_on else "to begin again"
        print(f"runner.py: interrupted; {what}, type: {command}", file=sys.stderr)
        return 130


def keep_below(cache: Path | None) -> None:
    """Makes Matplotlib keep its list of fonts in the cache too. A user without a home is told where
    a cache is needed."""
    with contextlib.suppress(RequestError):
        os.environ["MPLCONFIGDIR"] = str((cache or default_cache()) / "matplotlib")


def sentence(error: RequestError | OSError, out: Path) -> str:
    """Returns what the user is told of an error. The system names no file where writing into an
    open one failed."""
    if not isinstance(error, OSError):
        return str(error)
    if error.filename:
        return f"{error.filename} can't be used ({error.strerror})"
    return f"{error.strerror}, while writing into {out}, the cache or the standard output"


def drop_output() -> None:
    """Drops printed text that can't be written, so that the process doesn't try again at its
    end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
