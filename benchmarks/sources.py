"""Which sources made a run: the modules that its stage can reach, and the tables that they name.

A change of a docstring or of a comment on a line of its own changes no run; nor does one of a
module or a table that the stage never reads (what a run takes from recipes.toml and profiles.toml
stands in its specification), nor of one that can't change what is computed (`changed`).
"""

import ast
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from protocols.spec import RunSpec

ROOT = Path(__file__).resolve().parent.parent
ENTRIES = {"train": "worker.py", "latency": "latency.py"}  # of a twin, by stage
Made = dict[str, dict[str, str]]
# What this fetches is held against SHA-256s that stand in the specification or in the tables.
GUARDED = ("protocols/download.py",)
DRAWING = ("protocols/phantom.py", "protocols/smear.py")  # never asked where the images are real
WITH_DOCSTRING = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class Module(NamedTuple):
    """What a module asks for, and what it does."""

    imports: list[str]
    strings: list[str]  # constants that may be the name of a file
    code: str


def made_by_now(framework: str, stage: str, root: Path = ROOT) -> Made:
    """`made_by` of the files as they are now: of a process that is about to start."""
    read.cache_clear()
    made_by.cache_clear()
    return made_by(framework, stage, root)


@lru_cache
def made_by(framework: str, stage: str, root: Path = ROOT) -> Made:
    """What run.json keeps of a run's sources: "sources", the SHA-256 of what is reached of
    `protocols/` and of its twin; "modules", the SHA-256 of each file."""
    folders = ("protocols", f"impl_{framework}")
    whole, modules = {name: hashlib.sha256() for name in folders}, {}
    for path in sorted(reached(root / folders[1] / ENTRIES[stage], root)):
        code = read(path).code.encode() if path.suffix == ".py" else path.read_bytes()
        name = path.relative_to(root).as_posix()
        whole[path.parent.name].update(path.name.encode() + b"\n" + code)
        modules[name] = hashlib.sha256(code).hexdigest()
    return {
        "sources": {name: digest.hexdigest() for name, digest in whole.items()},
        "modules": modules,
    }


def changed(record: dict[str, Any], spec: RunSpec) -> list[str]:
    """The files of today's that a run.json knows otherwise or not at all, and that could make
    another run of it; without its "modules", what of "sources" differs. Raises OSError or
    ValueError if today's can't be read."""
    today = made_by(spec.framework, spec.stage)
    if record["sources"] == today["sources"]:
        return []
    kind = "modules" if "modules" in record else "sources"
    of_no_effect = GUARDED + (() if spec.data["kind"] == "phantom" else DRAWING)
    return [
        name
        for name, digest in today[kind].items()
        if record[kind].get(name) != digest and name not in of_no_effect
    ]


def reached(entry: Path, root: Path = ROOT) -> set[Path]:
    """The modules of ours that `entry` imports, however far away and wherever in the file, and the
    tables beside them that they name."""
    found: set[Path] = set()
    waiting = [entry]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            module = read(path)
            modules = (root / (name.replace(".", "/") + ".py") for name in module.imports)
            waiting += [p for p in modules if p.is_file()]
            found |= {p for name in module.strings if (p := path.with_name(name)).is_file()}
    return found


@lru_cache
def read(path: Path) -> Module:
    """Raises ValueError if it is no Python, or imports relatively: that is not followed."""
    text = path.read_text(encoding="utf-8")
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise ValueError(f"{path.name} is no Python ({error})") from error
    lines, imports, strings = text.splitlines(), [], []
    within: set[int] = set()  # rows inside a string, where # begins no comment
    without: set[int] = set()  # rows of docstrings
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level or not node.module:
                raise ValueError(f"{path.name}: relative imports are not followed")
            imports += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Constant | ast.JoinedStr):
            within.update(range(node.lineno, node.end_lineno))
            if isinstance(value := getattr(node, "value", None), str) and _names_a_file(value):
                strings.append(value)
        elif isinstance(node, WITH_DOCSTRING):
            without |= _docstring(node, lines)
    kept = (
        line.rstrip()
        for row, line in enumerate(lines)
        if row not in without and (row in within or not line.lstrip().startswith("#"))
    )
    return Module(imports, strings, "\n".join(line for line in kept if line))


def _names_a_file(text: str) -> bool:
    return "." in text[1:-1] and not {"/", "\n", " "} & set(text)


def _docstring(node: WITH_DOCSTRING, lines: list[str]) -> set[int]:
    """Rows that hold nothing but the node's docstring, counted from 0."""
    if ast.get_docstring(node, clean=False) is None:
        return set()
    first = node.body[0]
    alone = not lines[first.lineno - 1][: first.col_offset].strip()
    return set(range(first.lineno - 1, first.end_lineno)) if alone else set()
