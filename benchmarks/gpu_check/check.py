"""Carries out `make gpu-check`: its parts in their order, each kept as soon as it is measured.

Its runs are those of the suite, made by the ordinary launcher and cut to a few epochs of a few
drawn images; the estimates learn from them as they learn from every run.
"""

import contextlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.estimates.estimates import Estimates
from benchmarks.gpu_check import gpu_tests
from benchmarks.gpu_check.projection import projected
from benchmarks.gpu_check.record import Part, Record, number, of_run
from benchmarks.launch.calibrate import shortened
from benchmarks.launch.launcher import Launcher
from benchmarks.launch.layouts import time_layouts, timed_on_gpu
from benchmarks.launch.pending import image_sets
from benchmarks.planning.plan import Device, Selection, make_plan
from benchmarks.store.run import Run
from benchmarks.store.store import Store
from benchmarks.terminal.console import Console
from protocols.images.dataset import PHANTOM_ORIGINALS, Source, draw_phantom
from protocols.spec import RunSpec

TESTS, LAYOUTS = Part("tests"), Part("layouts", "torch")
STEPS, FOLDS, ANSWERS = "steps", "folds", "answers"
SHARE = 0.4  # of the time, for the tests: the other parts must have their turn
DRAWN = {"source": "drawn", "digest": None}  # counts as loaded, so that the CNN begins frozen


@dataclass(frozen=True)
class Size:
    """How much is measured: the profile whose networks and sizes are taken, and its cut."""

    profile: str
    images: int  # that an epoch trains on
    epochs: int  # of each phase; the first compiles, the others count

    @property
    def per_class(self) -> dict[str, int]:
        """The images a class, by the names that a run's data have: four classes, a fourth as many
        to test; folds of one size, of which a run trains on nine of ten."""
        pool = max(10, self.images * 10 // 9 // 4 // 10 * 10)
        train, test = self.images // 4, max(2, self.images // 16)
        return {"train_per_class": train, "test_per_class": test, "per_class": pool}

    def cut(self, spec: RunSpec) -> RunSpec:
        """Returns the run as it is measured: on drawn images, from drawn weights."""
        names = ("phase1_epochs", "phase2_epochs", "epochs")
        numbers = dict.fromkeys(names, self.epochs) | {"cold_repeats": 1}
        return replace(shortened(spec, "phantom", self.per_class, numbers), weights=DRAWN)


WHOLE = Size("paper", images=512, epochs=3)
SMALL = Size("smoke", images=32, epochs=2)


class Noting(Console):
    """A console that also hands on each run as it ends."""

    def __init__(self, note: Callable[[Run], None]) -> None:
        super().__init__()
        self.note = note

    def finished(self, run: Run, work: float) -> None:
        """Prints the line of a run that ended, and hands the run on."""
        super().finished(run, work)
        self.note(run)


@dataclass
class Check:
    """One check. `devices` has the twins that can compute; `measure` goes through the parts."""

    size: Size
    devices: dict[str, Device]
    variants: tuple[str, ...]
    cores: int
    cache: Path  # the user's
    record: Record
    limit: float  # seconds for all
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.own = self.cache / "gpu-check"  # decoded images, features, compiled programs
        wish = Selection(
            profile=self.size.profile,
            frameworks=tuple(self.devices),
            variants=self.variants,
            weights="imagenet",
        )
        self.plan = make_plan(wish, "real", self.devices, self.cores)

    def parts(self) -> dict[Part, list[RunSpec]]:
        """Returns every part in its order, with the planned runs that it cuts."""
        train = [spec for spec in self.plan if spec.stage == "train"]
        first: dict[Part, list[RunSpec]] = {}
        folds: dict[Part, list[RunSpec]] = {}
        answers: dict[Part, list[RunSpec]] = {}
        for spec in train:
            own = spec.framework, spec.variant
            first.setdefault(Part(STEPS, *own), [spec])
            if spec.heads_only:
                folds.setdefault(Part(FOLDS, *own), []).append(spec)
        for spec in self.plan:
            if spec.stage == "latency":
                answers[Part(ANSWERS, spec.framework, spec.variant)] = [spec]
        layouts = timed_on_gpu([runs[0] for runs in first.values()])
        of_layouts = {LAYOUTS: layouts} if layouts else {}
        return {TESTS: [], **of_layouts, **first, **folds, **answers}

    def measure(self, say: Callable[[str], None]) -> None:
        """Measures the parts that were not measured yet, first those that were never begun, then
        those that failed, and keeps what each gave. A part that fails doesn't stop the next."""
        parts = self.parts()
        todo = [part for part in parts if not self.record.done(part)]
        failed = [part for part in todo if part in self.record.parts]
        for again in (False, True):
            now = [part for part in todo if (part in failed) == again]
            for name in (TESTS.part, LAYOUTS.part, STEPS, FOLDS, ANSWERS):
                stage = {part: parts[part] for part in now if part.part == name}
                if stage:
                    self.stage(name, stage, again, say)
        self.project()

    def stage(
        self, name: str, stage: dict[Part, list[RunSpec]], again: bool, say: Callable[[str], None]
    ) -> None:
        """Measures the parts of one stage. An error of ours or of the system's is kept as that of
        each part that has no result then."""
        say(f"{name}: {', '.join(dict.fromkeys(p.variant for p in stage if p.variant)) or 'all'}")
        before = dict(self.record.parts)
        try:
            if name == TESTS.part:
                left = self.limit - (time.monotonic() - self.began)
                backend = self.devices["keras"].backend if "keras" in self.devices else ""
                limit = left if again else SHARE * left
                self.record.add(TESTS, **gpu_tests.run(self.cache, backend, limit))
            elif name == LAYOUTS.part:
                self.layouts(stage[LAYOUTS], say)
            else:
                self.runs(stage)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            for part in stage:
                if self.record.parts.get(part) == before.get(part):
                    self.record.add(part, state="failed", reason=reason)
        self.project()

    def layouts(self, specs: list[RunSpec], say: Callable[[str], None]) -> None:
        """Times the memory layouts of PyTorch's CNNs, which the runs of the check and later runs
        take."""
        said: list[str] = []

        def told(text: str) -> None:
            said.append(text)
            say(text)

        fault = time_layouts(specs, self.devices, self.own, told)
        with contextlib.suppress(FileNotFoundError):
            shutil.copytree(self.own / "layouts", self.cache / "layouts", dirs_exist_ok=True)
        numbers = {}
        for path in sorted((self.own / "layouts").glob("*.json")):
            timed = json.loads(path.read_text(encoding="utf-8"))
            for layout, seconds in timed["seconds"].items():
                numbers[f"{timed['key']['backbone']}, {layout}"] = number("s", [seconds])
        state = {"state": "failed", "reason": fault} if fault else {}
        self.record.add(LAYOUTS, said={"layouts": said}, numbers=numbers, **state)

    def runs(self, stage: dict[Part, list[RunSpec]]) -> None:
        """Has the launcher make the runs of these parts into a store that is thrown away, and keeps
        each part's numbers, with what the estimates learned."""
        cut = {part: [self.size.cut(spec) for spec in specs] for part, specs in stage.items()}
        part_of = {spec.id: part for part, specs in cut.items() for spec in specs}
        ended: dict[Part, list[Run]] = {part: [] for part in stage}
        every = [spec for specs in cut.values() for spec in specs]
        shutil.rmtree(self.own / "features", ignore_errors=True)  # left by a killed check
        with tempfile.TemporaryDirectory(prefix="wbc-gpu-check-") as folder:
            store, estimates = Store(Path(folder) / "out"), self.estimates(Path(folder))

            def note(run: Run) -> None:
                shutil.rmtree(self.own / "features", ignore_errors=True)  # each computes its own
                part = part_of[run.spec.id]
                ended[part].append(run)
                self.record.estimates = estimates.learned()
                if len(ended[part]) == len(cut[part]):
                    failed = [run for run in ended[part] if not run.done]
                    self.record.add(part, **of_run(failed[0] if failed else run))

            with Noting(note) as console:
                source, drawn = source_of(self.own, self.size), _folder(self.own, self.size)
                launcher = Launcher(
                    store, source, self.devices, self.own, console, 1, estimates=estimates,
                    sets=image_sets(every, source, drawn, console.progress),
                )  # fmt: skip
                launcher.run(every)

    def estimates(self, folder: Path) -> Estimates:
        """Returns the estimates that the record holds, to learn more, in `folder`."""
        estimates = Estimates(folder, jobs=1)
        estimates.take(self.record.estimates)
        return estimates

    def project(self) -> None:
        """Writes what the whole request would take, by what is known now."""
        with tempfile.TemporaryDirectory(prefix="wbc-gpu-check-") as folder:
            self.record.projection = projected(self.plan, self.estimates(Path(folder)))
        self.record.write()


def _folder(own: Path, size: Size) -> Path:
    """Returns the folder of the phantom of this size and of its decoded sets: a set is known by its
    request, which phantoms of any size share."""
    return own / f"{size.images}-images"


def source_of(own: Path, size: Size) -> Source:
    """Returns the phantom of this size, which is drawn if need be."""
    root, counts = _folder(own, size) / "phantom", size.per_class
    if not os.path.isdir(root):
        draw_phantom(root, counts["train_per_class"], counts["test_per_class"], PHANTOM_ORIGINALS)
    return Source("phantom", root, how="phantom")
