"""Joins a Ray cluster, and tells which machines are in it."""

import logging
import os
import secrets
from dataclasses import dataclass
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from benchmarks.launch.devices import one_kind
from protocols import nvidia
from protocols.errors import RequestError, one_line
from protocols.files import ROOT
from protocols.hardware import CHOOSING

SOURCES = ("benchmarks", "impl_keras", "impl_torch", "protocols")  # are sent to each node
STORE = 300_000_000  # bytes of the object store of a Ray on this machine alone: nothing is sent


@dataclass(frozen=True)
class Machine:
    """A node: its id, its name, the CPUs and GPUs that Ray gives out there, and the GPUs' names."""

    id: str
    name: str
    cpus: int
    gpus: int
    kinds: tuple[str, ...] = ()


def join(address: str, wish: str) -> None:
    """Connects this process to the cluster at `address`; "auto" is that of this machine, "" a new
    Ray on this machine alone, for the GPUs that --gpu wishes for. Raises RequestError."""
    if address.startswith("ray://"):
        raise RequestError(
            "--ray takes auto or HOST:PORT, typed on a machine of the cluster; ray:// can't be used"
        )
    here: dict[str, Any] = {"address": address}
    if not address:
        seen = nvidia.seen()
        kind = one_kind(wish, [gpu.name for gpu in seen.gpus], seen.lacking)
        own = [gpu.uuid for gpu in seen.gpus if gpu.name == kind]
        os.environ[nvidia.VARIABLE] = ",".join(own)
        here = {"address": "local", "num_gpus": len(own), "object_store_memory": STORE}
        here["include_dashboard"] = False
        # Ray would write one into the user's folder, and every later cluster would ask for it
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex())
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # else 15: beside other work, far slower
    choosing = {name: value for name, value in os.environ.items() if CHOOSING.fullmatch(name)}
    others = [f"/{path.name}" for path in ROOT.iterdir() if path.name not in SOURCES]
    sent = {"working_dir": str(ROOT), "excludes": others, "env_vars": choosing}
    try:
        ray.init(**here, runtime_env=sent, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray raises many kinds, among them Exception itself
        raise RequestError(
            f"there is no Ray cluster to use at {address!r} ({one_line(str(error))[:300]}); start "
            "one with ray start --head, or leave --ray out"
        ) from None


def machines() -> list[Machine]:
    """Returns the nodes that are up, by name."""
    found = []
    for node in ray.nodes():
        named, address, host = (
            node[key] for key in ("NodeName", "NodeManagerAddress", "NodeManagerHostname")
        )
        cpus, gpus = (int(node["Resources"].get(key, 0)) for key in ("CPU", "GPU"))
        if node["Alive"]:
            name = host if named == address else named
            found.append(Machine(node["NodeID"], name, cpus, gpus))
    return sorted(found, key=lambda one: (one.name, one.id))


def on(machine: Machine) -> Any:
    """Returns Ray's word for this node and no other."""
    return NodeAffinitySchedulingStrategy(machine.id, soft=False)
