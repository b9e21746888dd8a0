"""Turns the words of a command line into the request that they mean."""

from __future__ import annotations

import argparse
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.launch.devices import chosen_gpu, expected_devices
from benchmarks.planning.plan import Selection, chosen_profile
from benchmarks.planning.request import Request
from protocols.errors import RequestError
from protocols.files import default_cache
from protocols.hardware import cores
from protocols.images import dataset
from protocols.spec import FRAMEWORKS
from protocols.weights.files import AT_HAND, IMAGENET

if TYPE_CHECKING:
    from benchmarks.launch.cluster import Cluster
    from benchmarks.terminal.console import Console


def connected(args: argparse.Namespace, console: Console) -> Cluster | None:
    """Returns the Ray cluster on which the runs are computed; None where this process starts them.
    Without --ray and --gpu all nothing of Ray is imported. Raises RequestError."""
    on_this_machine = args.gpu.startswith("all") and not args.plan
    if not args.ray and not on_this_machine:
        return None
    if not find_spec("ray"):
        raise RequestError(
            "--ray and --gpu all need Ray, which isn't installed here: "
            "pip install -r requirements-many.txt, or leave them out"
        )
    # `ray start` asks all who connect for the user's token, if there is one; the variable is read
    # when Ray is imported
    if args.ray and (Path("~").expanduser() / ".ray" / "auth_token").is_file():
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    from benchmarks.launch.cluster import Cluster  # noqa: PLC0415 (may lack a package)
    from benchmarks.launch.machines import join  # noqa: PLC0415 (may lack a package)

    console.doing("connecting to Ray")
    join(args.ray, args.gpu)
    found = Cluster(console.say)
    found.cache, found.shared = args.cache or default_cache(), args.checkpoints
    return found


def requested(args: argparse.Namespace, cluster: Cluster | None = None) -> Request:
    """Returns the request, checked before anything slow is done, or raises RequestError. `cluster`:
    what computes it in place of this machine."""
    where = cluster.choose(args.gpu) if cluster else chosen_gpu(args.gpu)
    room = cluster.room(cores()) if cluster else where.at_a_time
    wish, jobs = selection(args, where.gpu), args.jobs or room
    profile, cache = chosen_profile(wish.profile), args.cache or default_cache()
    backend = os.environ.get("KERAS_BACKEND", "")
    devices = expected_devices(wish.frameworks, where.gpu, where.index, backend)
    if args.weights not in ("", "random", IMAGENET, AT_HAND) and not os.path.isdir(args.weights):
        raise RequestError(
            f"{args.weights} (--weights) is no folder that can be read; give the folder that holds "
            "the files, or imagenet, at-hand or random"
        )
    source = dataset.locate(args.data, profile.phantom_allowed, cache)
    return Request(wish, where.why, devices, backend, source, cores(), cache, jobs)


def selection(args: argparse.Namespace, gpu: str | None) -> Selection:
    """Returns which runs are wanted. `gpu`: the name of the GPU that computes; None for the CPU."""
    return Selection(
        suite=args.suite,
        frameworks=FRAMEWORKS if args.framework == "both" else (args.framework,),
        variants=tuple(args.variant),
        protocol=args.protocol,
        profile=args.profile or ("paper" if gpu else "smoke"),
        seeds=args.seeds,
        folds=args.folds,
        weights=args.weights,
        init=args.init,
        precision=args.precision,
        deterministic=args.deterministic,
        changes=tuple(args.changes),
    )
