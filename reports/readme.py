"""Records an output folder's runs under reports/published/, and what the README says of them.

python -m reports.readme            # the README's table, its picture and the picture's words
python -m reports.readme DIR NAME   # takes the runs in DIR into reports/published/NAME first
"""

import json
import shutil
import sys
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
from reports.tables.cell_text import number_text
from reports.tables.table import points, title

README = ROOT / "README.md"
PUBLISHED = ROOT / "reports" / "published"
PICTURE = PUBLISHED / "photographs.svg"
SETTING = "laptop-real-imagenet-cpu-float32"
CNN, LSTM = "efficientnet_lite0", "efficientnet_lite0_lstm"
HEADS = ("efficientnet_lite0_cnn_lstm", "efficientnet_lite0_cnn_gru")
SELECTED, LAST, DIFFERENCE = "selected", "last", "difference"
BELOW = "test images both twins get "  # the words below the picture go on with the numbers
ROWS = {  # of the README's table: what stands there, protocol, networks
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
    """Takes in the done runs of `out`, in place of stale ones; how many. Raises RequestError."""
    store = Store(PUBLISHED / name)
    taken = merge([out], store)
    for aside in store.runs_folder.glob(".*.old*"):
        shutil.rmtree(aside)
    return taken


def numbers() -> dict[str, dict]:
    """The cells and comparisons of results.json of the laptop's recorded runs, by id."""
    store = Store(PUBLISHED / "laptop")
    found = json.loads(results.as_json(results.document(collect(store, store.plan()))))
    return {one["id"]: one for one in (*found["cells"], *found["comparisons"])}


def row(name: str, known: dict[str, dict]) -> str:
    """A row of the README's table."""
    what, protocol, *networks = ROWS[name]
    cells = []
    for framework in FRAMEWORKS:
        place = f"{SETTING}/{protocol}/{framework}"
        if what == DIFFERENCE:
            found = known[f"{place}/{'-'.join(networks)}"]
            low, high = (found["linearised"][end] for end in ("low", "high"))
            between = f"{points(low)} to {points(high)}".replace("+", "")
            cells.append(f"{points(found['means'][SELECTED]['accuracy']['value'])} ({between})")
        else:
            means = (known[f"{place}/{network}"]["numbers"][what] for network in networks)
            texts = (number_text("accuracy", mean["accuracy"]["value"]) for mean in means)
            cells.append(" / ".join(texts).replace("\u202f", " "))
    return f"| {name} | {' | '.join(cells)} |"


def words() -> str:
    """What the README says below the picture, after `BELOW`."""
    keras, torch = found().values()
    both = ~keras.right & ~torch.right
    _, counts = np.unique(photographs(keras.ids)[both], return_counts=True)
    return f"{both.sum()} wrong, and {sum(sorted(counts)[-3:])} of those show"


def readme(text: str, known: dict[str, dict]) -> str:
    """The README with the table's rows and the picture's words as they are now."""
    if text.count(BELOW) != 1:
        raise ValueError(f"the README doesn't say {BELOW!r} once")
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
    """See the module."""
    if arguments:
        out, name = arguments
        print(f"runs recorded in {name}: {take(Path(out), name)}")
    PICTURE.write_text(picture(), encoding="utf-8")
    README.write_text(readme(README.read_text(encoding="utf-8"), numbers()), encoding="utf-8")


def found() -> dict[str, Answers]:
    """What the laptop profile's CNN said of the test images, by twin."""
    store = Store(PUBLISHED / "laptop")
    wanted = [s for s in store.plan() if (s.variant, s.stage) == (CNN, "train")]
    (group,) = (g for g in collect(store, wanted).groups if g.setting.planned)
    said = {f: answers(group.cells[f, CNN]) for f in FRAMEWORKS}
    return {framework: one for framework, one in said.items() if one is not None}


def picture() -> str:
    """Accuracy on each test photograph, in both twins."""
    return standalone(errors.by_photograph("photo", title(CNN), accuracies(found())))


if __name__ == "__main__":
    main(sys.argv[1:])
