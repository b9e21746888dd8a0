"""Measures the latency of one network: cold starts in new processes, then the warm figures."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.launch.worker import LatencyProcess
from benchmarks.planning.plan import Device
from protocols import load, stops
from protocols.runs.latency import summary
from protocols.runs.record import write_json
from protocols.runs.worker_loop import Job
from protocols.spec import RunSpec


@dataclass(frozen=True)
class Latency:
    """A latency run. `keep` gets each process that is started, `retire` ends the process, and `say`
    prints a line."""

    spec: RunSpec
    device: Device
    job: Job
    keep: Callable[[LatencyProcess], None]
    retire: Callable[[LatencyProcess], None]
    say: Callable[[str], None]

    def measure(self) -> None:
        """Measures cold starts, the last of which goes on to the warm figures, and adds them to the
        run's timings.json, with the load that others put on the machine meanwhile."""
        begin, before = stops.running_seconds(), stops.count()
        repeats = self.spec.recipe["cold_repeats"]
        found: dict[str, Any] = {}
        with load.watched() as others:
            stages = [*["cold"] * (repeats - 1), "all"]
            found["cold"] = summary([self.cold(stage) for stage in stages])
            if self.spec.backend == "jax":
                found["cold_cached"] = summary(self.with_programs(repeats))
        found |= {
            "load": others,
            "total_seconds": stops.running_seconds() - begin,
            "stops": stops.count() - before,
        }
        write_json(self.job.folder / "timings.json", found, add=True)
        if (busy := others["during"]) is not None and busy > load.BUSY:
            self.say(
                f"{self.spec.id}: other processes kept {busy:.1f} cores busy meanwhile; the report "
                "marks its times"
            )

    def with_programs(self, repeats: int) -> list[float]:
        """Returns the seconds of cold starts of JAX that find their programs compiled: by a start
        before them, which isn't counted."""
        with tempfile.TemporaryDirectory() as folder:
            starts = [self.cold("cold", Path(folder)) for _ in range(1 + repeats)]
        return starts[1:]

    def cold(self, stage: str, compiled: Path | None = None) -> float:
        """Returns the seconds of one undisturbed cold start, of a process of this `stage`, which
        keeps what JAX compiles in the folder `compiled`, if there is one."""
        while True:
            process = LatencyProcess(self.spec, self.device, self.job, stage, compiled)
            self.keep(process)
            try:
                seconds, stopped = process.cold_seconds()
                if not stopped:
                    process.finish()
                    return seconds
            finally:
                self.retire(process)
            self.say(f"{self.spec.id}: stopped during a cold start, which is measured again")
