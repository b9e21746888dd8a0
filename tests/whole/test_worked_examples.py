"""The worked examples of the documents, word for word: what a page says to write is written into a
copy of the sources, and the commands that it gives are run there."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from protocols.files import ROOT

SOURCES = ("benchmarks", "impl_keras", "impl_torch", "protocols", "reports", "runner.py", "tests")
STEP = re.compile(
    r"^## (?P<head>.+?)$"
    r"|^(?:Append to|Write) `(?P<file>[^`]+)`:\n\n```\w+\n(?P<body>.*?)^```$"
    r"|^```sh\n(?P<commands>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
COUNTS = {"one": 1, "two": 2, "three": 3, "four": 4}
LONG = "UPDATE_GOLDEN"  # what records the golden runs anew: some minutes, and tests/golden has them


@dataclass
class Example:
    """A part of a page: its heading, what it appends to which file, the commands that it gives."""

    head: str
    written: dict[str, str] = field(default_factory=dict)
    commands: list[list[str]] = field(default_factory=list)

    @property
    def files(self):
        """How many files the heading says that it takes, or None."""
        said = re.search(rf": ({'|'.join(COUNTS)}) files?$", self.head)
        return COUNTS[said[1]] if said else None


def examples(name):
    """The parts of a page of docs/ that write a file or give a command."""
    text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    found = [Example(text.partition("\n")[0])]
    for step in STEP.finditer(text):
        if step["head"]:
            found.append(Example(step["head"]))
        elif step["file"]:
            found[-1].written[step["file"]] = step["body"]
        else:
            lines = (shlex.split(line, comments=True) for line in step["commands"].split("\n"))
            found[-1].commands += [words for words in lines if words and LONG not in words[0]]
    return [one for one in found if one.written or one.commands]


@dataclass
class Copy:
    """A copy of the sources; the recorded runs are linked."""

    root: Path
    cache: Path

    def write(self, example):
        """Appends what the page says."""
        for name, body in example.written.items():
            path = self.root / name
            path.parent.mkdir(exist_ok=True)  # "make a folder of your own"
            with open(path, "a", encoding="utf-8") as file:
                file.write(body)

    def run(self, *words):
        """What a command prints, when typed in the copy; `python` is this one."""
        env = os.environ | {"XDG_CACHE_HOME": str(self.cache), "PYTHONPATH": ""}
        env.pop("WBC_DATA", None)
        command = [sys.executable if word == "python" else word for word in words]
        answer = subprocess.run(
            command, cwd=self.root, env=env, capture_output=True, encoding="utf-8", timeout=1500
        )
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout


@pytest.fixture
def copy(tmp_path):
    root = tmp_path / "copy"
    root.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_file():
            shutil.copy(ROOT / name, root / name)
        else:
            skip = shutil.ignore_patterns("__pycache__", "out", "published")
            shutil.copytree(ROOT / name, root / name, ignore=skip)
    (root / "reports" / "published").symlink_to(ROOT / "reports" / "published")
    return Copy(root, tmp_path / "cache")


def recorded(copy):
    """What --status says of the recorded runs, folder by folder."""
    folders = sorted(path.parent for path in (ROOT / "reports" / "published").glob("*/plan.json"))
    return [copy.run("python", "runner.py", "--status", "--out", str(f)) for f in folders]


@pytest.mark.parametrize("page", ["add-a-network", "add-a-claim"])
def test_an_example_is_refused_by_nothing_and_makes_no_recorded_run_stale(page, copy):
    before = recorded(copy)
    for example in examples(page):
        assert example.files in (None, len(example.written)), example.head
        copy.write(example)
    names = [name for one in examples(page) for name in one.written]
    assert names, "the page has no example"
    copy.run("python", "runner.py", "--validate", "--data", "phantom")
    assert recorded(copy) == before and not any(" stale" in text for text in before)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["add-a-network", "add-a-claim"])
def test_the_commands_of_an_example_end_well(page, copy):
    """Of the network: the parity ladder with its forward pass, and a training in both twins."""
    for example in examples(page):
        copy.write(example)
        for words in example.commands:
            copy.run(*words)
