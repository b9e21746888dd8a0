"""Records an output folder's runs under reports/published/, and what the documents say of them.

python -m reports.readme            # writes the README's findings and the page of recorded runs
python -m reports.readme DIR NAME   # takes the runs in DIR into reports/published/NAME first
"""

import json
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.store.merge import merge
from benchmarks.store.store import Store
from protocols.files import ROOT
from protocols.papers.papers import load_papers
from protocols.spec import FRAMEWORKS
from reports import recorded_folds
from reports.cells.answers import Answers, accuracies, answers, photographs
from reports.cells.collect import collect
from reports.data import results
from reports.figures import errors
from reports.figures.drawing import standalone
from reports.pages.audit import page as audit
from reports.recorded_folds import NOT_RECORDED, OWN_HEADS
from reports.tables.formats import NAMES, number_text, points, title

README = ROOT / "README.md"
RECORDED = ROOT / "docs" / "recorded-runs.md"
PUBLISHED = ROOT / "reports" / "published"
PICTURE = PUBLISHED / "photographs.svg"
SETTING = "laptop-real-imagenet-cpu-float32"
SMALL = ("efficientnet_lite0", "efficientnet_lite0_lstm")
HEADS = ("efficientnet_lite0_cnn_lstm", "efficientnet_lite0_cnn_gru")
OWN = ("xception", "xception_lstm")  # networks of a paper
SELECTED, LAST, DIFFERENCE = "selected", "last", "difference"
BELOW = "test images both frameworks get "  # the words below the picture go on with the numbers
POINTS = "95 % interval on new photographs, points"


class Row(NamedTuple):
    """What a row of the tables of recorded runs shows, of which networks, under which protocol,
    with which change of a value (as in the id of a setting)."""

    what: str
    networks: tuple[str, ...]
    protocol: str = "fixed"
    change: str = ""


ROWS = {
    "Xception, 2,487 test images": Row(SELECTED, OWN[:1]),
    "Xception-LSTM": Row(SELECTED, OWN[1:]),
    f"Xception-LSTM minus Xception, {POINTS}": Row(DIFFERENCE, OWN[::-1]),
    "Xception / Xception-LSTM, last epoch": Row(LAST, OWN),
    "CNN-LSTM over Xception, 10 folds": Row(SELECTED, OWN_HEADS[:1], "cv10"),
    "CNN-GRU over Xception, 10 folds": Row(SELECTED, OWN_HEADS[1:], "cv10"),
    f"CNN-LSTM minus CNN-GRU, {POINTS}": Row(DIFFERENCE, OWN_HEADS, "cv10"),
    "CNN-LSTM / CNN-GRU over Xception, last epoch": Row(LAST, OWN_HEADS, "cv10"),
    "alone, 2,487 test images": Row(SELECTED, SMALL[:1]),
    "with an LSTM over the rows": Row(SELECTED, SMALL[1:]),
    f"difference, {POINTS}": Row(DIFFERENCE, SMALL[::-1]),
    "alone / with the LSTM, last epoch": Row(LAST, SMALL),
    "alone, label smoothing 0": Row(SELECTED, SMALL[:1], change="-label-smoothing-0-0"),
    "alone, label smoothing 0, last epoch": Row(LAST, SMALL[:1], change="-label-smoothing-0-0"),
    "CNN-LSTM, 10 folds": Row(SELECTED, HEADS[:1], "cv10"),
    "CNN-GRU, 10 folds": Row(SELECTED, HEADS[1:], "cv10"),
    "difference": Row(DIFFERENCE, HEADS, "cv10"),
    "CNN-LSTM / CNN-GRU, last epoch": Row(LAST, HEADS, "cv10"),
}


def take(out: Path, name: str) -> int:
    """Records the finished runs of `out` under `name`, in place of stale ones, and returns how many
    were copied; what `out` has still to make is not recorded as planned. Raises RequestError as
    `merge` does."""
    store = Store(PUBLISHED / name)
    taken = merge([out], store)
    there = {run.spec.id for run in store.runs()}
    store.remember([spec for spec in store.plan() if spec.id in there])
    for aside in store.runs_folder.glob(".*.old*"):
        shutil.rmtree(aside)
    return taken


def numbers() -> dict[str, dict]:
    """Returns the records of cells and comparisons, as results.json has them, of the runs recorded
    with profile laptop, by id."""
    store = Store(PUBLISHED / "laptop")
    found = json.loads(results.as_json(results.document(collect(store, store.plan()))))
    return {one["id"]: one for one in (*found["cells"], *found["comparisons"])}


def row(name: str, known: dict[str, dict]) -> str:
    """Writes a row of the tables of recorded runs; `known` is what `numbers` returns."""
    asked, cells = ROWS[name], []
    for framework in FRAMEWORKS:
        place = f"{SETTING}{asked.change}/{asked.protocol}/{framework}"
        found = [known.get(f"{place}/{network}") for network in asked.networks]
        lacking = [reached(one) for one in found if one is None or one["lack"]]
        if not any(found):
            cells.append(NOT_RECORDED)
        elif asked.what != DIFFERENCE:
            cells.append(" / ".join(reached(one, asked.what) for one in found))
        elif lacking:
            cells.append(", ".join(dict.fromkeys(lacking)))
        else:
            cells.append(difference(known[f"{place}/{'-'.join(asked.networks)}"]))
    return f"| {name} | {' | '.join(cells)} |"


def reached(cell: dict | None, at: str = SELECTED) -> str:
    """Writes the accuracy of a cell at a point of the schedule, or what it lacks."""
    if cell is None or cell["lack"]:
        return NOT_RECORDED if cell is None else cell["lack"]
    return number_text("accuracy", cell["numbers"][at]["accuracy"]["value"]).replace("\u202f", " ")


def difference(found: dict) -> str:
    """Writes a difference of two networks in points, with its interval in brackets."""
    low, high = (found["linearised"][end] for end in ("low", "high"))
    between = f"{points(low)} to {points(high)}".replace("+", "")
    return f"{points(found['means'][SELECTED]['accuracy']['value'])} ({between})"


@cache
def recorded_answers() -> dict[str, Answers]:
    """Returns by twin what the recorded CNN of profile laptop answered on the test images."""
    store = Store(PUBLISHED / "laptop")
    wanted = [s for s in store.plan() if (s.variant, s.stage) == (SMALL[0], "train")]
    (group,) = (g for g in collect(store, wanted).groups if g.setting.slug == SETTING)
    said = {f: answers(group.cells[f, SMALL[0]]) for f in FRAMEWORKS}
    return {framework: one for framework, one in said.items() if one is not None}


def picture() -> str:
    """Draws the accuracy on each test photograph, in both twins, as the text of an SVG file."""
    drawing = errors.by_photograph("photo", title(SMALL[0]), accuracies(recorded_answers()))
    return standalone(drawing.svg)


def wrong_in_both() -> tuple[int, int, int, int]:
    """Returns four counts: the test images that both twins get wrong, those of them that show the
    three photographs with the most, all test images, and the photographs that these show."""
    keras, torch = recorded_answers().values()
    shown = photographs(keras.ids)
    _, counts = np.unique(shown[~keras.right & ~torch.right], return_counts=True)
    return int(counts.sum()), int(np.sort(counts)[-3:].sum()), len(shown), len(np.unique(shown))


def words() -> str:
    """Returns the words that stand below the picture, after `BELOW`."""
    both, three, _, _ = wrong_in_both()
    return f"{both} wrong, and {three} of those show"


def contrasts(known: dict[str, dict], protocol: str, first: str, second: str) -> dict[str, dict]:
    """Returns the comparison of two networks by twin, of the twins that have both recorded."""
    keys = {f: f"{SETTING}/{protocol}/{f}/{first}-{second}" for f in FRAMEWORKS}
    return {f: known[key] for f, key in keys.items() if key in known}


def in_twins(found: dict[str, str]) -> str:
    """Writes texts by twin: "a in Keras and b in PyTorch"."""
    return " and ".join(f"{text} in {NAMES[framework]}" for framework, text in found.items())


def findings(known: dict[str, dict]) -> dict[str, str]:
    """Returns what the README says was found: for the first words of a line, the rest of it."""
    audited = audit.said([one for of_paper in audit.findings().values() for one in of_paper])
    both, three, tests, shown = wrong_in_both()
    pairs = ("fixed", *reversed(OWN)), ("fixed", *reversed(SMALL)), ("cv10", *HEADS)
    asked = [contrasts(known, *pair) for pair in pairs]
    own, small, heads = (in_twins({f: difference(c) for f, c in of.items()}) for of in asked)
    ends = [one["linearised"] for of in asked for one in of.values()]
    every = (
        "each contains 0, so no difference is shown"
        if all(e["low"] <= 0 <= e["high"] for e in ends)
        else "not all contain 0"
    )
    plain, with_lstm = (
        in_twins({f: reached(known[f"{SETTING}/fixed/{f}/{name}"]) for f in asked[0]})
        for name in OWN
    )
    claims = [recorded_folds.accuracy_claim(name) for name in OWN]
    author = load_papers()[claims[0].paper].author
    return {
        "- **Printed numbers.**": audited,
        "- **An LSTM beside the CNN.**": f"{author} prints {claims[0].printed} % for Xception "
        f"and {claims[1].printed} % with the LSTM. On images of half the size and with fewer "
        f"epochs, Xception reaches {plain}, and {with_lstm} with the LSTM, which adds {own}. "
        f"Beside the smaller EfficientNet-Lite0 the LSTM adds {small}; there CNN-LSTM minus "
        f"CNN-GRU is {heads}. Each is of one seed, in points of accuracy; in brackets stand 95 % "
        f"intervals on new photographs; {every}.",
        "- **Test images.**": f"Each of the {tests:,} shows one of {shown} photographs. Of the "
        f"{both} that EfficientNet-Lite0 gets wrong in both frameworks, {three} show three of "
        "these photographs.",
        "- **The learning rate of 0.01.**": recorded_folds.printed_rate(),
        "- **Copies in the folds.**": recorded_folds.copies(),
    }


def readme(text: str, known: dict[str, dict]) -> str:
    """Returns the README's `text` with the findings as they are now. Raises ValueError where a
    finding has no line, or several."""
    lines = text.split("\n")
    for start, sentence in findings(known).items():
        (number,) = [n for n, line in enumerate(lines) if line.startswith(start)]
        lines[number] = f"{start} {sentence}"
    return "\n".join(lines)


def recorded(text: str, known: dict[str, dict]) -> str:
    """Returns the page of the recorded runs with the tables' rows and the picture's words as
    they are now. Raises ValueError where the words have no place, or several."""
    if text.count(BELOW) != 1:
        raise ValueError(f"the page of the recorded runs doesn't say {BELOW!r} once")
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if (name := line.removeprefix("| ").split(" | ")[0]) in ROWS:
            lines[number] = row(name, known)
        elif name in recorded_folds.ROWS:
            lines[number] = recorded_folds.row(name)
        elif name in recorded_folds.FOLD_ROWS:
            lines[number] = recorded_folds.fold_row(name)
        elif BELOW in line:
            before, after = line.split(BELOW)
            end = after.index(" three of ")
            lines[number] = f"{before}{BELOW}{words()}{after[end:]}"
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Takes in the runs of a folder, if one is named, and writes the picture, the README and the
    page of the recorded runs anew."""
    if arguments:
        out, name = arguments
        print(f"runs recorded in {name}: {take(Path(out), name)}")
    PICTURE.write_text(picture(), encoding="utf-8")
    known = numbers()
    for path, written in ((README, readme), (RECORDED, recorded)):
        path.write_text(written(path.read_text(encoding="utf-8"), known), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
