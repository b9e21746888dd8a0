"""Whatever words, folders, streams and users come: one sentence, or the work is done."""

import errno
import os
import pwd
import resource
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import runner as door
from benchmarks.launch import launcher as launch
from benchmarks.launch import worker
from benchmarks.launch.worker import LatencyProcess, Worker, environment, keeping
from benchmarks.parity import climb
from benchmarks.planning import overrides, ranges
from benchmarks.planning.plan import Selection, make_plan
from benchmarks.processes.children import KEPT, common
from benchmarks.store.store import Store
from benchmarks.terminal import flags
from benchmarks.terminal.console import Console
from protocols import files
from protocols.errors import RequestError
from protocols.files import ROOT
from protocols.images import dataset
from protocols.papers.papers import load_papers
from protocols.runs.worker_loop import Job
from reports.build import where_it_is
from tests.support.devices import CPU

LONG, NAME = "/x" * 2100, "y" * 300
TWO = "a\nb\x1b[31m"  # two lines of a terminal
SEEDS = "--seeds: takes numbers as 0,1,2 or a range as 0-2: a whole number from 0 to 4294967295"
PATH = "takes a path of"


def said(words, capsys, monkeypatch):
    """Exit code, standard output and standard error of a command line."""
    monkeypatch.setattr(sys, "argv", ["runner.py", *map(str, words)])
    try:
        code = door.main()
    except SystemExit as ended:
        code = ended.code
    return code, *capsys.readouterr()


@pytest.fixture
def clean(monkeypatch, tmp_path):
    """No word comes from the environment."""
    for name in ("WBC_DATA", "KERAS_BACKEND", "XDG_CACHE_HOME", "MPLCONFIGDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path))  # is set anew, and then as it was


# numbers and names

WRONG = [
    *((["--gpu", n], "--gpu: takes auto, none, all, all:NAME or a whole number from 0 to 999")
      for n in ("²", "٣", "99999999999999999999", "9" * 5000, "-1", "+1", "1_0", "", "0x1")),
    *((["--seeds", n], SEEDS)
      for n in ("-1", "²", "99999999999999999999", "4294967296", "9" * 5000, "1_0", "0-", TWO)),
    *((["--seeds", n], "1 to 1000 of them") for n in ("0-4000000000", "2-0", "0-999,1000-1001")),
    *((["--folds", n, "--suite", "jane"], "no fold 1") for n in ("10", "0-10", "1000000000")),
    *((["--jobs", n], "--jobs: takes a whole number from 1 to 256, not")
      for n in ("0", "-2", "257", "9" * 5000, "²", " 2")),
    *(([flag, TWO], r"a\nb\x1b[31m")
      for flag in ("--suite", "--variant", "--protocol", "--profile", "--init", "--precision",
                   "--framework", "--data", "--set", "--gpu", "--fresh")),
    ([TWO], r"unrecognized arguments: a\nb\x1b[31m"),
    (["--set", f"{TWO}=1"], r"a\nb\x1b[31m' can't be set"),
    *(([flag, path], f"{flag}: {PATH}")
      for flag in ("--data", "--weights", "--cache", "--out", "--from") for path in (LONG, NAME)),
    *(([flag, word], f"{flag}: takes the path of a folder, not")
      for flag in ("--data", "--weights", "--cache", "--out", "--from") for word in ("", "a\0b")
      if (flag, word) != ("--weights", "")),
    (["--compare", LONG, LONG], f"--compare: {PATH}"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "sentence"), WRONG, ids=lambda w: ascii(w)[:50])
def test_a_wrong_word_gets_one_sentence(words, sentence, clean, capsys, monkeypatch, tmp_path):
    base = ["--plan"] if "--compare" not in words else []
    base += ["--gpu", "none"] if "--gpu" not in words else []
    base += ["--out", tmp_path / "out", "--cache", tmp_path / "cache"]
    code, out, err = said([*base, *words], capsys, monkeypatch)
    assert code == 2 and out == ""
    assert sentence in err and err.endswith("\n") and err[:-1].isprintable()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("WBC_DATA", LONG, f"WBC_DATA {PATH}"),
        ("WBC_DATA", NAME, f"WBC_DATA {PATH}"),
        ("WBC_DATA", TWO, r"a\nb\x1b[31m (WBC_DATA) does not hold"),
        ("XDG_CACHE_HOME", LONG, f"XDG_CACHE_HOME {PATH}"),
        ("HOME", LONG, f"HOME {PATH}"),
        ("KERAS_BACKEND", TWO, r"KERAS_BACKEND is 'a\nb\x1b[31m'"),
    ],
    ids=lambda w: ascii(w)[:30],
)
def test_the_environment_s_words_too(name, value, sentence, clean, capsys, monkeypatch):
    monkeypatch.setenv(name, value)
    code, out, err = said(["--plan", "--gpu", "none"], capsys, monkeypatch)
    assert (code, out) == (2, "")
    assert sentence in err and err[:-1].isprintable()


def test_seeds_and_folds_come_as_lists_and_ranges():
    args = flags.parser().parse_args(["--seeds", "5,0-2,1", "--folds", "0-9"])
    assert (args.seeds, args.folds) == ((5, 0, 1, 2), tuple(range(10)))
    assert flags.parser().parse_args(["--seeds", "4294967295"]).seeds == (2**32 - 1,)
    assert len(ranges.numbers("0-999", 0, 10**6)) == 1000


def test_every_value_that_can_be_set_has_its_range():
    """Both ends are planned, and what lies beyond is refused."""
    below, above = {int: -1, float: -1e-9}, {int: 1, float: 0}  # below: itself not allowed
    for paper in load_papers():
        for key in overrides.settable(paper):
            kind = type(overrides.load_recipe(paper)[key].value)
            if kind not in below:
                continue
            least, most = (ranges.WHOLE if kind is int else ranges.REAL)[key]
            assert overrides._value(paper, key, str(least)) == least
            beyond = [str(least + below[kind]), str(most + above[kind]), "1" + 23 * "0", "1e400"]
            for text in [*beyond, "nan", "²", "", "-0", TWO]:
                with pytest.raises(RequestError) as refused:
                    overrides._value(paper, key, text)
                sentence = f"--set {key}= takes a"
                assert str(refused.value).startswith(sentence), (key, text)


def test_a_working_directory_that_was_deleted(clean, capsys, monkeypatch, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    words = ["--plan", "--gpu", "none", "--cache", tmp_path / "cache", "--out"]
    code, _, err = said([*words, "here"], capsys, monkeypatch)
    assert code == 2 and "the working directory was deleted" in err and err.count("\n") == 1
    assert said([*words, tmp_path / "out"], capsys, monkeypatch)[0] == 0


# users, folders and what children are given


@pytest.fixture
def homeless(monkeypatch, clean):
    """A user id that the system doesn't know, as in a container, and no HOME."""

    def unknown(*_):
        raise KeyError("uid not found")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_a_user_without_a_home_needs_a_cache_and_no_more(homeless, capsys, monkeypatch, tmp_path):
    words = ["--plan", "--gpu", "none", "--out", tmp_path]
    code, _, err = said(words, capsys, monkeypatch)
    assert code == 2 and "no home folder" in err and "--cache DIR" in err and err.count("\n") == 1
    assert said([*words, "--cache", tmp_path / "cache"], capsys, monkeypatch)[0] == 0
    assert said(["--list"], capsys, monkeypatch)[0] == 0


class Started(Exception):
    """A process would have been started."""


@pytest.fixture
def start_of(monkeypatch):
    """The environment in which `call` would start a process."""

    def seen(module, call):
        def started(*_, env, **__):
            raise Started(env)

        monkeypatch.setattr(module.subprocess, "Popen", started)
        with pytest.raises(Started) as found:
            call()
        return found.value.args[0]

    return seen


def test_the_cache_that_was_named_is_the_only_one(homeless, start_of, monkeypatch, tmp_path):
    cache, spec = tmp_path / "cache", make_plan(Selection(), "phantom", CPU, 2)[-1]
    job = Job(tmp_path, tmp_path, tmp_path, cache, tmp_path)
    launcher = launch.Launcher(
        Store(tmp_path), None, CPU, cache, Console(), 1
    )  # its worker is started below
    ways = (
        (worker, lambda: launcher._worker_for(spec, None)),
        (worker, lambda: LatencyProcess(spec, CPU[spec.framework], job, "cold")),
        (climb, lambda: climb.start(tmp_path, cache=cache)),
    )
    for module, call in ways:
        env = start_of(module, call)
        for name, folder in KEPT.items():
            assert env[name] == str(cache / folder), name
    with pytest.raises(RequestError, match="--cache DIR"):
        Worker("torch", CPU["torch"], 1)


def test_what_xla_compiled_serves_later_workers_and_no_cold_start(monkeypatch, tmp_path):
    name = "JAX_COMPILATION_CACHE_DIR"
    monkeypatch.setenv(name, "/elsewhere")
    gpu = launch.Device("jax", "NVIDIA X", 0)
    variables = environment(gpu, 1, cache=tmp_path)
    assert keeping(tmp_path / "jax").items() <= variables.items()
    assert name not in environment(gpu, 1, keep_compiled=False, cache=tmp_path)


def test_the_python_path_of_a_child_keeps_what_was_there(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for given, kept in (("/a::b", ["/a", str(tmp_path), str(tmp_path / "b")]), ("", [])):
        monkeypatch.setenv("PYTHONPATH", given)
        assert common(tmp_path)["PYTHONPATH"].split(os.pathsep) == [str(ROOT), *kept]
    monkeypatch.delenv("PYTHONPATH")
    assert environment(CPU["torch"], 1, cache=tmp_path)["PYTHONPATH"] == str(ROOT)


def test_a_python_that_adds_no_folder_to_its_path(tmp_path):
    words = [sys.executable, "-P", ROOT / "runner.py", "--list"]
    bare = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    answer = subprocess.run(words, cwd=tmp_path, env=bare, capture_output=True, encoding="utf-8")
    assert answer.returncode == 0, answer.stderr


# full disks, limits, closed streams


@pytest.mark.parametrize("code", flags.BY_THE_SYSTEM, ids=errno.errorcode.get)
def test_what_the_system_refuses_gets_one_sentence(code, clean, monkeypatch, capsys, tmp_path):
    def refused(*_):
        raise OSError(code, os.strerror(code), str(tmp_path / "a\nb"))

    monkeypatch.setattr(door, "run", refused)
    found, _, err = said(["--gpu", "none"], capsys, monkeypatch)
    assert found == 2 and os.strerror(code) in err and err.count("\n") == 1


def test_a_path_with_a_line_end_stays_on_its_line(clean, monkeypatch, capsys, tmp_path):
    odd = tmp_path / TWO
    odd.mkdir()
    words = ["--plan", "--gpu", "none", "--cache", odd, "--out", odd, "--weights", odd]
    source = dataset.Source("real", odd, how="--data DIR")
    monkeypatch.setattr(dataset, "locate", lambda *_, **__: source)
    monkeypatch.setattr("benchmarks.launch.pending.check_images", lambda *_: None)
    code, out, _ = said(words, capsys, monkeypatch)
    assert code == 0
    assert sum(r"a\nb\x1b[31m" in line for line in out.splitlines()) == 2  # weights, images
    assert where_it_is(odd).isprintable()


def test_a_limit_on_the_size_of_files(clean, monkeypatch, capsys, tmp_path):
    """`ulimit -f`: Python ignores the signal, and writing fails."""

    def run(args, _):
        Store(args.out).remember(make_plan(Selection(), "phantom", CPU, 2))

    monkeypatch.setattr(door, "run", run)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        code, _, err = said(["--gpu", "none", "--out", tmp_path], capsys, monkeypatch)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 2 and "File too large" in err and str(tmp_path) in err and err.count("\n") == 1


WORK = """
import os, sys
import runner
def run(args, console):
    with open(args.out, "w", encoding="utf-8") as file:
        console.progress("work", 1, 2)
        console.end()
        print("an error", file=sys.stderr)
        os.system("echo a child; echo its error >&2")
        file.write("whole")
    return 0
runner.run = run
sys.exit(runner.main())
"""


@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_cost_nothing_but_what_goes_there(closed, tmp_path):
    """What is opened next doesn't get their numbers, so that nothing is printed into it."""
    out = tmp_path / "file"
    words = [sys.executable, "-c", WORK, "--gpu", "none", "--out", str(out)]
    answer = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *words],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert out.read_text(encoding="utf-8") == "whole"
    assert "its error" not in answer.stdout
    assert bool(answer.stdout) == (closed == "2>&-") and bool(answer.stderr) == (closed == ">&-")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_under_what_is_printed():
    usual = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    with open("/dev/full", "w", encoding="utf-8") as full:
        answer = subprocess.run(
            [sys.executable, ROOT / "runner.py", "--list"],
            stdout=full, stderr=subprocess.PIPE, env=usual, encoding="utf-8",
        )  # fmt: skip
    assert answer.returncode == 2
    assert "No space left" in answer.stderr and answer.stderr.count("\n") == 1


def test_a_package_that_is_not_installed(clean, monkeypatch, capsys):
    def lacks(name):
        def run(*_):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

        return run

    monkeypatch.setattr(door, "run", lacks("benchmarks.gone"))
    with pytest.raises(ModuleNotFoundError):  # ours: a fault of the suite
        said([], capsys, monkeypatch)
    monkeypatch.setattr(door, "run", lacks("tqdm"))
    code, _, err = said([], capsys, monkeypatch)
    assert code == 2 and "lacks the package tqdm" in err and err.count("\n") == 1


def test_the_usual_cache_is_the_user_s(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert files.default_cache() == tmp_path / "wbc-reproduction-benchmark"


@pytest.mark.parametrize(
    ("words", "said_of_it"),
    [
        (["--seeds", "0-2"], "what was done is kept; to go on, type: "),
        (["--fresh", "stale"], "what was done is kept; to go on, type: "),
        (["--fresh"], "to begin again, type: "),
    ],
)
def test_an_interruption_says_what_to_type(words, said_of_it, clean, monkeypatch, capsys, tmp_path):
    def run(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(door, "run", run)
    words = [*words, "--out", str(tmp_path / "two words")]
    typed = ["python3", "runner.py", *words]
    monkeypatch.setattr(sys, "orig_argv", typed)
    code, _, err = said(words, capsys, monkeypatch)
    assert code == 130 and err.startswith(f"runner.py: interrupted; {said_of_it}python3 runner.py")
    assert shlex.split(err.split("type: ")[1]) == typed
