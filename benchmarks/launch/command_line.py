"""Turns the words of a command line into the request that they mean."""

import argparse
import os

from benchmarks.launch.devices import chosen_gpu, expected_devices
from benchmarks.planning.plan import Selection, chosen_profile
from benchmarks.planning.request import Request
from protocols.errors import RequestError
from protocols.files import default_cache
from protocols.hardware import cores
from protocols.images import dataset
from protocols.spec import FRAMEWORKS
from protocols.weights.files import AT_HAND, IMAGENET


def requested(args: argparse.Namespace) -> Request:
    """Returns the request, checked before anything slow is done, or raises RequestError."""
    where = chosen_gpu(args.gpu)
    wish, jobs = selection(args, where.gpu), args.jobs or (1 if where.gpu else 2)
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
