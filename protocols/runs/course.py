"""Takes training runs through their course, alike in both twins: phases, epochs, evaluation.

A twin brings the network, the loss, the optimisers and the step (class Twin). Runs that differ
only in fold and seed may be trained together: by one twin, in which each run is one member.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from protocols import stops
from protocols.files import Progress
from protocols.hardware import peak_memory, reset_peak_memory
from protocols.images.decoded import open_set
from protocols.images.pool import Pool, in_batches, make_pool
from protocols.images.splits import calibration_rows
from protocols.papers.variants import load_variants
from protocols.runs import activations, features
from protocols.runs.checkpoint import CheckpointRefused, Checkpoints
from protocols.runs.record import Recorder, TrainingDiverged, phase_timing
from protocols.runs.resuming import doubt
from protocols.runs.twin import Phase, Twin, begin_epoch, check_memory
from protocols.runs.worker_loop import Job
from protocols.spec import RESULTS_VERSION, RunSpec
from protocols.stops import running_seconds
from protocols.weights.start import Start

PARTS = ("build", "calibration", "features", "activations", "total")  # the times in timings.json
# the parts of a checkpoint's identity on which stored features depend too
COMPUTED_BY = ("results_version", "versions", "processor", "instructions", "variables")
Note = Callable[[str], None]
Make = Callable[[list[RunSpec], Pool, Start], Twin]


def run(make: Make, specs: list[RunSpec], jobs: list[Job], progress: Progress, note: Note) -> None:
    """Trains `specs`, one or several that differ in fold and seed only, and writes their folders.

    The runs go on from the job's checkpoint; `note` gets a sentence where they can't. Raises
    TrainingDiverged, OutOfMemory, and whatever a framework raises.
    """
    begin = running_seconds()
    reset_peak_memory()
    images = open_set(jobs[0].images)
    pool = make_pool(images, specs)
    start = Start(jobs[0].weights)
    twin = make(specs, pool, start)
    files = start.described(specs[0])
    here = twin.environment()
    identity = {
        "runs": [spec.id for spec in specs],
        "pixels": images.pixels_sha256,
        "results_version": RESULTS_VERSION,
        "versions": here["versions"],
        "processor": here["device_detail"],
        "instructions": here["instruction_set"] if specs[0].device == "cpu" else "",
        "variables": here["variables"],
    }
    checkpoints = Checkpoints(jobs[0].checkpoint, identity, jobs[0].pauses)
    course = Course(specs, pool, twin, checkpoints, jobs[0], progress, begin)
    if specs[0].device != "cpu":
        check_memory(specs, pool, twin)
    course.timings["build_seconds"] += running_seconds() - begin
    if not course.go_on(note):
        course.prepare()
    for phase in specs[0].phases[course.at["phase"] - 1 :]:
        course.run_phase(phase)
    positions = [activations.chosen(pool, part) for part in pool.evaluated]
    seen = course.look(positions)
    timings = course.finished()
    diverged = None
    for i, (recorder, job) in enumerate(zip(course.recorders, jobs, strict=True)):
        try:
            env = twin.environment() | {"engine": ", then ".join(course.by()["engine"])}
            env |= {"weights": files} if files else {}
            recorder.write(job.folder, env, timings)
            activations.write(job.folder, pool, positions[i], seen[i])
        except TrainingDiverged as error:  # one member diverged: the others are whole
            diverged = error
    if diverged:
        raise diverged


@dataclass
class Course:
    """The state of a job's runs: where in their course they are, and what they have recorded."""

    specs: list[RunSpec]
    pool: Pool
    twin: Twin
    checkpoints: Checkpoints
    job: Job
    progress: Progress
    began: float  # the running_seconds at this start of the runs
    # `at` is the next step: phase and epoch count from 1, step from 0. The epoch's seconds so far
    # stand there too, and of its evaluation the images answered on and the seconds. `figures` are
    # those of the epoch so far, `answers` those of its evaluation by part and member
    at: dict[str, Any] = field(default_factory=lambda: {"phase": 1, "epoch": 1, "step": 0})
    figures: np.ndarray | None = None
    answers: list[list[np.ndarray]] = field(default_factory=list)
    optimizer: dict[str, np.ndarray] = field(default_factory=dict)
    timings: dict[str, Any] = field(default_factory=dict)
    earlier: dict[str, list[Any]] = field(default_factory=dict)  # `by` of the killed processes

    def __post_init__(self) -> None:
        self.spec, pool = self.specs[0], self.pool
        self.size = self.spec.recipe["batch_size"]
        self.recorders = [
            Recorder(spec, [pool.ids[p] for p in part], pool.labels[part], pool.selecting)
            for spec, part in zip(self.specs, pool.evaluated, strict=True)
        ]
        self.timings |= {f"{part}_seconds": 0.0 for part in PARTS}
        self.timings |= {"phases": [], "features_stored": False, "resumed": 0, "waiting": {}}
        self.timings |= {"together": len(self.specs), "checkpoint_refused": "", "stops": 0}
        self.stops = stops.count()
        self.waited = 0.0  # seconds spent fetching the batches of this phase

    def prepare(self) -> None:
        """Sets, before the first step, the moving statistics of random backbones."""
        start = running_seconds()
        if self.spec.calibrated:
            train, wanted = self.pool.train[0], self.spec.recipe["calibration_images"]
            rows = calibration_rows(len(train), wanted, self.size)
            self.twin.calibrate([train[batch] for batch in rows])
        self.timings["calibration_seconds"] = running_seconds() - start

    def run_phase(self, phase: Phase) -> None:
        """Trains through one phase, from the place `at` on."""
        start = running_seconds()
        stored = self.stored_features() if phase["stored"] else None
        self.slow = self.spec.device == "cpu" and stored is None
        self.twin.begin_phase(phase, stored)
        if stored:
            self.timings["features_seconds"] += running_seconds() - start
        self.twin.restore(self.optimizer)
        self.optimizer = {}
        number, n = phase["phase"], len(self.pool.train[0])
        self.waited = self.timings["waiting"].get(str(number), 0.0)
        for epoch in range(self.at["epoch"], phase["epochs"] + 1):
            self.at |= {"phase": number, "epoch": epoch}
            if self.checkpoints.due(inside=False):
                self.save()
            self.run_epoch(number, epoch)
        self.timings["phases"].append(phase_timing(phase, self.recorders[0], n, self.waited))
        self.at = {"phase": number + 1, "epoch": 1, "step": 0}

    def stored_features(self) -> list[np.ndarray]:
        """Gives the frozen backbones' features of the whole pool, computed where they aren't
        stored."""
        names = load_variants()[self.spec.variant].backbones
        state = {name: self.checkpoints.identity[name] for name in COMPUTED_BY}
        train = self.pool.rows[self.pool.train[0]]
        batches = in_batches(np.arange(len(self.pool)), self.size)
        arrays, there = [], False
        for number, name in enumerate(names):
            subject = features.subject(self.spec, name, self.pool.rows, train)
            compute = partial(self.twin.backbone_features, number)
            array, found = features.stored(self.job.cache, subject, state, batches, compute)
            arrays.append(array)
            there = there or found
        self.timings["features_stored"] = there
        return arrays

    def run_epoch(self, phase: int, epoch: int) -> None:
        """Trains an epoch from step `at["step"]` on, evaluates, and records."""
        start = running_seconds() - self.at.get("seconds", 0.0)
        waited = self.waited - self.twin.batches.waited  # what the phase adds to the twin's count
        n = begin_epoch(self.specs, self.pool, self.twin, phase, epoch)
        before, figures = self.figures, []
        for first in range(self.at["step"] * self.size, n, self.size):
            last = min(first + self.size, n)
            figures.append(self.twin.step(first, last))
            self.waited = waited + self.twin.batches.waited
            self.at["step"] += 1
            self._tick(phase, epoch, last, n)
            if self.checkpoints.due(inside=True):
                self.figures, figures = self._joined(before, figures), []
                before = self.figures
                self.at["seconds"] = running_seconds() - start
                self.save()
        self.figures = self._joined(before, figures)
        self.at["seconds"] = running_seconds() - start
        sums = self.figures.astype(np.float64).sum(axis=0)
        answers, eval_seconds = self.evaluate()
        penalties, count = self.twin.penalty(), len(self.specs)
        for i, recorder in enumerate(self.recorders):
            recorder.epoch(
                phase,
                epoch,
                answers[i],
                train_loss=sums[i, 0] / n,
                penalty=penalties[i],
                train_accuracy=sums[i, 1] / n,
                train_seconds=self.at["seconds"] / count,
                eval_seconds=eval_seconds / count,
            )
        self.figures, self.answers = None, []
        self.at = {"phase": phase, "epoch": epoch + 1, "step": 0}

    def evaluate(self) -> tuple[list[np.ndarray], float]:
        """Gives each member's log-probabilities of the images it is evaluated on, and the seconds.

        Whole networks on a CPU answer batch by batch, so that a checkpoint can come between.
        """
        start = running_seconds() - self.at.get("eval_seconds", 0.0)
        n = len(self.pool.evaluated[0])
        size = self.size if self.slow else n
        for first in range(self.at.get("answered", 0), n, size):
            part = slice(first, min(first + size, n))
            self.answers.append(self.twin.log_probabilities(part))
            self.at |= {"answered": part.stop, "eval_seconds": running_seconds() - start}
            if part.stop < n and self.checkpoints.due(inside=True):
                self.save()
        members = zip(*self.answers, strict=True)
        return [np.concatenate(parts) for parts in members], self.at["eval_seconds"]

    def _joined(self, before: np.ndarray | None, figures: list[Any]) -> np.ndarray:
        parts = [] if before is None else [before]
        return np.concatenate([*parts, self.twin.read(figures)] if figures else parts)

    def _tick(self, phase: int, epoch: int, done: int, n: int) -> None:
        epochs = [p["epochs"] for p in self.spec.phases]
        past = sum(epochs[: phase - 1]) + epoch - 1
        self.progress("images trained", past * n + done, sum(epochs) * n)

    def look(self, positions: list[np.ndarray]) -> list[activations.Seen]:
        """Gives what each network looks at, after the last phase."""
        start = running_seconds()
        seen = self.twin.look(positions)
        self.timings["activations_seconds"] = running_seconds() - start
        return seen

    def by(self) -> dict[str, list[Any]]:
        """Gives what the run's processes may differ in, each value once, in their order: the
        engines, and how many jobs ran at once. A run that was never killed has one process."""
        now = {"engine": self.twin.engine, "jobs": self.job.at_once}
        return {k: list(dict.fromkeys([*self.earlier.get(k, ()), v])) for k, v in now.items()}

    def so_far(self) -> dict[str, Any]:
        """Gives the timings, with all seconds and stops up to now."""
        seconds, times = running_seconds() - self.began, stops.count() - self.stops
        return self.timings | {
            "total_seconds": self.timings["total_seconds"] + seconds,
            "stops": self.timings["stops"] + times,
        }

    def finished(self) -> dict[str, Any]:
        """Gives the content of timings.json. Of runs that are trained together, the seconds of
        PARTS and the bytes of the state are each run's share."""
        timings = self.so_far()
        for part in PARTS:
            timings[f"{part}_seconds"] /= len(self.specs)
        del timings["waiting"]
        memory = {"host_peak_bytes": peak_memory(), **self.twin.device_memory()}
        state = sum(value.nbytes for value in self.twin.state().values())  # in a checkpoint
        share = {"state_bytes": state // len(self.specs)}
        jobs = self.by()["jobs"]
        more = {"parameters": self.twin.parameters, "jobs": jobs if jobs[1:] else jobs[0]}
        return timings | memory | share | more

    def save(self) -> None:
        """Writes a checkpoint of the job."""
        self.timings["waiting"][str(self.at["phase"])] = self.waited
        arrays = self.twin.state()
        if self.figures is not None:
            arrays["figures"] = self.figures
        for i, parts in enumerate(zip(*self.answers, strict=True)):
            arrays[f"answers/{i}"] = np.concatenate(parts)
        for i, recorder in enumerate(self.recorders):
            if recorder.epochs:
                arrays[f"epochs/{i}"] = np.stack(recorder.epochs)
        rows = [recorder.rows for recorder in self.recorders]
        meta = {"at": self.at, "timings": self.so_far(), "rows": rows, "by": self.by()}
        self.checkpoints.save(arrays, meta)

    def go_on(self, note: Note) -> bool:
        """Goes on from the job's checkpoint; gives False if there is none. `note` tells of a
        refused checkpoint, which counts as none."""
        try:
            found = self.checkpoints.load(
                partial(doubt, self.specs, self.pool, self.twin, self.timings)
            )
        except CheckpointRefused as refused:
            sentence = f"{refused}: the run starts from the beginning"
            self.timings["checkpoint_refused"] = sentence
            note(sentence)
            return False
        if found is None:
            return False
        arrays, meta = found
        self.at, self.figures = meta["at"], arrays.pop("figures", None)
        build = self.timings["build_seconds"]
        self.timings = meta["timings"]
        self.timings["build_seconds"] += build
        self.timings["resumed"] += 1
        self.earlier = meta.get("by", {})  # checkpoints of earlier sources lack it
        for i, (recorder, rows) in enumerate(zip(self.recorders, meta["rows"], strict=True)):
            recorder.rows = rows
            recorder.epochs = list(arrays.pop(f"epochs/{i}", []))
        if "answers/0" in arrays:
            self.answers = [[arrays.pop(f"answers/{i}") for i in range(len(self.specs))]]
        self.twin.restore({k: v for k, v in arrays.items() if k.startswith("network/")})
        self.optimizer = {k: v for k, v in arrays.items() if k.startswith("optimizer/")}
        return True
