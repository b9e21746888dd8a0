"""runner.py --report draws images where they are at hand, and says what needs them where not."""

import json

import pytest

from protocols import hardware
from tests.support.command import asked
from tests.support.pictured import image_folder, some_runs
from tests.support.reading import page_text

LACKING = "X: Liang's Fig. 3 and Fig. 4 need the images"
UNDRAWN = "X: the images themselves aren't drawn"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return some_runs(tmp_path_factory.mktemp("sent"))


@pytest.fixture(scope="module")
def images(runs, tmp_path_factory):
    return image_folder(runs, tmp_path_factory.mktemp("set"))


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    """Frameworks may be loaded here, so that no process is forked for the report."""
    monkeypatch.setattr(hardware, "cores", lambda: 1)


def pictures(out):
    return {
        path.name: json.loads(path.read_text(encoding="utf-8"))
        for path in out.glob("*-pictures.json")
    }


@pytest.mark.parametrize("how", ["WBC_DATA", "--data"])
def test_a_report_of_runs_sent_draws_the_images_at_hand(how, runs, images, tmp_path):
    out, cache = tmp_path / "out", tmp_path / "cache"
    words = ["--report", "--from", runs.out, "--out", out, "--cache", cache]
    if how == "WBC_DATA":
        answer = asked(*words, WBC_DATA=str(images))
    else:
        answer = asked(*words, "--data", images)
    assert answer.returncode == 0, answer.stderr
    found, looks = pictures(out), page_text(out / "liang.html")
    assert len(found["photograph-pictures.json"]) > 4
    assert {"TEST", "BloodImage_"} == {
        name[: 11 if name[0] == "B" else 4] for name in found["wrong-pictures.json"]
    }
    assert LACKING not in looks
    for figure in ("Fig. 3", "Fig. 4"):
        assert f"After Liang's {figure}" in looks
    text = page_text(out / "errors.html")
    assert UNDRAWN not in text
    drawn = [name for name in found["wrong-pictures.json"] if name.startswith("TEST")]
    assert text.count("<symbol ") >= len(drawn) > 0


def test_without_the_images_a_report_says_what_needs_them(runs, tmp_path):
    words = ["--report", "--from", runs.out, "--out", tmp_path / "out", "--cache", tmp_path / "c"]
    wrong = asked(*words, WBC_DATA=str(tmp_path))  # a report needs no images
    assert wrong.returncode == 0 and "no pictures of images" in wrong.stdout
    assert LACKING in page_text(tmp_path / "out" / "liang.html")
    text = page_text(tmp_path / "out" / "errors.html")
    assert UNDRAWN in text and "<symbol" not in text
    named = asked(*words, "--data", tmp_path)
    assert named.returncode == 2 and "does not hold the images" in named.stderr
