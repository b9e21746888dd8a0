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
    r"^(?P<how>Append to|Write|In) `(?P<file>[^`]+)`(?:, (?P<side>above|below) `(?P<line>[^`]+)`)?"
    r":\n\n```\w+\n(?P<body>.*?)^```$"
    r"|^```sh\n(?P<commands>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
COUNTS = {"one": 1, "two": 2, "three": 3, "four": 4}
LONG = "UPDATE_GOLDEN"  # what records the golden runs anew: some minutes, and tests/golden has them


@dataclass(frozen=True)
class Change:
    """What a page says to write: where in a file, relative to which line, and the text."""

    file: str
    how: str  # "Append to", "Write" or "In"
    side: str | None
    line: str | None
    body: str

    def made(self, root):
        """Writes it into the sources."""
        path = root / self.file
        assert path.exists() == (self.how == "In") or self.how == "Append to", self.file
        path.parent.mkdir(exist_ok=True)  # "make a folder of your own"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if self.how != "In":
            new = text + self.body
        else:
            before, after = text.split(f"\n{self.line}\n")
            own = [self.body, f"{self.line}\n"]
            new = f"{before}\n{''.join(own if self.side == 'above' else own[::-1])}{after}"
        path.write_text(new, encoding="utf-8")


@dataclass
class Example:
    """A part of a page: its heading, the changes and the commands that it gives."""

    head: str
    text: str
    changes: list[Change] = field(default_factory=list)
    commands: list[list[str]] = field(default_factory=list)

    @property
    def looked_for(self):
        """The words that a command's file must hold, as the text says: "look for" them there."""
        return re.findall(r'look for "([^"]+)" in `([^`]+)`', self.text)

    @property
    def files(self):
        """How many files the heading says that it takes, or None."""
        said = re.search(rf": ({'|'.join(COUNTS)}) files?$", self.head)
        return COUNTS[said[1]] if said else None


def examples(name):
    """The parts of a page of docs/ that change a file or give a command."""
    page = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    return [one for part in page.split("\n## ") if (one := example(part)).changes or one.commands]


def example(text):
    """The example in a part of a page, whose first line is its heading."""
    found = Example(text.partition("\n")[0], text)
    for step in STEP.finditer(text):
        if step["file"]:
            words = (step[word] for word in ("file", "how", "side", "line", "body"))
            found.changes.append(Change(*words))
        else:
            lines = (shlex.split(line, comments=True) for line in step["commands"].split("\n"))
            found.commands += [words for words in lines if words and LONG not in words[0]]
    return found


@dataclass
class Copy:
    """A copy of the sources; the recorded runs are linked."""

    root: Path
    cache: Path

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
    """What --status says in the copy of the recorded runs, folder by folder."""
    folders = sorted(path.parent for path in (ROOT / "reports" / "published").glob("*/plan.json"))
    return [copy.run("python", "runner.py", "--status", "--out", str(f)) for f in folders]


@pytest.mark.parametrize("page", ["add-a-network", "add-a-claim"])
def test_an_example_is_valid_and_makes_no_recorded_run_stale(page, copy):
    made = 0
    for example in examples(page):
        files = len({change.file for change in example.changes})
        assert example.files == (files or None), example.head
        for change in example.changes:
            change.made(copy.root)
            made += 1
    assert made, "the page has no example"
    copy.run("python", "runner.py", "--plan", "--data", "phantom")
    copy.run("python", "-c", "from protocols.papers.claims import load_claims; load_claims()")
    said = recorded(copy)
    assert said and all(" 0 stale" in text for text in said)


PAGES = ("add-a-network", "add-a-claim", "add-a-metric", "add-a-page")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_an_example_end_well(page, copy):
    """Of the network: the parity ladder with its forward pass, and a training in both twins. What
    the page says to look for is there."""
    for example in examples(page):
        for change in example.changes:
            change.made(copy.root)
        for words in example.commands:
            copy.run(*words)
        for said, name in example.looked_for:
            assert said in (copy.root / name).read_text(encoding="utf-8")
