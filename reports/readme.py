"""Records an output folder's runs under reports/published/, and what the documents say of them.

python -m reports.readme            # writes the README's findings and the page of recorded runs
python -m reports.readme DIR NAME   # takes the runs in DIR into reports/published/NAME first
"""

import json
import shutil
import sys
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.store.merge import merge
from benchmarks.store.store import Store
from protocols.files import ROOT
from protocols.spec import FRAMEWORKS
from reports.cells.answers import Answers, accuracies, answers, photographs
from reports.cells.collect import collect
from reports.data import results
from reports.figures import errors
from reports.figures.svg import standalone
from reports.pages.audit import page as audit
from reports.tables.formats import number_text, plural, points, title

README = ROOT / "README.md"
RECORDED = ROOT / "docs" / "recorded-runs.md"
PUBLISHED = ROOT / "reports" / "published"
PICTURE = PUBLISHED / "photographs.svg"
SETTING = "laptop-real-imagenet-cpu-float32"
CNN, LSTM = "efficientnet_lite0", "efficientnet_lite0_lstm"
HEADS = ("efficientnet_lite0_cnn_lstm", "efficientnet_lite0_cnn_gru")
SELECTED, LAST, DIFFERENCE = "selected", "last", "difference"
BELOW = "test images both twins get "  # the words below the picture go on with the numbers
ROWS = {  # the rows of the table of recorded runs: what stands there, the protocol, the networks
    "alone, 2,487 test images": (SELECTED, "fixed", CNN),
    "with an LSTM over the rows": (SELECTED, "fixed", LSTM),
    "difference, 95 % interval on new photographs, points": (DIFFERENCE, "fixed", LSTM, CNN),
    "alone / with the LSTM, last epoch": (LAST, "fixed", CNN, LSTM),
    "CNN-LSTM, 10 folds": (SELECTED, "cv10", HEADS[0]),
    "CNN-GRU, 10 folds": (SELECTED, "cv10", HEADS[1]),
    "difference": (DIFFERENCE, "cv10", *HEADS),
    "CNN-LSTM / CNN-GRU, last epoch": (LAST, "cv10", *HEADS),
}


def take(out: Path, name: str) -> int:
    """Records the finished runs of `out` under `name`, in place of stale ones, and returns how many
    were copied. Raises RequestError as `merge` does."""
    store = Store(PUBLISHED / name)
    taken = merge([out], store)
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
    """Writes a row of the table of recorded runs; `known` is what `numbers` returns."""
    what, protocol, *networks = ROWS[name]
    cells = []
    for framework in FRAMEWORKS:
        place = f"{SETTING}/{protocol}/{framework}"
        if what == DIFFERENCE:
            cells.append(difference(known[f"{place}/{'-'.join(networks)}"]))
        else:
            means = (known[f"{place}/{network}"]["numbers"][what] for network in networks)
            texts = (number_text("accuracy", mean["accuracy"]["value"]) for mean in means)
            cells.append(" / ".join(texts).replace("\u202f", " "))
    return f"| {name} | {' | '.join(cells)} |"


def difference(found: dict) -> str:
    """Writes a difference of two networks in points, with its interval in brackets."""
    low, high = (found["linearised"][end] for end in ("low", "high"))
    between = f"{points(low)} to {points(high)}".replace("+", "")
    return f"{points(found['means'][SELECTED]['accuracy']['value'])} ({between})"


@cache
def recorded_answers() -> dict[str, Answers]:
    """Returns by twin what the recorded CNN of profile laptop answered on the test images."""
    store = Store(PUBLISHED / "laptop")
    wanted = [s for s in store.plan() if (s.variant, s.stage) == (CNN, "train")]
    (group,) = (g for g in collect(store, wanted).groups if g.setting.planned)
    said = {f: answers(group.cells[f, CNN]) for f in FRAMEWORKS}
    return {framework: one for framework, one in said.items() if one is not None}


def picture() -> str:
    """Draws the accuracy on each test photograph, in both twins, as the text of an SVG file."""
    return standalone(errors.by_photograph("photo", title(CNN), accuracies(recorded_answers())))


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


def findings(known: dict[str, dict]) -> dict[str, str]:
    """Returns what the README says was found: for the first words of a line, the rest of it."""
    audited = audit.said([one for of_paper in audit.findings().values() for one in of_paper])
    both, three, tests, shown = wrong_in_both()
    asked = [known[f"{SETTING}/fixed/{f}/{LSTM}-{CNN}"] for f in FRAMEWORKS]
    heads = [known[f"{SETTING}/cv10/{f}/{'-'.join(HEADS)}"] for f in FRAMEWORKS]
    ends = [one["linearised"] for one in (*asked, *heads)]
    every = (
        "each contains 0, so no difference is shown"
        if all(e["low"] <= 0 <= e["high"] for e in ends)
        else "not all contain 0"
    )
    seeds = plural(len(asked[0]["means"][SELECTED]["accuracy"]["by_seed"]), "seed")
    adds, less = (" in Keras and ".join(map(difference, pair)) for pair in (asked, heads))
    return {
        "- **Printed numbers.**": audited,
        "- **An LSTM beside the CNN.**": f"With {seeds} of EfficientNet-Lite0 it adds {adds} in "
        f"PyTorch, in points of accuracy. CNN-LSTM minus CNN-GRU is {less} in PyTorch. In "
        f"brackets stand 95 % intervals on new photographs; {every}.",
        "- **Test images.**": f"All {tests:,} show one of {shown} photographs. Of the {both} that "
        f"both twins get wrong, {three} show three of these photographs.",
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
    """Returns the page of the recorded runs with the table's rows and the picture's words as they
    are now. Raises ValueError where the words have no place, or several."""
    if text.count(BELOW) != 1:
        raise ValueError(f"the page of the recorded runs doesn't say {BELOW!r} once")
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if (name := line.removeprefix("| ").split(" | ")[0]) in ROWS:
            lines[number] = row(name, known)
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
