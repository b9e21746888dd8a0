"""Reads one run as the pages see it: its spec, its state, and its scores if it is finished."""

from dataclasses import dataclass, replace

import numpy as np

from benchmarks.store.run import Run
from protocols import metrics
from protocols.boundary import Damaged
from protocols.photographs import provenance
from protocols.runs.record import stored_epochs
from protocols.seeds import generator
from protocols.spec import RunSpec
from reports.statistics.selection import Selection, select


class Measured:
    """The scores of one finished training run, and what choosing its epoch added to them."""

    def __init__(self, run: Run, arrays: dict[str, np.ndarray]) -> None:
        self.labels: np.ndarray = arrays["labels"]
        self.selected: np.ndarray = arrays["selected"]
        self.n = len(self.labels)
        self.ids: np.ndarray = arrays["ids"]
        # the part whose scores are history.csv's eval_ columns, and which selects the epoch
        self.part = "validation" if "validation_ids" in arrays else "test"
        self.pictured = run.pictured_ids  # the images that its network was seen to look at
        self.row = int(arrays["selected_index"])  # the selected epoch's row in history.csv
        phantom = run.spec.data["kind"] == "phantom"
        # the photograph that each test image shows, str (n,)
        self.groups: list[str] = provenance.groups_of_ids(arrays["ids"], phantom)
        wanted = {"selected": self.selected, "last": arrays["last"]}
        for epoch, part in zip(arrays["milestone_epochs"], arrays["milestones"], strict=True):
            wanted[f"epoch {epoch}"] = part
        self.probabilities: dict[str, np.ndarray] = wanted  # float32 (n, 4) at each point
        different = {given.tobytes(): given for given in wanted.values()}  # each is scored once
        known = {key: metrics.score(self.labels, given) for key, given in different.items()}
        self.scores = {at: dict(known[given.tobytes()]) for at, given in wanted.items()}
        for at, row in (("selected", run.history[self.row]), ("last", run.history[-1])):
            self.scores[at]["validation_loss"] = row["eval_loss"]
            self.scores[at]["selected_epoch"] = row["epoch"]
        # the accuracy on the test images after each epoch, (rows of history,)
        epochs = stored_epochs(arrays)
        right = (epochs.argmax(axis=2) == self.labels).mean(axis=1)
        self.by_epoch = np.where(np.isfinite(epochs).all(axis=(1, 2)), right, np.nan)
        self.phase = int(run.history[self.row]["phase"])
        self.selection = self._selection(run, epochs)
        self.confusion: np.ndarray = metrics.confusion(self.labels, self.selected)

    def _selection(self, run: Run, epochs: np.ndarray) -> Selection | None:
        """Returns what choosing the epoch on the test part adds, computed on both sides from the
        stored numbers, with the epoch that the run itself chose before they were rounded; None
        where another part chose, or where no stored epoch that may be chosen is finite."""
        if self.part == "validation":
            return None
        phases = [int(row["phase"]) for row in run.history]
        try:
            found = select(
                epochs, self.labels, np.array(self.groups), run.spec.recipe["label_smoothing"],
                generator(0, "selection"), slice(phases.index(max(phases)), None),
            )  # fmt: skip
        except ValueError:  # no finite epoch among those stored
            return None
        selected, last = (self.scores[at]["accuracy"] for at in ("selected", "last"))
        return replace(found, epoch=self.row, selected=selected, last=last)


@dataclass(frozen=True)
class Slot:
    """One run that was asked for, or that is there: its spec, and the run if it is stored."""

    spec: RunSpec
    run: Run | None
    planned: bool
    measured: Measured | None = None  # its scores, if it is a finished training run
    damage: str = ""  # says why a finished run's files can't be read

    def read(self) -> tuple[Measured | None, str]:
        """Returns the run's scores, or None, and how its files are damaged, or ""."""
        if self.run is None or not self.usable:
            return None, ""
        try:
            arrays = self.run.checked()
        except Damaged as damaged:
            return None, str(damaged)
        return (Measured(self.run, arrays) if arrays is not None else None), ""

    def with_numbers(self, read: tuple[Measured | None, str]) -> "Slot":
        """Returns the run with what `read` found; a damaged run stays without numbers."""
        return replace(self, measured=read[0], damage=read[1])

    @property
    def href(self) -> str:
        """The link to the run in the list of all runs."""
        return f"environment.html#{self.spec.id}"

    @property
    def stored(self) -> Run:
        """The run of a slot that has one. Raises LookupError where nothing is stored."""
        if self.run is None:
            raise LookupError(f"{self.spec.id} isn't stored")
        return self.run

    @property
    def scored(self) -> Measured:
        """The scores of a finished training run. Raises LookupError where there are none."""
        if self.measured is None:
            raise LookupError(f"{self.spec.id} has no scores")
        return self.measured

    def column(self, name: str) -> list[float]:
        """Returns a column of the run's history, one value an epoch; accuracies are in %."""
        scale = 100 if name.endswith("accuracy") else 1
        return [scale * row[name] for row in self.stored.history]

    @property
    def boundary(self) -> int:
        """The number of epochs before phase 2; 0 where there is one phase."""
        phases = self.column("phase")
        return 0 if len(set(phases)) == 1 else phases.index(max(phases))

    @property
    def reason(self) -> str:
        """Why the run failed or its record is damaged; empty for any other run."""
        return self.damage or (self.run.reason if self.run else "")

    @property
    def state(self) -> str:
        """The run's state: "done", "stale", "failed", "diverged" or "missing"."""
        if self.run is None:
            return "missing"
        if self.damage:
            return "failed"
        if self.run.status == "failed" and self.run.reason.startswith("TrainingDiverged"):
            return "diverged"
        return self.run.status

    @property
    def usable(self) -> bool:
        """Whether the run has numbers: it is finished, and its files are sound."""
        return self.run is not None and self.run.done and not self.damage
