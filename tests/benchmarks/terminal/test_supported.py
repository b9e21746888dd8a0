"""Where the suite can't run, it says so; and no address of a package registry stands in it."""

import ast
import os
import runpy
import subprocess
import sys

import pytest

from benchmarks.terminal import supported
from protocols.files import ROOT


def test_every_python_since_3_7_can_read_what_refuses_it():
    """The door asks benchmarks/terminal/supported.py first, and that asks for nothing of ours."""
    for name in ("runner.py", "benchmarks/__init__.py", "benchmarks/terminal/supported.py"):
        tree = ast.parse((ROOT / name).read_text(encoding="utf-8"), feature_version=(3, 7))
        top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        modules = {getattr(node, "module", None) or node.names[0].name for node in top}
        assert modules <= {"__future__", "argparse", "os", "sys", "typing"}, name
    (main,) = (n for n in ast.walk(ast.parse((ROOT / "runner.py").read_text(encoding="utf-8")))
               if isinstance(n, ast.FunctionDef) and n.name == "main")  # fmt: skip
    asked = [ast.unparse(n) for n in main.body if isinstance(n, ast.ImportFrom | ast.Expr)]
    assert asked[1:3] == [
        "from benchmarks.terminal.supported import refuse",
        "refuse(sys.argv[1:])",
    ]


@pytest.mark.parametrize(
    ("version", "words", "refused"),
    [
        ((3, 8, 20), ["--list"], "this is 3.8"),
        ((3, 10, 13), ["--help"], "this is 3.10"),
        ((3, 11, 0), ["--list"], ""),
        ((3, 13, 9), [], ""),
        ((3, 14, 0), [], "this is 3.14"),
        ((3, 14, 0), ["--plan", "--gpu", "none"], "Python 3.11 to 3.13"),
        ((3, 14, 0), ["--help"], ""),
    ],
)
def test_a_python_that_the_pins_are_not_for_is_refused(version, words, refused, monkeypatch):
    monkeypatch.setattr(sys, "version_info", version)
    why = supported.refusal(words)
    assert refused in why and bool(refused) == bool(why)


OURS = "benchmarks", "protocols"


@pytest.fixture
def unimported():
    """None of our modules is imported; afterwards those are that were, and no others: a second copy
    of protocols.errors would raise errors that nobody catches."""
    before = {n: m for n, m in sys.modules.items() if n.split(".")[0] in OURS}
    for name in before:
        del sys.modules[name]
    yield
    for name in [n for n in sys.modules if n.split(".")[0] in OURS]:
        del sys.modules[name]
    sys.modules.update(before)


@pytest.mark.parametrize("lacking", ["fcntl", "resource"])
def test_windows_is_refused_but_for_help(lacking, monkeypatch, capsys, unimported):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, lacking, None)
    for words in (["--list"], ["--plan", "--gpu", "none"], [], ["--validate"]):
        monkeypatch.setattr(sys, "argv", ["runner.py", *words])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / "runner.py"), run_name="__main__")
        assert ended.value.code == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and "win32" in err and "WSL 2" in err
    monkeypatch.setattr(sys, "argv", ["runner.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "runner.py"), run_name="__main__")
    assert ended.value.code == 0 and "--seeds" in capsys.readouterr().out


def test_the_makefile_asks_before_it_makes_the_environment(tmp_path):
    """By a Python of another version, which Python itself plays here."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nsys.version_info = (3, 14, 0, 'final', 0)\n", encoding="utf-8"
    )
    answer = subprocess.run(
        ["make", f"VENV={tmp_path}/venv", f"PYTHON=PYTHONPATH={tmp_path} {sys.executable}",
         f"{tmp_path}/venv/installed"],
        cwd=ROOT, env=os.environ | {"PIP_NO_INDEX": "1"}, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert answer.returncode == 2 and "this is 3.14" in answer.stderr
    assert not (tmp_path / "venv").exists() and "Making" not in answer.stdout


def test_the_readme_names_what_the_door_lets_in():
    first, last = supported.PYTHONS
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    every = [f"3.{minor}" for minor in range(first[1], last[1] + 1)]
    assert f"Python {', '.join(every[:-1])} or {every[-1]}" in text and "WSL 2" in text
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'requires-python = ">=3.{first[1]},<3.{last[1] + 1}"' in project


def pins(name):
    """The versions that a file of requirements pins, those of the files that it names included."""
    found, path = {}, ROOT / name
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["-r"]:
            found |= pins((path.parent / words[1]).resolve().relative_to(ROOT))
        elif words:
            package, version = words[0].split("==")
            found[package] = version
    return found


def test_an_environment_for_a_gpu_is_torch_jax_and_keras():
    cpu, gpu, copy = map(
        pins, ("requirements.txt", "requirements-gpu.txt", "tests/requirements-gpu-machine.txt")
    )
    gpu["jax"] = gpu.pop("jax[cuda13]")
    assert gpu.items() <= cpu.items() and {"torch", "jax", "keras"} <= gpu.keys()
    assert "tensorflow" in cpu and gpu.keys() == copy.keys()
    assert {"torch", "torchvision", "jax", "numpy"} == {n for n in gpu if gpu[n] != copy[n]}
    assert not [name for name in gpu if "tensorflow" in name]


HOSTS = ("pypi.", "pythonhosted.", "npmjs.", "anaconda.", "crates.", "proxy.golang.",
         "download.pytorch.", "rubygems.")  # fmt: skip


def test_no_address_of_a_package_registry_stands_here():
    """A name and a version suffice; which registry serves them is the reader's own setting."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True)
    names = listed.stdout.decode().split("\0")[:-1]
    if listed.returncode or not names:
        pytest.skip("no git here, so which files are the repository's isn't known")
    endings = tuple(f"{host}{end}".encode() for host in HOSTS for end in ("org", "com", "io"))
    read = [n for n in names if not n.endswith((".npz", ".gz"))]
    assert len(read) > 200
    found = {
        name: end
        for name in read
        if (ROOT / name).is_file()
        for end in endings
        if end in (ROOT / name).read_bytes()
    }
    assert found == {}
