"""Runs the tests that need a GPU, in a process of their own that ends in time."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from benchmarks.gpu_check.record import Number, number
from benchmarks.processes.children import common
from protocols.files import ROOT

COMMAND = ("pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", "tests/twins")
PATIENCE = 20  # seconds in which an interrupted pytest may write what has ended
WORDS = 2000  # characters kept of a failure
RAN = (0, 1)  # pytest's exit codes where it ran the tests: all passed, or some failed
FAULTS = ("failure", "error")  # of a test in the report
ENDS = ("failed", "error", "errors")  # the words for them in pytest's last line


def run(cache: Path, backend: str, limit: float) -> dict[str, Any]:
    """Returns what the record keeps of the tests: how many passed, failed and were skipped, and
    the words of each failure and of each reason to skip. After `limit` seconds they are ended."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    variables |= common(cache) | ({"KERAS_BACKEND": backend} if backend else {})
    with tempfile.TemporaryDirectory(prefix="wbc-gpu-check-") as folder:
        report = Path(folder) / "tests.xml"
        with _minding_ctrl_c():
            process = subprocess.Popen(
                [sys.executable, "-m", *COMMAND, f"--junitxml={report}", f"--basetemp={folder}/f"],
                cwd=ROOT,
                env=variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # all that it starts is ended with it
            )
        printed, stopped = _ended(process, limit)
        found: dict[str, Any] = {"numbers": counts(printed)} | words(report)
    if stopped:
        found |= {"state": "failed", "reason": f"ended after {limit:.0f} s, before all had run"}
    elif process.returncode not in RAN:
        last = (printed.strip().splitlines() or ["pytest printed nothing"])[-1]
        found |= {"state": "failed", "reason": f"pytest ended with {process.returncode}: {last}"}
    return found


@contextlib.contextmanager
def _minding_ctrl_c() -> Iterator[None]:
    """A process begun inside can be interrupted. One begun by another that ignores Ctrl-C, as what
    a shell begins with `&` does, ignores it too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _ended(process: subprocess.Popen[str], limit: float) -> tuple[str, bool]:
    """Waits for the process, and returns what it printed, and whether it had to be ended."""
    try:
        return process.communicate(timeout=limit)[0], False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGINT)
        try:
            return process.communicate(timeout=PATIENCE)[0], True
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.communicate()[0], True
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


def counts(printed: str) -> dict[str, Number]:
    """Returns the numbers of pytest's last line; none where it has no such line. Its report in
    JUnit's form doesn't tell a test that was interrupted from one that passed."""
    last = (printed.strip().splitlines() or [""])[-1]
    found = {word: int(count) for count, word in re.findall(r"(\d+) (\w+)", last)}
    if not any(found.get(word) for word in ("passed", "skipped", *ENDS)):
        return {}
    failed = sum(found.get(word, 0) for word in ENDS)
    sums = {"passed": found.get("passed", 0), "failed": failed, "skipped": found.get("skipped", 0)}
    return {name: number("tests", [count]) for name, count in sums.items()}


def words(report: Path) -> dict[str, list[str]]:
    """Returns the words of the failures and of the reasons to skip in a report in JUnit's form."""
    if not report.is_file():
        return {"failures": [], "skips": []}
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    faults = [(case, one) for case in cases if (one := _child(case, *FAULTS)) is not None]
    skips = [one for case in cases if (one := _child(case, "skipped")) is not None]
    return {
        "failures": [
            f"{case.get('classname', '')}.{case.get('name', '')}: {_said(one)}"
            for case, one in faults
        ],
        "skips": sorted({_said(one) for one in skips}),
    }


def _child(case: ElementTree.Element, *kinds: str) -> ElementTree.Element | None:
    return next((one for kind in kinds if (one := case.find(kind)) is not None), None)


def _said(one: ElementTree.Element) -> str:
    return (one.get("message") or one.text or "")[:WORDS]
