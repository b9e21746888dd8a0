"""Makes the complete list of runs that a request asks for."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from benchmarks.planning import disk
from benchmarks.planning import overrides as changes
from protocols.errors import RequestError
from protocols.images import decoded
from protocols.images.dataset import Kind
from protocols.images.sets import SetRequest
from protocols.images.splits import FOLD_SEED, VALIDATION_SHARE
from protocols.papers.papers import folders, load_papers
from protocols.papers.recipes import OF_PROFILE, Profile, fold_count, load_profiles, values
from protocols.papers.variants import Variant, load_variants
from protocols.photographs import provenance
from protocols.spec import FIXED, FRAMEWORKS, PROTOCOLS, RunSpec
from protocols.weights.table import digest_of

INITS = ("own", "shared")
PRECISIONS = ("float32", "tf32", "bfloat16")
BATCHING = ("torch", "jax")  # backends that train several networks as one computation
GPU_THREADS = 8  # of each run on a GPU: the run's id must not name the host's cores
OF_LATENCY = ("latency_repeats", "latency_warmup", "latency_engines", "cold_repeats")
set_digest = cache(decoded.set_digest)  # many runs of a plan draw from one set


@dataclass(frozen=True)
class Device:
    """The place where a framework computes: its backend, and "cpu" or the GPU's name and number."""

    backend: str
    name: str
    index: int | None = None


@dataclass(frozen=True)
class Selection:
    """The wishes of a request. An empty tuple means: as the suite and the profile have it."""

    suite: str = ""  # "": those of the papers, and the others where the profile is for them too
    frameworks: tuple[str, ...] = FRAMEWORKS
    variants: tuple[str, ...] = ()
    protocol: str = ""
    profile: str = "smoke"
    seeds: tuple[int, ...] = ()
    folds: tuple[int, ...] = ()
    weights: str = ""  # as --weights takes them; "": the profile's choice
    init: str = "own"
    precision: str = "float32"
    deterministic: bool = False
    changes: tuple[str, ...] = ()  # the "key=value" words of --set, for sensitivity runs


def suites() -> tuple[str, ...]:
    """Returns the words that --suite takes; "all" stands for the suites of all papers."""
    return (*folders(), "all")


def _one_of(word: str, known: Iterable[str], what: str, flag: str) -> str:
    if word not in known:
        raise RequestError(f"unknown {what} {word!r}; give {flag} one of: {', '.join(known)}")
    return word


def chosen_variants(selection: Selection) -> list[Variant]:
    """Returns the variants of the suite, or those that were named. Raises RequestError on a variant
    that is unknown, or not in the suite."""
    known, profile = load_variants(), chosen_profile(selection.profile)
    for name in selection.variants:
        _one_of(name, known, "variant", "--variant")
    _one_of(selection.suite or "all", suites(), "suite", "--suite")
    papers = tuple(load_papers())
    unsaid = folders() if selection.variants or profile.with_control else papers
    asked = {"": unsaid, "all": papers}.get(selection.suite, (selection.suite,))
    named = [v for v in known.values() if not selection.variants or v.name in selection.variants]
    picked = [v for v in named if v.suite in asked]
    outside = [v for v in named if v not in picked] if selection.variants else []
    for v in outside:
        raise RequestError(
            f"variant {v.name} is in suite {v.suite}, not in {selection.suite}; leave --suite out"
        )
    return picked


def chosen_profile(name: str) -> Profile:
    """Returns the profile of this name. Raises RequestError on an unknown name."""
    profiles = load_profiles()
    return profiles[_one_of(name, profiles, "profile", "--profile")]


def chosen_weights(selection: Selection, profile: Profile, variant: Variant) -> dict[str, Any]:
    """Returns source and digest of a variant's starting weights; a folder holds the same files."""
    if (selection.weights or profile.weights) == "random":
        return {"source": "random", "digest": None}
    return {"source": "imagenet", "digest": digest_of(variant.backbones)}


def _check_precision(selection: Selection, devices: dict[str, Device]) -> None:
    """Raises RequestError on an unknown precision, or on tf32 where a framework runs on the CPU."""
    name = _one_of(selection.precision, PRECISIONS, "precision", "--precision")
    if name == "tf32" and any(devices[f].name == "cpu" for f in selection.frameworks):
        raise RequestError(
            "tf32 is a mode of NVIDIA GPUs, and this request runs on the CPU; give --gpu N, or "
            "--precision float32"
        )


def _check_folds(folds: tuple[int, ...], protocols: set[str]) -> None:
    """Raises RequestError on a fold that doesn't exist, or on folds where no protocol has any."""
    n_folds = fold_count()
    wrong = [f for f in folds if not 0 <= f < n_folds]
    if wrong:
        raise RequestError(f"there is no fold {wrong[0]}; --folds takes 0 to {n_folds - 1}")
    if folds and protocols <= set(FIXED):
        names = " and ".join(sorted(protocols))
        raise RequestError(f"protocol {names} has no folds; leave --folds out")


def _folds(selection: Selection, profile: Profile, protocol: str) -> list[int | None]:
    if protocol in FIXED:
        return [None]
    return list(selection.folds or range(profile.cv_folds_run))


def _data(profile: Profile, protocol: str, fold: int | None, kind: Kind) -> dict[str, Any]:
    """Returns the data part of a spec; `digest` names the decoded set from which the run draws."""
    data: dict[str, Any] = {"kind": kind, **profile.of_images(protocol)}
    if protocol == "fixed-grouped":
        data["validation_share"] = VALIDATION_SHARE
        data["groups"] = provenance.groups_digest() if kind == "real" else None
    elif protocol not in FIXED:
        data["n_folds"] = fold_count()
    data["digest"] = set_digest(kind, set_request(protocol, fold, data))
    return data


def set_request(protocol: str, fold: int | None, data: dict[str, Any]) -> SetRequest:
    """Returns the request for the decoded set from which the data part of a spec draws."""
    more = {}
    if protocol in FIXED:
        protocol = "fixed"
    else:
        more = {"per_class": data["per_class"], "n_folds": data["n_folds"], "seed": FOLD_SEED}
    if protocol == "cv10-grouped":
        more["fold"] = fold
    return SetRequest(protocol, data["height"], data["width"], **more)


def recipe_of(variant: Variant, profile: Profile) -> dict[str, Any]:
    """Returns the values of a network's recipe, with the profile's own values in place of some."""
    recipe = values(variant.paper)
    numbers = OF_PROFILE.items()
    return recipe | {key: profile.number(n, variant.suite) for key, n in numbers if key in recipe}


def check(selection: Selection, kind: Kind, devices: dict[str, Device]) -> None:
    """Raises RequestError on a request that can't be planned; quick, for it reads tables only.

    `kind` is "real" or "phantom"; `devices` are where each framework is expected to compute.
    """
    profile = chosen_profile(selection.profile)
    variants = chosen_variants(selection)
    changed = changes.read(list(selection.changes), variants)
    _one_of(selection.init, INITS, "initialisation", "--init")
    if selection.protocol:
        _one_of(selection.protocol, PROTOCOLS, "protocol", "--protocol")
    protocols = {selection.protocol or variant.published_protocol for variant in variants}
    _check_folds(selection.folds, protocols)
    if kind == "phantom" and not profile.phantom_allowed:
        raise RequestError(f"profile {profile.name} takes the real images only; give --data DIR")
    _check_precision(selection, devices)
    if "cnn_trained" in changed and (selection.weights or profile.weights) == "random":
        raise RequestError(
            "cnn_trained changes nothing where the weights are random, for then the CNN is trained "
            "in any case; give --weights imagenet, or leave --set cnn_trained out"
        )
    if "batch_size" in changed:
        data = {name: _data(profile, name, 0, kind) for name in protocols}
        least = min(disk.counts_of(name, data[name])[0] for name in protocols)
        if changed["batch_size"] > least:
            raise RequestError(
                f"--set batch_size={changed['batch_size']} is more than the {least} images that a "
                "run of this request trains on"
            )


def make_plan(
    selection: Selection, kind: Kind, devices: dict[str, Device], cores: int
) -> list[RunSpec]:
    """Returns every run of a request: first the training runs, then one latency run for each
    variant and framework (none where a value is changed).

    `kind` is "real" or "phantom". On a CPU a training run takes half of the cores, so that two
    workers fill the machine; a latency run, which runs alone, takes all. A run on a GPU takes
    GPU_THREADS, whatever the host has. Raises RequestError where `check` does.
    """
    check(selection, kind, devices)
    profile = chosen_profile(selection.profile)
    variants = chosen_variants(selection)
    changed = changes.read(list(selection.changes), variants)
    training, latency = [], []
    for variant in variants:
        recipe = recipe_of(variant, profile) | changes.of(variant, changed)
        protocol = selection.protocol or variant.published_protocol
        for framework in selection.frameworks:
            device = devices[framework]
            on_cpu = device.name == "cpu"
            alone = RunSpec(
                stage="latency",
                framework=framework,
                backend=device.backend,
                variant=variant.name,
                protocol="fixed",
                fold=None,
                seed=0,
                profile=profile.name,
                recipe=recipe | {name: getattr(profile, name) for name in OF_LATENCY},
                data=_data(profile, "fixed", None, kind),
                weights=chosen_weights(selection, profile, variant),
                init=selection.init,
                device=device.name,
                precision=selection.precision,
                threads=cores if on_cpu else GPU_THREADS,
                deterministic=selection.deterministic,
            )
            latency.append(alone)
            training += [
                replace(
                    alone,
                    stage="train",
                    protocol=protocol,
                    fold=fold,
                    seed=seed,
                    recipe=recipe,
                    data=_data(profile, protocol, fold, kind),
                    threads=max(1, cores // 2) if on_cpu else GPU_THREADS,
                )
                for fold in _folds(selection, profile, protocol)
                for seed in selection.seeds or profile.seeds
            ]
    return training + ([] if changed else latency)


def trained_together(specs: list[RunSpec]) -> list[list[RunSpec]]:
    """Returns the runs in groups, each of which is trained as one computation. The runs of a group
    differ in fold and seed only, run on stored features in every phase, and on a GPU that they
    would leave idle one by one. Every other run is alone: on a CPU a batch of ten heads costs 1.0
    to 1.3 times ten single ones."""
    groups: dict[str, list[RunSpec]] = {}
    for spec in specs:
        can = spec.protocol == "cv10" and spec.device != "cpu" and spec.backend in BATCHING
        can = can and not spec.deterministic  # a sum's order depends on how many are summed
        can = can and spec.heads_only
        key = replace(spec, fold=None, seed=0).id if can else spec.id
        groups.setdefault(key, []).append(spec)
    return list(groups.values())
