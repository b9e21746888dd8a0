"""Estimates: what was learned predicts other runs, elsewhere it is silent; --plan says both."""

import json
import re
import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.estimates.cost_model import calibration_images, fitted
from benchmarks.estimates.estimates import Estimates
from benchmarks.planning import disk
from benchmarks.planning.plan import Selection, make_plan
from benchmarks.store.run import Run
from benchmarks.store.store import Store
from benchmarks.terminal import plan_text
from benchmarks.terminal.console import duration, size
from protocols import hardware
from protocols.papers.variants import load_variants
from protocols.runs.record import Recorder, write_common
from tests.support import synthetic
from tests.support.command import asked, files
from tests.support.devices import CPU
from tests.support.synthetic import jane

PROCESSOR = "A made-up processor"
BRANCH = 0.5  # what reading rows, or Jane's second branch, adds
BACKBONE = {"xception": 3.0, "resnet50": 2.0, "inception_v3": 1.0}


def weight(spec):
    """How heavy a made-up network is; all its times are multiples."""
    variant = load_variants()[spec.variant]
    return sum(BACKBONE[b] for b in variant.backbones) + BRANCH * (variant.sequence != "none")


def true_epochs(spec, phase):
    """Seconds (training, evaluation) of each epoch; the first one has 4 and 1 more."""
    n_train, n_test = disk.counts(spec)
    speed = 0.1 if phase["frozen"] else 1.0
    steady = 0.03 * speed * weight(spec) * n_train, 0.01 * speed * weight(spec) * n_test
    first = steady[0] + 4.0 * weight(spec), steady[1] + 1.0 * weight(spec)
    return [first, *[steady] * (phase["epochs"] - 1)]


def true_timings(spec):
    """timings.json of a training run in the made-up world."""
    n_train, n_test = disk.counts(spec)
    phases = [
        {
            "phase": phase["phase"],
            "epochs": phase["epochs"],
            "frozen": phase["frozen"],
            "images": n_train * phase["epochs"],
            "train_seconds": sum(train for train, _ in true_epochs(spec, phase)),
            "eval_seconds": sum(evaluation for _, evaluation in true_epochs(spec, phase)),
        }
        for phase in spec.phases
    ]
    rate = 0.01 * weight(spec)  # of a forward pass
    calibrated, frozen = calibration_images(spec, n_train), spec.phases[0]["frozen"]
    timings = {
        "build_seconds": 2.0 * weight(spec),
        "calibration_seconds": (0.5 + rate * calibrated) if calibrated else 0.0,
        "activations_seconds": 0.3 * weight(spec),
        "features_seconds": (0.7 + rate * (n_train + n_test)) if frozen else 0.0,
    }
    epochs = [sum(e) for phase in spec.phases for e in true_epochs(spec, phase)]
    total = sum(timings.values()) + sum(epochs) + 1.5
    more = {"features_stored": False, "resumed": 0, "together": 1, "total_seconds": total}
    return timings | more | {"phases": phases, "state_bytes": int(12e6 * weight(spec))}


def made(folder, spec, **changes):
    """A finished run of the made-up world, in a folder of its own."""
    if spec.stage == "latency":
        timings = synthetic.timings(spec) | {"total_seconds": 100.0} | changes
        write_common(folder, spec, synthetic.env(spec), timings)
        return Run(spec, folder, "done")
    labels = np.repeat(np.arange(4), disk.counts(spec)[1] // 4)
    choosing = len(labels) // 2 if spec.protocol == "fixed-grouped" else 0
    recorder = Recorder(spec, [str(i) for i in range(len(labels))], labels, choosing)
    guess = np.log(np.full((len(labels), 4), 0.25, np.float32))
    figures = {"train_loss": 1.0, "penalty": 0.0, "train_accuracy": 0.5}
    for phase in spec.phases:
        for epoch, (train, evaluation) in enumerate(true_epochs(spec, phase), start=1):
            seconds = {"train_seconds": train, "eval_seconds": evaluation}
            recorder.epoch(phase["phase"], epoch, guess, **figures, **seconds)
    recorder.write(folder, synthetic.env(spec), true_timings(spec) | changes)
    return Run(spec, folder, "done")


@pytest.fixture
def world(tmp_path):
    """Estimates of the made-up processor, a way to finish runs there, and what was said."""

    class World:
        said = []
        estimates = Estimates(tmp_path / "cache", 2, said.append, PROCESSOR)
        count = 0

        def finish(self, *specs, **changes):
            for spec in specs:
                self.count += 1
                folder = tmp_path / f"run{self.count}"
                folder.mkdir()
                self.estimates.learn(made(folder, spec, **changes))

        def seconds(self, spec):
            found = self.estimates.estimate(spec)
            return found and found.seconds

        def file(self):
            (path,) = self.estimates.folder.iterdir()
            return path

    return World()


def longer(spec):
    """Other epochs, and twice the images."""
    recipe = {"phase1_epochs": 9, "phase2_epochs": 7, "epochs": 11}
    known = {k: v for k, v in recipe.items() if k in spec.recipe}
    data = spec.data | {"train_per_class": 16, "test_per_class": 8}
    if spec.protocol != "fixed":
        data["per_class"] = 40
    return replace(spec, recipe=spec.recipe | known, data=data)


def latency(variant="resnet50"):
    numbers = {"latency_repeats": 10, "latency_warmup": 1, "cold_repeats": 1}
    return synthetic.spec("torch", variant, stage="latency", recipe=numbers)


GROUPED = synthetic.spec("torch", "resnet50", protocol="fixed-grouped")


@pytest.mark.parametrize("spec", [synthetic.spec("torch", "resnet50"), GROUPED, jane()])
def test_a_finished_run_predicts_one_of_other_epochs_and_images(world, spec):
    assert world.estimates.estimate(spec) is None
    world.finish(spec)
    for other in (spec, longer(spec)):
        assert world.seconds(other) == pytest.approx(true_timings(other)["total_seconds"])
    assert not world.said


def test_a_network_that_was_never_run_is_the_sum_of_its_parts(world):
    names = ["xception", "resnet50", "inception_v3", "xception_lstm"]
    parts = [synthetic.spec("torch", name) for name in names]
    twice = longer(synthetic.spec("torch", "xception_resnet50_lstm"))
    world.finish(*parts[:3])
    assert world.estimates.estimate(twice) is None, "nothing was known of the rows"
    world.finish(parts[3])
    assert world.seconds(twice) == pytest.approx(true_timings(twice)["total_seconds"] + 0.5 + 0.7)
    one = longer(synthetic.spec("torch", "inception_v3_lstm"))
    assert world.seconds(one) == pytest.approx(true_timings(one)["total_seconds"])
    state, answers = 12 * 5_500_000, 16 * 32 * 4 * 4
    assert world.estimates.estimate(twice).checkpoint_bytes == 2 * (state + answers)
    assert world.estimates.estimate(jane("cnn_lstm")) is None, "another recurrent branch"


def test_its_own_times_go_before_those_of_its_parts(world):
    names = ["xception", "resnet50", "xception_lstm", "resnet50_lstm"]
    *parts, whole = [synthetic.spec("torch", name) for name in names]
    world.finish(*parts)
    composed = world.seconds(whole)
    world.finish(whole, build_seconds=60.0, total_seconds=160.0)
    assert world.seconds(whole) > composed + 50


def test_the_median_of_the_last_five_counts(world):
    spec = synthetic.spec("torch", "resnet50")
    usual = true_timings(spec)
    more = usual["total_seconds"] + 50
    slow = {"build_seconds": usual["build_seconds"] + 50, "total_seconds": more}
    world.finish(spec, spec, spec)
    world.finish(spec, **slow)
    assert world.seconds(spec) == pytest.approx(usual["total_seconds"])
    for _ in range(2):
        world.finish(spec, **slow)
    assert world.seconds(spec) == pytest.approx(usual["total_seconds"] + 50)
    known = json.loads(world.file().read_text(encoding="utf-8"))["known"]["train"]["resnet50"]
    assert {len(seen) for seen in known.values()} == {5}


@pytest.fixture
def costly_epochs(monkeypatch):
    """Each epoch of the made-up world costs 3 seconds by itself, 2 to train and 1 to test."""
    usual = true_epochs

    def epochs(spec, phase):
        return [(train + 2.0, test + 1.0) for train, test in usual(spec, phase)]

    monkeypatch.setattr(sys.modules[__name__], "true_epochs", epochs)


@pytest.mark.parametrize("spec", [synthetic.spec("torch", "resnet50"), jane()])
def test_two_sizes_tell_what_an_epoch_costs_and_what_an_image(world, costly_epochs, spec):
    large = replace(spec, data=spec.data | {"train_per_class": 80, "test_per_class": 40})
    large = replace(large, data=large.data | {"per_class": 200} if spec.fold == 0 else large.data)
    world.finish(spec)
    by_image = world.seconds(large)
    world.finish(longer(spec))
    true = true_timings(large)["total_seconds"]
    assert world.seconds(large) == pytest.approx(true)
    assert by_image > 1.2 * true, "as if ten times the images were ten times the cost"


def test_a_line_through_noise_makes_sense():
    assert fitted([[32, 3.2], [96, 9.6]]) == pytest.approx((0.0, 0.1))
    assert fitted([[32, 5.0], [96, 9.0]]) == (pytest.approx(3.0), pytest.approx(1 / 16))
    assert fitted([[32, 5.0], [40, 9.0]]) == (0.0, pytest.approx((5 / 32 + 9 / 40) / 2))
    assert fitted([[32, 5.0], [96, 4.0]]) == (0.0, pytest.approx((5 / 32 + 4 / 96) / 2))
    outlier = [[32, 5.0], [32, 50.0], [96, 9.0], [96, 9.0], [32, 5.0]]
    assert fitted(outlier) == (pytest.approx(3.0), pytest.approx(1 / 16))


def test_one_epoch_is_its_own_rate(world):
    spec = synthetic.spec("torch", "resnet50", recipe={"phase1_epochs": 1, "phase2_epochs": 1})
    world.finish(spec)
    assert world.seconds(spec) == pytest.approx(true_timings(spec)["total_seconds"])
    assert not world.said


def test_a_resumed_run_shows_its_steady_rates_only(world):
    spec = synthetic.spec("torch", "resnet50")
    world.finish(spec, resumed=1, total_seconds=1e6)
    assert world.estimates.estimate(spec) is None
    world.finish(spec)
    assert world.seconds(spec) == pytest.approx(true_timings(spec)["total_seconds"])


def test_stored_features_say_nothing_of_their_cost(world):
    spec = synthetic.spec("torch", "resnet50")
    usual = true_timings(spec)
    spared = usual["features_seconds"]
    stored = {"features_stored": True, "features_seconds": 0.0}
    world.finish(spec, **stored, total_seconds=usual["total_seconds"] - spared)
    assert world.seconds(spec) == pytest.approx(usual["total_seconds"] - 0.7), "a forward pass"
    world.finish(spec)
    world.finish(spec, **stored, total_seconds=usual["total_seconds"] - spared)
    assert world.seconds(spec) == pytest.approx(usual["total_seconds"])


def test_networks_that_share_features_share_their_cost(world):
    """A short run finds the features stored that another network's run has just computed."""
    first, second = (jane(name, weights="imagenet") for name in ("cnn_lstm", "cnn_gru"))
    world.finish(first)
    usual = true_timings(second)
    stored = {"features_stored": True, "features_seconds": 0.0}
    spared = usual["total_seconds"] - usual["features_seconds"]
    world.finish(second, **stored, total_seconds=spared)
    assert world.seconds(second) == pytest.approx(usual["total_seconds"])


def test_runs_trained_together_are_another_matter(world):
    world.finish(jane(), together=10)
    assert world.estimates.estimate(jane()) is None
    assert world.estimates.estimate(jane(), together=10).seconds > 0


@pytest.mark.parametrize(
    "change",
    [
        {"framework": "keras", "backend": "tensorflow"},
        {"backend": "other"},
        {"device": "NVIDIA X"},
        {"precision": "bfloat16"},
        {"deterministic": False},
        {"threads": 1},
        {"data": synthetic.spec().data | {"height": 240}},
        {"data": synthetic.spec().data | {"width": 320}},
        {"recipe": synthetic.spec().recipe | {"batch_size": 2}},
    ],
    ids=lambda change: " ".join(change),
)
def test_what_was_learned_speaks_for_nothing_else(world, change):
    spec = synthetic.spec("torch", "resnet50")
    world.finish(spec)
    assert world.seconds(spec)
    assert world.estimates.estimate(replace(spec, **change)) is None


def test_other_jobs_and_other_processors_have_no_estimate(world):
    spec = synthetic.spec("torch", "resnet50")
    world.finish(spec, latency())
    alone = replace(world.estimates, jobs=1)
    assert alone.estimate(spec) is None
    assert alone.estimate(latency()).seconds == pytest.approx(100.0), "no run is ever beside it"
    assert replace(world.estimates, processor="Another").estimate(spec) is None


def test_a_latency_run_of_other_repeats(world):
    spec = latency()
    world.finish(spec)
    assert world.seconds(spec) == pytest.approx(100.0)
    t = synthetic.timings(spec)
    call = sum(t[name]["median"] for name in ("single", "batch32", "jpeg"))
    more = {"latency_repeats": 109, "latency_warmup": 2, "cold_repeats": 5}
    other = replace(spec, recipe=spec.recipe | more)
    assert world.seconds(other) == pytest.approx(100.0 + 100 * call + 4 * t["cold"]["median"])


def as_of_another_version(text):
    return text.replace('"version": 2', '"version": 1')


DAMAGED = {
    "cut off": (lambda text: text[: len(text) // 2], "are damaged"),
    "no list": (lambda text: "[]", "are damaged"),
    "another version": (as_of_another_version, "another version"),
    "of another device": (lambda text: text.replace(PROCESSOR, "Another"), "another device"),
    "not a number": (lambda text: text.replace("24000000", "NaN"), "are damaged"),
    "endless": (lambda text: text.replace("24000000", "Infinity"), "are damaged"),
    "a word": (lambda text: text.replace("24000000", '"2"'), "are damaged"),
    "an epoch of no image": (lambda text: re.sub(r"\[\s+32\.0,", "[0,", text), "are damaged"),
    "an epoch of no time": (lambda text: re.sub(r"\[\s+32\.0,", "[", text), "are damaged"),
    "too large": (lambda text: text.replace("24000000", "1" * 400), "are damaged"),
    "nested": (lambda text: "[" * 10_000, "are damaged"),
    "negative": (lambda text: text.replace("24000000", "-1"), "are damaged"),
}


@pytest.mark.parametrize(("damage", "sentence"), DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_file_is_not_used_and_is_replaced(world, damage, sentence):
    spec = synthetic.spec("torch", "resnet50")
    world.finish(spec)
    good = world.file().read_text(encoding="utf-8")
    world.file().write_text(damage(good), encoding="utf-8")
    assert world.file().read_text(encoding="utf-8") != good
    assert world.estimates.estimate(spec) is None
    assert world.estimates.estimate(spec) is None
    (said,) = world.said
    assert sentence in said
    assert str(world.file()) in said
    world.finish(spec)
    assert world.file().read_text(encoding="utf-8") == good


def test_a_cache_that_cannot_be_written_costs_no_run(world):
    world.estimates.cache.write_text("a file where the cache should be", encoding="utf-8")
    world.finish(synthetic.spec("torch", "resnet50"))
    assert "nothing was learned from torch-resnet50" in world.said[-1]


def told(runs, todo, world):
    """Of --plan --verbose: the line of each of `runs`, then the last one, of them all."""
    store = Store(world.estimates.cache / "none")
    lines = plan_text.listing(runs, todo, store, world.estimates, verbose=True)
    return [next(line for line in lines if f"{run.id}  " in line) for run in runs] + lines[-1:]


def test_the_plan_in_words(world):
    specs = [synthetic.spec("torch", n) for n in ("xception", "resnet50", "inception_v3")]
    runs = [*specs, latency()]
    lines = told(runs, runs, world)
    assert all(line.endswith(plan_text.NO_ESTIMATE) for line in lines[:4])
    assert lines[4] == "4 runs, 4 to make; no estimate for this device, --calibrate makes one"
    world.finish(*specs[:2])
    world.finish(latency(), total_seconds=15.0)
    lines = told(runs, runs, world)
    seconds = [true_timings(s)["total_seconds"] for s in specs[:2]]
    assert f"about {duration(seconds[0])}, 36 MB" in lines[0], "a checkpoint, 30 s after the start"
    assert f"about {duration(seconds[1])}, 1 MB" in lines[1], "its last epoch begins before"
    assert lines[2].endswith(plan_text.NO_ESTIMATE)
    assert "4 to make (1 of them, with no estimate" in lines[4]
    assert f"about {duration(sum(seconds) + 15)} of computing" in lines[4]
    assert f"{duration(max(seconds) + 15)} with 2 at a time" in lines[4], "the longest one"
    held = 12 * 3_000_000 + 4 * 16 * 16 + sum(disk.shared(runs, world.estimates.cache).values())
    held += sum(disk.stored(run) for run in (*specs[:2], latency()))
    assert lines[4].endswith(f"{size(held)} of disk")
    assert "about" not in told(runs, runs[2:3], world)[0]
    assert told(runs, [], world)[4] == "4 runs, all of them done"


def test_the_plan_has_a_line_a_network(world):
    folds = [replace(jane(seed=seed), fold=fold) for fold in (0, 1, 2) for seed in (0, 2)]
    runs = [*folds, synthetic.spec("torch", "xception")]
    store = Store(world.estimates.cache / "none")
    world.finish(folds[0])
    gru, xception, total = plan_text.listing(runs, runs[1:], store, world.estimates, verbose=False)
    assert "cnn_gru  " in gru and "cv10, folds 0-2, seeds 0,2: 6 runs, 5 to make, about" in gru
    assert xception.endswith(f"fixed, seed 0: 1 run, 1 to make, {plan_text.NO_ESTIMATE}")
    assert total.startswith("7 runs, 6 to make (1 of them")


def test_the_plan_expects_runs_together_that_train_together(world):
    frozen = jane(weights="imagenet", deterministic=False, device="NVIDIA X")
    runs = [replace(frozen, fold=fold) for fold in (0, 1)]
    world.finish(runs[0])
    assert told(runs, runs, world)[0].endswith(plan_text.NO_ESTIMATE)
    world.finish(*runs, together=2)
    lines = told(runs, runs, world)
    expected = duration(true_timings(runs[0])["total_seconds"])
    assert all(f"about {expected}," in line for line in lines[:2])


def test_sizes_in_words():
    assert [size(n) for n in (5, 72_050_000, 3_440_000_000)] == ["1 MB", "72 MB", "3.4 GB"]


def test_plan_tells_what_was_learned_and_changes_nothing(tmp_path):
    chosen = Selection(suite="liang", variants=("resnet50",), frameworks=("torch",))
    spec, other = make_plan(chosen, "phantom", CPU, hardware.cores())
    estimates = Estimates(tmp_path / "cache", 2)
    folder = tmp_path / "run"
    folder.mkdir()
    env = synthetic.env(spec) | {"device_detail": hardware.cpu_name()}
    run = made(folder, spec)
    (folder / "env.json").write_text(json.dumps(env), encoding="utf-8")
    estimates.learn(run)
    before = {f: (tmp_path / f).stat().st_mtime_ns for f in files(tmp_path)}
    request = ["--suite", "liang", "--variant", "resnet50", "--framework", "torch"]
    where = ["--gpu", "none", "--data", "phantom", "--cache", tmp_path / "cache"]
    answer = asked("--plan", "--verbose", *request, *where, "--out", tmp_path / "out")
    assert answer.returncode == 0, answer.stderr
    lines = answer.stdout.splitlines()
    (line,) = [line for line in lines if spec.id in line]
    assert line.endswith(f"about {duration(true_timings(spec)['total_seconds'])}, 1 MB")
    (line,) = [line for line in lines if other.id in line]
    assert line.endswith(plan_text.NO_ESTIMATE)
    assert "2 runs, 2 to make (1 of them" in lines[-1]
    assert {f: (tmp_path / f).stat().st_mtime_ns for f in files(tmp_path)} == before
