"""The commit that a run records: information only."""

import subprocess

from benchmarks.processes.checkout import commit

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org")


def test_the_commit_is_named_with_what_is_not_committed(tmp_path):
    assert commit(tmp_path) == ""
    assert commit(tmp_path / "nowhere") == ""
    file = tmp_path / "a.py"
    file.write_text("1\n", encoding="utf-8")
    for words in (("init", "-q"), ("add", "a.py"), ("commit", "-q", "-m", "first")):
        subprocess.run([*GIT, *words], cwd=tmp_path, check=True)
    clean = commit(tmp_path)
    assert len(clean) == 40 and set(clean) <= set("0123456789abcdef")
    file.write_text("2\n", encoding="utf-8")
    assert commit(tmp_path) == f"{clean}-dirty"


def test_no_git_is_no_fault(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit() == ""
