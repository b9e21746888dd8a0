"""Runs runner.py in a process of its own, as a user does, or in this process."""

import contextlib
import io
import json
import os
import subprocess
import sys
from unittest import mock

import runner as door
from protocols.files import ROOT

UNSET = ("WBC_DATA", "KERAS_BACKEND")  # of the environment: a test names its own


def runner(*words, limit=300, **env):
    """Gives a finished process of runner.py with these words, of at most `limit` seconds."""
    clean = {k: v for k, v in os.environ.items() if k not in UNSET}
    return subprocess.run(
        [sys.executable, str(ROOT / "runner.py"), *map(str, words)],
        capture_output=True,
        text=True,
        env=clean | env,
        timeout=limit,
        encoding="utf-8",
    )


def printed(code, **env):
    """Gives what `code` prints last, as JSON, in a new process with these variables more."""
    answer = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | env,
        encoding="utf-8",
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout.splitlines()[-1])


def asked(*words, **env):
    """Gives what `runner` gives, from this process: commands that don't train answer sooner so."""
    command = ["runner.py", *map(str, words)]
    out, err = io.StringIO(), io.StringIO()
    clean = {k: v for k, v in os.environ.items() if k not in UNSET}
    with (
        mock.patch.object(sys, "argv", command),
        mock.patch.dict(os.environ, clean | env, clear=True),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            code = door.main()
        except SystemExit as ended:
            code = ended.code
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())


def instead_of_the_ladder(root, code):
    """Makes the ladder's process run this code where it is started in the folder `root`."""
    folder = root / "benchmarks" / "parity"
    folder.mkdir(parents=True)
    (folder / "__main__.py").write_text(code, encoding="utf-8")
    for package in (folder, folder.parent):
        (package / "__init__.py").write_text("", encoding="utf-8")


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))
