"""From a request to the complete list of runs."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from benchmarks.planning import disk
from benchmarks.planning import overrides as changes
from protocols.errors import RequestError
from protocols.images import decoded
from protocols.images.sets import SetRequest
from protocols.images.splits import FOLD_SEED, VALIDATION_SHARE
from protocols.papers.papers import folders, load_papers
from protocols.papers.recipes import OF_PROFILE, Profile, fold_count, load_profiles, values
from protocols.papers.variants import Variant, load_variants
from protocols.photographs import provenance
from protocols.spec import FIXED, FRAMEWORKS, PROTOCOLS, RunSpec
from protocols.weights import files as weight_files

INITS = ("own", "shared")
PRECISIONS = ("float32", "tf32", "bfloat16")
BATCHING = ("torch", "jax")  # backends that train several networks as one computation
GPU_THREADS = 8  # of a run on a GPU, in both stages: its id must not name the host's cores
set_digest = cache(decoded.set_digest)  # many runs of a plan draw from one set


@dataclass(frozen=True)
class Device:
    """Where a framework computes: backend, "cpu" or the GPU's name and number."""

    backend: str
    name: str
    index: int | None = None


@dataclass(frozen=True)
class Selection:
    """What was asked for. Empty tuples mean: as the suite and the profile have it."""

    suite: str = ""  # the profile's only one, or all
    frameworks: tuple[str, ...] = FRAMEWORKS
    variants: tuple[str, ...] = ()
    protocol: str = ""
    profile: str = "smoke"
    seeds: tuple[int, ...] = ()
    folds: tuple[int, ...] = ()
    weights: str = ""  # "imagenet", "random", a folder of files; "": the profile's
    init: str = "own"
    precision: str = "float32"
    deterministic: bool = False
    changes: tuple[str, ...] = ()  # "key=value" of --set: sensitivity runs


def suites() -> tuple[str, ...]:
    """What --suite takes; all: the papers'."""
    return (*folders(), "all")


def _one_of(word: str, known: Iterable[str], what: str, flag: str) -> str:
    if word not in known:
        raise RequestError(f"unknown {what} {word!r}; give {flag} one of: {', '.join(known)}")
    return word


def chosen_variants(selection: Selection) -> list[Variant]:
    """The variants of the suite, or those named. Raises RequestError on one that is unknown, or not
    in the suite or the profile."""
    known, profile = load_variants(), chosen_profile(selection.profile)
    for name in selection.variants:
        _one_of(name, known, "variant", "--variant")
    _one_of(selection.suite or "all", suites(), "suite", "--suite")
    papers = tuple(load_papers())
    unsaid = profile.suites or (folders() if selection.variants else papers)  # names need no suite
    asked = {"": unsaid, "all": papers}.get(selection.suite, (selection.suite,))
    named = [v for v in known.values() if not selection.variants or v.name in selection.variants]
    picked = [v for v in named if v.suite in asked]
    outside = [v for v in named if v not in picked] if selection.variants else []
    if profile.suites and (outside or not {v.suite for v in picked} <= set(profile.suites)):
        only = " and ".join(profile.suites)
        which = "".join(f"; {v.name} is in suite {v.suite}" for v in outside[:1])
        raise RequestError(
            f"profile {profile.name} is for the variants of suite {only} only{which}"
        )
    for v in outside:
        raise RequestError(
            f"variant {v.name} is in suite {v.suite}, not in {selection.suite}; leave --suite out"
        )
    return picked


def chosen_profile(name: str) -> Profile:
    """The profile of that name. Raises RequestError on an unknown one."""
    profiles = load_profiles()
    return profiles[_one_of(name, profiles, "profile", "--profile")]


def chosen_weights(selection: Selection, profile: Profile, variant: Variant) -> dict[str, Any]:
    """Source and digest of a variant's starting weights; a folder holds the same files."""
    if (selection.weights or profile.weights) == "random":
        return {"source": "random", "digest": None}
    return {"source": "imagenet", "digest": weight_files.digest_of(variant.backbones)}


def chosen_precision(selection: Selection, devices: dict[str, Device]) -> str:
    """The arithmetic of both twins. Raises RequestError on an unknown one, or tf32 on a CPU."""
    name = _one_of(selection.precision, PRECISIONS, "precision", "--precision")
    if name == "tf32" and any(devices[f].name == "cpu" for f in selection.frameworks):
        raise RequestError(
            "tf32 is a mode of NVIDIA GPUs, and this request runs on the CPU; give --gpu N, or "
            "--precision float32"
        )
    return name


def _check_folds(folds: tuple[int, ...], protocols: set[str]) -> None:
    """Raises RequestError on a fold that there is none of, or where no protocol has folds."""
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


def _data(profile: Profile, protocol: str, fold: int | None, kind: str) -> dict[str, Any]:
    """The data part of a spec; `digest` names the decoded set, all else draws from it."""
    data: dict[str, Any] = {"kind": kind, "height": profile.height, "width": profile.width}
    if protocol in FIXED:
        data["train_per_class"] = profile.train_per_class
        data["test_per_class"] = profile.test_per_class
        if protocol == "fixed-grouped":
            data["validation_share"] = VALIDATION_SHARE
            data["groups"] = provenance.groups_digest() if kind == "real" else None
    else:
        grouped = protocol == "cv10-grouped"
        wanted = profile.cv_grouped_train_per_class if grouped else profile.cv_per_class
        data["per_class"] = wanted
        data["n_folds"] = fold_count()
    data["digest"] = set_digest(kind, set_request(protocol, fold, data))
    return data


def set_request(protocol: str, fold: int | None, data: dict[str, Any]) -> SetRequest:
    """The decoded set that a spec's data part draws from."""
    more = {}
    if protocol in FIXED:
        protocol = "fixed"
    else:
        more = {"per_class": data["per_class"], "n_folds": data["n_folds"], "seed": FOLD_SEED}
    if protocol == "cv10-grouped":
        more["fold"] = fold
    return SetRequest(protocol, data["height"], data["width"], **more)


def _recipe(variant: Variant, profile: Profile) -> dict[str, Any]:
    recipe = values(variant.paper)
    own = {key: getattr(profile, name) for key, name in OF_PROFILE.items() if key in recipe}
    return recipe | own


def make_plan(
    selection: Selection, kind: str, devices: dict[str, Device], cores: int
) -> list[RunSpec]:
    """Every run asked for: training first, then one latency run a variant and framework (none
    where a value is changed).

    `kind` is "real" or "phantom". On a CPU training takes half of the cores, so that two workers
    fill the machine; latency, alone, takes all. A run on a GPU takes GPU_THREADS, whatever the
    host has. Raises RequestError.
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
    common: dict[str, Any] = {
        "profile": profile.name,
        "init": selection.init,
        "precision": chosen_precision(selection, devices),
        "deterministic": selection.deterministic,
    }
    training, latency = [], []
    for variant in variants:
        recipe = _recipe(variant, profile) | changes.of(variant, changed)
        protocol = selection.protocol or variant.published_protocol
        for framework in selection.frameworks:
            device = devices[framework]
            on_cpu = device.name == "cpu"
            own = common | {
                "framework": framework,
                "backend": device.backend,
                "device": device.name,
                "variant": variant.name,
                "weights": chosen_weights(selection, profile, variant),
            }
            training += [
                RunSpec(
                    stage="train",
                    protocol=protocol,
                    fold=fold,
                    seed=seed,
                    recipe=recipe,
                    data=_data(profile, protocol, fold, kind),
                    threads=max(1, cores // 2) if on_cpu else GPU_THREADS,
                    **own,
                )
                for fold in _folds(selection, profile, protocol)
                for seed in selection.seeds or profile.seeds
            ]
            repeats = {
                "latency_repeats": profile.latency_repeats,
                "latency_warmup": profile.latency_warmup,
                "latency_engines": profile.latency_engines,
                "cold_repeats": profile.cold_repeats,
            }
            latency.append(
                RunSpec(
                    stage="latency",
                    protocol="fixed",
                    fold=None,
                    seed=0,
                    recipe=recipe | repeats,
                    data=_data(profile, "fixed", None, kind),
                    threads=cores if on_cpu else GPU_THREADS,
                    **own,
                )
            )
    if "batch_size" in changed:
        _check_batch(changed["batch_size"], training)
    return training + ([] if changed else latency)


def _check_batch(size: int, specs: list[RunSpec]) -> None:
    """Raises RequestError if a run trains on fewer images than one batch."""
    least = min(disk.counts(spec)[0] for spec in specs)
    if size > least:
        raise RequestError(
            f"--set batch_size={size} is more than the {least} images that a run of this request "
            "trains on"
        )


def together(specs: list[RunSpec]) -> list[list[RunSpec]]:
    """What is trained as one computation: runs that differ in fold and seed only, where every
    phase runs on stored features, on a GPU that they would leave idle one by one. All others
    alone: on a CPU a batch of ten heads costs 1.0 to 1.3 times ten single ones."""
    groups: dict[str, list[RunSpec]] = {}
    for spec in specs:
        can = spec.protocol == "cv10" and spec.device != "cpu" and spec.backend in BATCHING
        can = can and not spec.deterministic  # a sum's order depends on how many are summed
        can = can and spec.heads_only
        key = replace(spec, fold=None, seed=0).id if can else spec.id
        groups.setdefault(key, []).append(spec)
    return list(groups.values())
