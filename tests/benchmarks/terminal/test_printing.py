"""Paths that are no text, and terminals that lack letters."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from protocols import files
from protocols.files import ROOT
from protocols.runs.worker_loop import Job

STRANGE = b"caf\xe9 \xff"
PLAIN = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
TERMINALS = {
    "UTF-8": {"LC_ALL": "C.UTF-8"},
    "strict UTF-8": {"PYTHONIOENCODING": "utf-8:strict"},
    "ASCII": PLAIN | {"LC_ALL": "C", "PYTHONIOENCODING": "ascii:strict"},
    "Latin-1": PLAIN | {"LC_ALL": "C", "PYTHONIOENCODING": "latin-1:strict"},
    "EUC-JP": PLAIN | {"LC_ALL": "C", "PYTHONIOENCODING": "euc-jp:strict"},
}


def run(*words, **more):
    env = {k: v for k, v in os.environ.items() if k not in ("WBC_DATA", "KERAS_BACKEND")}
    return subprocess.run(words, cwd=ROOT, env=env | more, capture_output=True, timeout=120)


@pytest.mark.parametrize("terminal", ["strict UTF-8", "ASCII"])
def test_a_plan_and_a_refusal_print_a_path_that_is_no_text(tmp_path, terminal):
    """As its bytes, in sentences too."""
    place, terminal = os.fsencode(tmp_path) + b"/" + STRANGE, TERMINALS[terminal]
    (Path(os.fsdecode(place)) / "images/TRAIN").mkdir(parents=True)
    words = [sys.executable, "runner.py", "--plan", "--gpu", "none", "--cache", place]
    answer = run(*words, "--data", place, "--out", place, **terminal)
    assert answer.returncode == 2 and b"Traceback" not in answer.stderr
    assert STRANGE + b" (--data DIR)" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
    answer = run(*words, "--data", "phantom", "--suite", "\u3042\u00e9\U0001f9a0", **terminal)
    assert answer.returncode == 2 and b"Traceback" not in answer.stderr
    assert b"unknown suite" in answer.stderr


SAY = """
import sys
from protocols.streams import print_anything
print_anything()
print(sys.argv[1], chr(0x3042), chr(0xe9), chr(0xdc00), chr(0xd800))
print(sys.argv[1], file=sys.stderr)
"""


@pytest.mark.parametrize("terminal", TERMINALS.values(), ids=TERMINALS.keys())
def test_any_text_can_be_printed(terminal):
    answer = run(sys.executable, "-c", SAY, STRANGE, **terminal)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith(STRANGE) and answer.stderr.rstrip(b"\n") == STRANGE
    assert b"\\udc00 \\ud800" in answer.stdout


def test_a_closed_stdout_is_no_error():
    code = "from protocols.streams import print_anything; print_anything()"
    command = f"{sys.executable} -c '{code}' >&- 2>&-"
    assert run("sh", "-c", command).returncode == 0


def test_a_page_with_such_a_path_is_written(tmp_path):
    out = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + STRANGE))
    out.mkdir()
    files.write(out / "index.html", f"<p>{out} \u3042")
    assert "\\udce9 \\udcff \u3042" in (out / "index.html").read_text(encoding="utf-8")


def test_a_job_brings_such_a_path_to_its_worker():
    place = Path(os.fsdecode(b"/" + STRANGE))
    job = Job(place, place, place, place, place)
    found = Job.from_dict(json.loads(json.dumps(job.to_dict())))
    assert (found.images, found.folder, found.cache) == (place, place, place)


LOCALES = (("de_DE", "ISO-8859-1"), ("ja_JP", "EUC-JP"))


@pytest.mark.parametrize(("language", "charset"), LOCALES, ids=[one[1] for one in LOCALES])
def test_another_locale_writes_and_reads_the_same_page(tmp_path, language, charset):
    """A page's style, script and letters, made under a locale that isn't UTF-8."""
    if not shutil.which("localedef") or not Path("/usr/share/i18n/charmaps").is_dir():
        pytest.skip("localedef can't make a locale here")
    name = f"{language}.{charset}"
    made = run("localedef", "-i", language, "-f", charset, str(tmp_path / name))
    assert (tmp_path / name).is_dir(), made.stderr
    code = (
        "import sys; from pathlib import Path; from protocols.files import write;"
        "from reports.pages import menu;"
        "import locale; print(locale.getpreferredencoding());"
        "from protocols.streams import print_anything; print_anything();"
        "out = Path(sys.argv[1]); loader = menu.engine().loader;"
        "read = [loader.get_source(None, name)[0] for name in loader.list_templates()];"
        "text = ''.join([*menu.inline().values(), *read]);"
        "write(out, text); print(out)"
    )
    for place, env in (("other", {"LC_ALL": name, "LOCPATH": str(tmp_path)}), ("utf", {})):
        answer = run(sys.executable, "-c", code, str(tmp_path / place), **env, **PLAIN)
        assert answer.returncode == 0, answer.stderr
        assert (charset.encode() in answer.stdout) == (place == "other")
    assert (tmp_path / "other").read_bytes() == (tmp_path / "utf").read_bytes()
