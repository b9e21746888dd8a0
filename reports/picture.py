"""The README's picture, from the published runs; `python -m reports.record` writes it anew."""

from pathlib import Path

from benchmarks.store import Store
from protocols.spec import FRAMEWORKS
from reports import error_figures
from reports.answers import Answers, accuracies, answers
from reports.collect import collect
from reports.svg import standalone
from reports.tables import title

PUBLISHED = Path(__file__).with_name("published")
PICTURE = PUBLISHED / "photographs.svg"
VARIANT = "efficientnet_lite0"


def found() -> dict[str, Answers]:
    """What the laptop profile's CNN said of the test images, by twin."""
    store = Store(PUBLISHED / "laptop")
    wanted = [s for s in store.plan() if (s.variant, s.stage) == (VARIANT, "train")]
    (group,) = (g for g in collect(store, wanted).groups if g.setting.planned)
    return {f: answers(group.cells[f, VARIANT]) for f in FRAMEWORKS}


def picture() -> str:
    """Accuracy on each test photograph, in both twins."""
    return standalone(error_figures.by_photograph("photo", title(VARIANT), accuracies(found())))
