"""The documents: no dead link, no path or command that isn't there, every flag explained."""

import importlib.util
import re
import shlex
import tomllib
from xml.etree import ElementTree

import pytest

from benchmarks.terminal import flags
from protocols.files import ROOT

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PARTS = ("benchmarks", "docs", "impl_keras", "impl_torch", "protocols", "reports", "tests")
MADE = ("reports/out",)  # by a run
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EVERY = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


def prose(text):
    """A document without its blocks of code."""
    return FENCE.sub("", text)


def anchors(path):
    """The headings of a document, as GitHub makes addresses of them."""
    heads = re.findall(r"^#+ (.+)$", prose(path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def dead_links(path, text):
    """The links of a document that lead nowhere in the repository."""
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(text)):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        to = path.parent / name if name else path
        if not to.exists() or (anchor and anchor not in anchors(to)):
            dead.append(target)
    return dead


def lost_paths(text):
    """The paths in code type that the repository doesn't have; but for those that a reader is told
    to write."""
    told = re.findall(r"^(?:Append to|Write) `([^`]+)`:$", text, re.MULTILINE)
    named = re.findall(rf"`((?:{'|'.join(PARTS)})/[\w./*{{}},-]*)", prose(text))
    named = [re.sub(r"\bNAME\b", "*", name).rstrip("/.") for name in named]  # whatever its name is
    there = (*MADE, *told)
    return [name for name in named if not name.startswith(there) and not any(ROOT.glob(name))]


def commands(text):
    """The command lines of a document's shell blocks, as words."""
    lines = [
        line for kind, body in FENCE.findall(text) if kind == "sh" for line in body.split("\n")
    ]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def wrong_commands(text, capsys):
    """The commands that name a target of make, a module or a flag that isn't there."""
    targets = re.findall(
        r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    wrong = []
    for words in commands(text):
        rest = [word for word in words if not re.fullmatch(r"[A-Z_]+=.*", word)]
        if rest[0] == "make":
            good = rest[1] in targets
        elif "runner.py" in rest:
            try:
                flags.parser().parse_args(rest[rest.index("runner.py") + 1 :])
                good = True
            except SystemExit:
                good = False
                capsys.readouterr()
        elif rest[1:2] == ["-m"]:
            good = importlib.util.find_spec(rest[2]) is not None
        else:
            good = True
        if not good:
            wrong.append(" ".join(words))
    return wrong


@EVERY
def test_every_link_leads_somewhere(path):
    assert dead_links(path, path.read_text(encoding="utf-8")) == []


@EVERY
def test_every_path_is_there(path):
    assert lost_paths(path.read_text(encoding="utf-8")) == []


@EVERY
def test_every_command_can_be_typed(path, capsys):
    assert wrong_commands(path.read_text(encoding="utf-8"), capsys) == []


def test_what_is_wrong_in_a_document_is_seen(capsys):
    text = (
        "[a](docs/none.md) [b](README.md#none) [c](README.md#documents) `protocols/none.py` "
        "`protocols/spec.py`\n```sh\nmake none\nA=b python -m reports.none DIR\n"
        "python runner.py --none  # x\npython runner.py --plan\nmake run\n```\n"
    )
    assert dead_links(ROOT / "README.md", text) == ["docs/none.md", "README.md#none"]
    assert lost_paths(text) == ["protocols/none.py"]
    wrong = wrong_commands(text, capsys)
    assert [line.split()[-1] for line in wrong] == ["none", "DIR", "--none"]


def test_every_document_is_linked_from_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = {(ROOT / to).resolve() for to in re.findall(r"\]\(([^)#\s]+)", readme)}
    assert {path for path in DOCUMENTS if path.name != "README.md"} <= linked
    assert len(readme.splitlines()) <= 110


def test_every_flag_is_explained():
    """Each has one row of a table, with a meaning."""
    text = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(--[a-z-]+)[^`]*` \| ([^|]+) \|", text, re.MULTILINE)
    known = {option for action in flags.parser()._actions for option in action.option_strings}
    assert sorted(name for name, _ in rows) == sorted(known - {"-h"})
    assert all(len(meaning.split()) >= 3 for _, meaning in rows)


def floors():
    """The rooms of each part, floor by floor from the top, as the contracts have them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    return {
        one["containers"][0]: [set(re.findall(r"\w+", floor)) for floor in one["layers"]]
        for one in contracts
        if one["type"] == "layers"
    }


def test_the_picture_of_the_architecture_has_the_rooms_of_the_contracts():
    drawn = ElementTree.parse(ROOT / "docs" / "architecture.svg").getroot()
    svg = "{http://www.w3.org/2000/svg}"
    parts = {group.get("id"): group for group in drawn.iter(f"{svg}g")}
    for part, wanted in floors().items():
        rows = {}
        for text in parts[part].iter(f"{svg}text"):
            if text.get("class") == "room":
                rows.setdefault(float(text.get("y")), set()).add(text.text)
        assert [rows[height] for height in sorted(rows)] == wanted, part


def test_every_room_is_in_the_table_of_the_architecture():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `([\w/]+)` \|", text, re.MULTILINE))
    rooms = {
        f"{part}/{room}" for part, of_part in floors().items() for room in set().union(*of_part)
    }
    assert named == {room for room in rooms if (ROOT / room).is_dir()}


def test_the_picture_of_the_report_is_small():
    assert (ROOT / "docs" / "report.webp").stat().st_size < 200_000
