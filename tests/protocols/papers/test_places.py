"""A paper is a place: code asks what a recipe or a network has, and never which paper it is."""

import re

import pytest

from protocols.files import ROOT
from protocols.papers.papers import FOLDER, folders, load_papers

SOURCES = ("protocols", "benchmarks", "impl_keras", "impl_torch", "reports", "runner.py")
# Where a paper may be named: its folder, and its pages. A file of its own in any other room is
# named after it.
PLACES = (FOLDER, ROOT / "reports" / "pages" / "papers", ROOT / "reports" / "pages" / "audit")


def files():
    """Our own sources: programs, templates and tables, not what was recorded."""
    for source in SOURCES:
        path = ROOT / source
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.suffix in (".py", ".j2", ".js", ".css") and "published" not in file.parts:
                yield file


def words(name):
    return re.compile(rf"(?<![a-z]){name}(?![a-z])", re.IGNORECASE)


@pytest.mark.parametrize("key", load_papers())
def test_a_paper_is_named_in_its_places_alone(key):
    author = words(load_papers()[key].name.split()[0])
    found = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in files()
        if not any(file.is_relative_to(place) for place in PLACES) and file.stem != key
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if words(key).search(line) or author.search(line)
    ]
    assert not found


def test_the_common_modules_of_the_papers_name_none():
    names = "|".join(words(key).pattern for key in load_papers())
    for file in FOLDER.glob("*.py"):
        assert not re.search(names, file.read_text(encoding="utf-8"), re.IGNORECASE), file.name


def test_each_folder_is_whole():
    for key, folder in folders().items():
        there = {file.name for file in folder.glob("*.toml")}
        if key in load_papers():
            assert there == {"paper.toml", "claims.toml", "variants.toml", "recipe.toml"}
        else:
            assert "variants.toml" in there


def test_no_key_of_a_recipe_stands_for_a_paper():
    """A recipe's phases are asked of its schedule, not guessed from a key that one paper has."""
    key = re.compile(r"""["'](phase\d_\w+|epochs|optimizer|rate|rmsprop_rho)["'] (not )?in """)
    found = [f"{file.relative_to(ROOT)}" for file in files() if key.search(file.read_text("utf-8"))]
    assert not found
