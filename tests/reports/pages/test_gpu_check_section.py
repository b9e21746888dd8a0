"""A GPU's first ten minutes on the speed page: shown only where their file is."""

import json
import re

import pytest

from reports.pages import measured_file
from reports.pages.speed import gpu_check
from tests.support.reading import Tables, made, page_text


def number(median, count=2, unit="s"):
    return {"unit": unit, "median": median, "low": 0.9 * median, "high": 1.2 * median,
            "count": count}  # fmt: skip


def part(name, framework="", variant="", **words):
    own = {"part": name, "framework": framework, "variant": variant, "state": "done"}
    return own | {"reason": ""} | words


def made_up():
    """A JSON as `make gpu-check` writes it."""
    steps = {"phase 1, step": number(0.002), "phase 2, step": number(0.1)}
    folds = {"phase 1, step": number(0.03)}
    answers = {"single": number(0.004), "batch32": number(0.02), "cold": number(9.0, 1)}
    counts = {"passed": 13, "failed": 1, "skipped": 2}
    row = {"runs": 3, "phases": [360.0, 7200.0], "rest": 40.0, "seconds": 7600.0}
    unknown = {"runs": 3, "phases": [], "rest": None, "seconds": None}
    return {
        "schema": 1,
        "about": {
            "commit": "0123456789abcdef", "device": "NVIDIA X <100>", "processor": "P", "cores": 16,
            "versions": {"torch": "2.11.0"}, "profile": "paper", "images": 512, "epochs": 3,
        },
        "written": "2026-01-02T03:04:05+00:00",
        "parts": [
            part("tests", numbers={k: number(v, 1, "tests") for k, v in counts.items()},
                 failures=["tests.twins.test_gpu.test_folds: AssertionError: no"]),
            part("steps", "torch", "xception", numbers=steps),
            part("steps", "keras", "xception", state="failed", reason="out of memory"),
            part("folds", "torch", "cnn_gru", numbers=folds, together=30),
            part("answers", "torch", "xception", numbers=answers),
            part("answers", "keras", "xception",
                 numbers=answers | {"other work": number(0.5, 1, "cores")}),
        ],
        "projection": {
            "profile": "paper",
            "rows": [
                {"variant": "xception", "framework": "torch", "stage": "train"} | row,
                {"variant": "xception", "framework": "keras", "stage": "train"} | unknown,
                {"variant": "xception", "framework": "torch", "stage": "latency"} | unknown,
            ],
            "seconds": 7600.0,
            "lacking": 2,
        },
        "estimates": [],
    }  # fmt: skip


@pytest.fixture(autouse=True)
def unpublished(monkeypatch, tmp_path):
    monkeypatch.setattr(measured_file, "PUBLISHED", tmp_path / "none")


def speed_page(out, content=None):
    if content is not None:
        text = content if isinstance(content, str) else json.dumps(content)
        (out / gpu_check.NAME).write_text(text, encoding="utf-8")
    made(out, [], "speed.html")
    return page_text(out / "speed.html")


def test_the_page_shows_what_was_measured_and_what_failed(tmp_path):
    page = speed_page(tmp_path, made_up())
    tables = Tables(page)
    (steps,) = [row for row in tables.find("A step of training") if row[0] == "Xception"]
    assert steps[1:3] == ["X | failed"] * 2
    assert steps[3:] == ["2.00\u202fms | 1.80 – 2.40", "100\u202fms | 90.0 – 120"]
    (answers,) = [row for row in tables.find("An answer") if row[0] == "Xception"]
    assert (
        answers[1].startswith("4.00\u202fms \u2021") and answers[4] == "4.00\u202fms | 3.60 – 4.80"
    )
    (folds,) = [row for row in tables.find("A step of folds") if row[0] == "CNN-GRU"]
    assert folds == ["CNN-GRU", "– | not measured", "30.0\u202fms | 27.0 – 36.0, 30 together"]
    hours = tables.find("Hours of training")
    assert ["Xception", "3", "–", "–", "X | not measured", "3", "0.10", "2.00", "2.11"] in hours
    assert hours[-1][-1] == "2.11" and hours[-1][4] == "X | without 1\u00a0network"
    text = re.sub(r"<[^>]+>", "", page)
    assert "NVIDIA X &lt;100&gt;; networks and sizes of the profile paper" in text
    assert "13 passed, 1 failed, 2 skipped; tests.twins.test_gpu.test_folds." in text
    assert "Failed: steps keras xception: out of memory" in text
    assert 'href="gpu-check.json"' in page


def test_without_the_file_the_page_is_as_it_was(tmp_path):
    first, second = tmp_path / "without", tmp_path / "with"
    first.mkdir(), second.mkdir()
    without, shown = speed_page(first), speed_page(second, made_up())
    start = shown.index('<h2 id="gpu-check">')
    end = shown.index('<h2 id="benchmarks">')
    assert 'id="gpu-check"' not in without
    assert (
        without[without.index("<main") :] == (shown[:start] + shown[end:])[shown.index("<main") :]
    )


@pytest.mark.parametrize("fault", ["{", '{"schema": 2}', "nothing"])
def test_a_damaged_file_becomes_a_sentence(tmp_path, fault):
    page = speed_page(tmp_path, made_up() | {"parts": []} if fault == "nothing" else fault)
    if fault == "nothing":
        assert "Hours of training" in page
    else:
        assert "The stored gpu-check.json can't be read" in page and "make gpu-check" in page
