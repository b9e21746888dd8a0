"""What makes a stored run stale: another state of what its stage runs, and nothing else."""

import pytest

from benchmarks.sources import ENTRIES, ROOT, changed, made_by, made_by_now, reached
from protocols.spec import FRAMEWORKS
from tests.synthetic import spec

MODULE = '''"""A module."""
import os
from protocols import {imported}

TABLE = "kinds.toml"  # read below


def double(x):
    """Twice."""
    return 2 * x
'''


@pytest.fixture
def root(tmp_path):
    """A twin of two modules, which read two of the protocols and one of two tables."""
    for folder in ("protocols", "impl_torch"):
        (tmp_path / folder).mkdir()
    (tmp_path / "impl_torch/worker.py").write_text(
        "from impl_torch.train import double\n", encoding="utf-8"
    )
    (tmp_path / "impl_torch/train.py").write_text(MODULE.format(imported="near"), encoding="utf-8")
    (tmp_path / "impl_torch/latency.py").write_text(
        "def f():\n    import protocols.far\n", encoding="utf-8"
    )
    (tmp_path / "protocols/near.py").write_text(MODULE.format(imported="further"), encoding="utf-8")
    for name in ("further", "far"):
        (tmp_path / f"protocols/{name}.py").write_text("x = 1\n", encoding="utf-8")
    (tmp_path / "protocols/kinds.toml").write_text("a = 1\n", encoding="utf-8")
    (tmp_path / "protocols/claims.toml").write_text("a = 1\n", encoding="utf-8")
    return tmp_path


def digests(root):
    stages = ("train", "latency")
    return tuple(made_by_now("torch", stage, root)["sources"] for stage in stages)


def change(root, name, old, new):
    path = root / name
    assert old in path.read_text(encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "old", "new", "stale"),
    [
        ("impl_torch/train.py", "2 * x", "3 * x", ["train impl_torch"]),
        ("protocols/near.py", "2 * x", "3 * x", ["train protocols"]),
        ("protocols/further.py", "1", "2", ["train protocols"]),
        ("protocols/kinds.toml", "1", "2", ["train protocols"]),
        ("protocols/far.py", "1", "2", ["latency protocols"]),
        ("protocols/far.py", "x = 1", 'x = """\n# 1"""', ["latency protocols"]),
        ("protocols/claims.toml", "1", "2", []),
        ("protocols/near.py", "Twice.", "Two times.", []),
        ("protocols/near.py", '"""A module."""', '"""A\nmodule."""\n# indeed\n', []),
    ],
)
def test_only_what_a_stage_reads_makes_its_runs_stale(root, name, old, new, stale):
    before = digests(root)
    change(root, name, old, new)
    after = zip(("train", "latency"), before, digests(root), strict=True)
    assert [f"{s} {k}" for s, old, new in after for k in old if old[k] != new[k]] == stale


def test_a_number_sign_within_a_string_is_code(root):
    change(root, "protocols/further.py", "x = 1", 'x = """\n# 1"""')
    before = digests(root)
    change(root, "protocols/further.py", "# 1", "# 2")
    assert digests(root)[0] != before[0]


def test_a_file_that_is_being_edited_is_named(root):
    (root / "protocols/near.py").write_text("def half(:\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"near.py is no Python \(invalid syntax"):
        digests(root)


def test_relative_imports_are_refused(root):
    change(root, "protocols/near.py", "from protocols import", "from . import")
    with pytest.raises(ValueError, match="relative"):
        digests(root)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_what_a_twin_imports_is_reached(framework):
    """All of a twin but its ladder; of the protocols nothing that only judges or plans."""
    found = {p for entry in ENTRIES.values() for p in reached(ROOT / f"impl_{framework}" / entry)}
    folder = ROOT / f"impl_{framework}"
    left = {p.name for p in folder.glob("*.py")} - {p.name for p in found if p.parent == folder}
    assert left == {"__init__.py", "parity.py"}
    names = {p.name for p in found if p.parent.name == "protocols"}
    assert {"training.py", "timing.py", "splits.py", "variants.toml", "manifest.csv.gz"} <= names
    assert not {"claims.toml", "recipes.toml", "profiles.toml", "parity.py", "matching.py"} & names


def test_source_digests_tell_the_twins_and_the_stages_apart():
    keras, torch = (made_by(f, "train")["sources"] for f in FRAMEWORKS)
    assert keras["protocols"] == torch["protocols"]
    assert keras["impl_keras"] != torch["impl_torch"]
    assert made_by("torch", "latency")["sources"] != torch


@pytest.mark.parametrize(
    ("name", "kind", "stale"),
    [
        ("protocols/training.py", "real", True),
        ("impl_torch/models.py", "real", True),
        ("protocols/download.py", "real", False),
        ("protocols/smear.py", "real", False),
        ("protocols/smear.py", "phantom", True),
    ],
)
def test_a_file_that_cannot_change_a_result_makes_no_run_stale(name, kind, stale):
    run = spec("torch", kind=kind)
    before = made_by("torch", "train")
    sources = {"sources": before["sources"] | {"protocols": "other"}}
    known = sources | {"modules": before["modules"] | {name: "other"}}
    assert changed(known, run) == [name] * stale
    del known["modules"][name]  # a file that wasn't there then
    assert changed(known, run) == [name] * stale
    assert changed(sources, run) == ["protocols"]  # of a time when files were not kept
    assert changed(before, run) == []
