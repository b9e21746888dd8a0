"""Runs on the nodes of a Ray cluster: computed there, stored here.

Nothing imports this module unless --ray or --gpu all asks for it. Ray sends the sources of this
suite to each node, so they are the same everywhere; `supplies` compares the rest.
"""

import contextlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError

from benchmarks.launch.devices import Choice, one_kind, real_devices
from benchmarks.launch.machines import Machine, machines, on
from benchmarks.launch.node import AUTH, Key, Node, look
from benchmarks.launch.supplies import Supplies, got
from benchmarks.launch.worker import WorkerDied
from benchmarks.planning.plan import Device
from benchmarks.terminal.console import counted
from protocols.errors import RequestError, one_line
from protocols.files import Progress
from protocols.runs.worker_loop import Job
from protocols.spec import RunSpec

TRIES = 4  # nodes that may be lost under one run
LOOK = 120.0  # seconds that a node has to answer when the launch begins
NO_TOKEN = (  # then Ray's calls to this process fail, and it is taken for dead
    "was started without a token, and this user has one (in ~/.ray/auth_token or the variable "
    f"RAY_AUTH_TOKEN); start Ray anew on every node, with the token, or set {AUTH}=disabled here"
)


@dataclass
class Cluster:
    """The cluster to which this process is connected. `say` is told of nodes that are left out."""

    say: Callable[[str], None]
    kind: str = ""  # the name of the GPUs that compute; "": CPUs do
    shared: Path | None = None  # a folder for checkpoints that every node sees
    excluded: dict[str, str] = field(default_factory=dict)  # node id -> why it isn't used

    def __post_init__(self) -> None:
        self.own = ray.get_runtime_context().get_node_id()
        self.cache: Path | None = None  # of this machine
        self._lock = threading.Lock()
        self.supplies = Supplies()
        there = ray.remote(num_cpus=0)(look)
        asked = {m: there.options(scheduling_strategy=on(m)).remote() for m in machines()}
        self.machines: dict[str, Machine] = {}
        for machine, answer in asked.items():
            try:
                kinds, auth = ray.get(answer, timeout=LOOK)
                self.machines[machine.id] = replace(machine, kinds=tuple(kinds[: machine.gpus]))
                if os.environ.get(AUTH) == "token" != auth:
                    raise RequestError(f"the Ray of node {machine.name} {NO_TOKEN}")
            except RayError as error:
                self.leave_out(machine, one_line(str(error))[:300])

    def leave_out(self, machine: Machine, why: str) -> None:
        """Gives the node no more work, and says why."""
        with self._lock:
            new = machine.id not in self.excluded
            self.excluded[machine.id] = f"node {machine.name} is left out: {why}"
        if new:
            self.say(self.excluded[machine.id])

    def choose(self, wish: str) -> Choice:
        """Returns where a request computes; `wish` is as --gpu takes it, but no number. Raises
        RequestError."""
        if wish.isdigit():
            raise RequestError(
                f"--ray computes on all GPUs of a kind: leave --gpu {wish} out, or give all:NAME"
            )
        there = [m for m in self.machines.values() if m.kinds]
        kinds = sorted({kind for m in there for kind in m.kinds})
        nodes = counted(len(self.machines), "node")
        if wish == "none" or (wish == "auto" and not kinds):
            return Choice(None, None, f"on the CPUs of {nodes}, by Ray", 1)
        self.kind = one_kind(wish, kinds, "no node of the cluster lists one by nvidia-smi")
        for machine in there:
            if {*machine.kinds} != {self.kind}:
                of = " and ".join(sorted({*machine.kinds}))
                self.leave_out(machine, f"it has {of}, and {self.kind} computes")
        used = [m for m in self._used() if m.kinds]
        if not used:
            raise RequestError(f"no node of the cluster has GPUs of the kind {self.kind} alone")
        count, nodes = sum(m.gpus for m in used), counted(len(used), "node")
        return Choice(self.kind, 0, f"on {self.kind}, {count} of them on {nodes}, by Ray", count)

    def _used(self) -> list[Machine]:
        return [m for m in self.machines.values() if m.id not in self.excluded]

    def room(self, cores: int) -> int:
        """Returns how many training runs there is room for at a time; at least 1. On CPUs a run
        takes half of `cores`."""
        places = (m.gpus if self.kind else m.cpus // max(1, cores // 2) for m in self._used())
        return max(1, sum(places))

    def check(self, specs: list[RunSpec]) -> None:
        """Raises RequestError if there is a run for which no node has enough CPUs."""
        needed = max((s.threads for s in specs if s.device == "cpu"), default=0)
        if all(m.cpus < needed for m in self._used()):
            raise RequestError(
                f"a run of this request takes {counted(needed, 'CPU')}, and no node of the cluster "
                "has so many; times to an answer take all those of the machine that launches"
            )

    def real_devices(
        self, expected: dict[str, Device], keras_backend: str, threads: int
    ) -> dict[str, Device]:
        """Returns what `devices.real_devices` finds on a node with a GPU. Raises RequestError."""
        if not self.kind:
            return expected
        ask = ray.remote(num_cpus=0, num_gpus=1)(real_devices).options(**self._where())
        return got(ask.remote(expected, keras_backend, threads))

    def _where(self) -> dict[str, Any]:
        """Returns Ray's words for the nodes that may be used; nodes that join later may be."""
        with self._lock:
            out = ",".join(self.excluded)
        return {"label_selector": {"ray.io/node-id": f"!in({out})"}} if out else {}

    def worker(self, key: Key, alone: bool) -> "RemoteWorker":
        """Returns a worker on a node; `alone`: it gets a node for itself, the same one each
        time. Raises RequestError if no node is left."""
        return RemoteWorker(self, key, alone)

    def actor(self, key: Key, alone: bool) -> Any:
        """Starts a process on a node as soon as there is room for it. Raises RequestError."""
        left = [m for m in machines() if m.id not in self.excluded]
        fit = [m for m in left if (m.gpus if self.kind else m.cpus >= key[2])]
        if not fit and (alone or self.excluded):
            raise RequestError("; ".join([*self.excluded.values(), "no node is left for the runs"]))
        if alone:
            machine = min(fit, key=lambda one: (one.id != self.own, one.name, one.id))
            how = {"num_cpus": machine.cpus, "num_gpus": machine.gpus}
            how["scheduling_strategy"] = on(machine)
        else:
            how = {"num_gpus": 1, "num_cpus": 0} if self.kind else {"num_cpus": key[2]}
            how |= self._where()
        return ray.remote(OnNode).options(**how).remote(self.own, self.cache)

    def machine(self, node: str) -> Machine:
        """Returns the node of this id."""
        return next((m for m in machines() if m.id == node), Machine(node, node[:8], 0, 0))

    def close(self) -> None:
        """Leaves the cluster, which ends what still runs there for this process."""
        ray.shutdown()


class OnNode(Node):
    """A `Node` that knows whether it is on the machine that launches, whose cache it then takes."""

    def __init__(self, launching: str, cache: Path | None) -> None:
        self.id = ray.get_runtime_context().get_node_id()
        super().__init__(cache if self.id == launching else None)

    def where(self) -> str:
        """Returns the id of the node."""
        return self.id


class RemoteWorker:
    """A worker on a node, used as a `worker.Worker` is. `close` kills it."""

    def __init__(self, cluster: Cluster, key: Key, alone: bool) -> None:
        self.key = key
        self._cluster, self._alone, self._closed = cluster, alone, False
        self._actor = cluster.actor(key, alone)
        self._checked: set[Path] = set()  # the sets of images with which it may run

    def run(
        self,
        specs: list[RunSpec],
        jobs: list[Job],
        progress: Progress,
        note: Callable[[str], None],
    ) -> None:
        """Has one run computed, or several together, and puts their files into the jobs' folders.
        Where a node is lost, or is refused, they go elsewhere. Raises RunFailed, WorkerDied, or
        RequestError if no node is left."""
        lost, name = 0, "a node"
        while True:
            try:
                machine = self._cluster.machine(got(self._actor.where.remote()))
                name = f"the node {machine.name}"
                if jobs[0].images in self._checked:
                    return self._run(machine, specs, jobs, progress, note)
                if why := self._unfit(machine, jobs[0]):
                    self._cluster.leave_out(machine, why)
                    self._again()
                else:
                    self._checked.add(jobs[0].images)
            except RayActorError as error:
                lost += 1
                if self._closed:
                    raise WorkerDied("interrupted") from None
                if lost == TRIES:
                    why = one_line(str(error))[:300]
                    raise WorkerDied(
                        f"{lost} nodes were lost while they computed it ({why})"
                    ) from None
                note(f"{name} was lost; {specs[0].id} goes to another")
                self._again()

    def _unfit(self, machine: Machine, job: Job) -> str:
        """Compares the node with this machine, and sends what it lacks. Returns why it can't be
        used, or ""."""
        cluster, actor = self._cluster, self._actor
        if cluster.kind and (kind := got(actor.gpu.remote())) != cluster.kind:
            return f"it has {kind or 'no GPU'}, and {cluster.kind} computes"
        if cluster.shared and not got(actor.sees.remote(cluster.shared)):
            return f"it doesn't see the folder {cluster.shared} (--checkpoints)"
        sent_to = "" if machine.id == cluster.own else machine.id
        return cluster.supplies.unfit(actor, self.key, job, sent_to)

    def _run(
        self,
        machine: Machine,
        specs: list[RunSpec],
        jobs: list[Job],
        progress: Progress,
        note: Callable[[str], None],
    ) -> None:
        own = machine.id == self._cluster.own
        keeps = own or self._cluster.shared is not None
        room = machine.gpus if self._cluster.kind else machine.cpus // max(1, self.key[2])
        sent = [replace(job, at_once=max(1, min(job.at_once, room))) for job in jobs]
        events = self._actor.run.options(num_returns="streaming").remote(
            self.key, specs, sent, machine.name, not own, keeps
        )
        folders, failed = iter(jobs), None
        for reference in events:
            kind, found = got(reference)
            if kind == "progress":
                progress(*found)
            elif kind == "note":
                note(found)
            elif kind == "files":
                folder = next(folders).folder
                for file, content in found.items():
                    (folder / file).write_bytes(content)
            else:
                failed = type(found)(f"{found} (on the node {machine.name})")
        if failed:
            raise failed

    def _again(self) -> None:
        """Starts anew, on another node."""
        self._kill()
        self._checked.clear()
        self._actor = self._cluster.actor(self.key, self._alone)
        if self._closed:
            self._kill()
            raise WorkerDied("interrupted")

    def _kill(self) -> None:
        with contextlib.suppress(RayError, ValueError):  # it is gone already
            ray.kill(self._actor)

    def close(self) -> None:
        """Ends the process on the node, whatever it does."""
        self._closed = True
        self._kill()
