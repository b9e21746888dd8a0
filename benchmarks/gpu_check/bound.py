"""Says how long the suite takes at least on a GPU, from counted operations and bytes.

No part of a run is faster than its operations at the GPU's float32 rate, nor than its bytes at the
rate of the GPU's memory. The counts are PyTorch's (impl_torch.counting); they are made on the CPU.

python -m benchmarks.gpu_check.bound [NETWORK ...]: prints the table of docs/gpu.md, or the rows of
these networks; two minutes of a core for all.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

from benchmarks.launch.worker import environment
from benchmarks.planning import disk
from benchmarks.planning.plan import Device, Selection, make_plan
from protocols.files import ROOT
from protocols.papers.papers import load_papers
from protocols.papers.variants import load_variants
from protocols.spec import RunSpec

FLOPS, BYTES = 48e12, 2.4e12  # a second: assumed of an H100 in float32
HOUR = 3600
Counts = dict[str, dict[str, float]]  # part of a run -> "flop" and "bytes" of one batch
HEADINGS = ("Network", "Runs", "Phase 1", "Phase 2", "FLOP", "Bytes", "Bound by", "Hours")


@dataclass(frozen=True)
class Needs:
    """The needs of some work: its operations, its bytes, and its seconds at least."""

    flop: float = 0.0
    bytes: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: "Needs") -> "Needs":
        return Needs(self.flop + other.flop, self.bytes + other.bytes, self.seconds + other.seconds)

    @property
    def bound(self) -> str:
        """What takes longer, at the GPU's rates: computing or moving bytes."""
        return "computing" if self.flop / FLOPS > self.bytes / BYTES else "memory"


def of_batches(counts: Counts, part: str, batches: float) -> Needs:
    """Returns the needs of so many batches of a part of a run."""
    flop, moved = (counts[part][kind] * batches for kind in ("flop", "bytes"))
    return Needs(flop, moved, max(flop / FLOPS, moved / BYTES))


def planned(names: tuple[str, ...] = ()) -> list[list[RunSpec]]:
    """Returns the training runs of `paper` in PyTorch on some GPU, by network."""
    gpu = {"torch": Device("torch", "a GPU", 0)}
    wish = Selection(frameworks=("torch",), variants=names, profile="paper")
    found: dict[str, list[RunSpec]] = {}
    for spec in make_plan(wish, "real", gpu, cores=1):
        if spec.stage == "train":
            found.setdefault(spec.variant, []).append(spec)
    return list(found.values())


def counted(specs: list[RunSpec]) -> list[Counts]:
    """Returns the counts of each run's batches. Raises CalledProcessError where PyTorch can't count
    them."""
    lines = [replace(spec, device="cpu", threads=1).to_json() for spec in specs]
    answer = subprocess.run(
        [sys.executable, "-m", "impl_torch.counting"],
        input="\n".join(lines),
        env=environment(Device("torch", "cpu"), 1),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        check=True,
    )
    return [json.loads(line) for line in answer.stdout.splitlines()]


def phases(runs: list[RunSpec], counts: Counts) -> Iterator[Needs]:
    """Yields what each phase of a network's runs needs. The features of a frozen CNN are computed
    once for all of them, and belong to the first phase."""
    size = runs[0].recipe["batch_size"]
    train, evaluated = (ceil(images / size) for images in disk.counts(runs[0]))
    for phase in runs[0].phases:
        number, epochs = phase["phase"], len(runs) * phase["epochs"]
        needs = of_batches(counts, f"train {number}", epochs * train)
        needs += of_batches(counts, f"evaluate {number}", epochs * evaluated)
        if phase["stored"]:
            images = sum(disk.counts(runs[0]))
            needs += of_batches(counts, "features", images / size)
        yield needs


def row(runs: list[RunSpec], counts: Counts) -> tuple[list[str], Needs]:
    """Returns a network's row of the table, and the needs of its runs."""
    own = list(phases(runs, counts))
    hours = [f"{needs.seconds / HOUR:.2f} h" for needs in own]
    total = sum(own, Needs())
    texts = [
        load_variants()[runs[0].variant].title,
        str(len(runs)),
        *hours,
        *["–"] * (2 - len(own)),
    ]
    return [*texts, *_sums(total)], total


def _sums(needs: Needs) -> list[str]:
    return [f"{needs.flop:.1e}", f"{needs.bytes:.1e}", needs.bound, f"{needs.seconds / HOUR:.2f}"]


def table(groups: list[list[RunSpec]], every: list[Counts]) -> list[str]:
    """Returns the lines of the table in Markdown, a network a row, and their sum."""
    rows, sums = zip(*map(row, groups, every), strict=True)
    total, runs = sum(sums, Needs()), sum(map(len, groups))
    last = ["All, one twin", str(runs), "", "", *_sums(total)]
    lines = [list(HEADINGS), ["---"] * len(HEADINGS), *rows, last]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def of_a_seed(groups: list[list[RunSpec]], every: list[Counts]) -> list[str]:
    """Returns a sentence for each paper: what one seed of its networks needs in one twin."""
    found: dict[str, float] = {}
    for runs, counts in zip(groups, every, strict=True):
        paper, seeds = load_variants()[runs[0].variant].paper, len({run.seed for run in runs})
        found[paper] = found.get(paper, 0.0) + sum(n.flop for n in phases(runs, counts)) / seeds
    named = load_papers()
    return [
        f"One seed of {named[paper].author}'s networks in one twin: {flop:.1e} FLOP."
        for paper, flop in found.items()
    ]


if __name__ == "__main__":
    chosen = planned(tuple(sys.argv[1:]))
    numbers = counted([runs[0] for runs in chosen])
    print(*table(chosen, numbers), "", *of_a_seed(chosen, numbers), sep="\n")
