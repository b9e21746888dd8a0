"""Lists what is recorded of where and how a run ran, each fact once, and how each is written."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from protocols.spec import RunSpec
from reports.cells.settings import scrub

SHORT = 12  # the number of hexadecimal digits that are shown of a digest
NONE = "–"
NOT_RECORDED = "not recorded"  # stands for a fact of runs made before it was recorded
FAMILIES = re.compile(r"^(avx512|amx|sse4|sve|sme)\w*")  # of instructions, many of which have names
DIGESTS = {"md5": "MD5", "sha256": "SHA-256", "content": "contents"}
INSTRUCTIONS = "CPU instructions"

Environment = dict[str, Any]  # the content of env.json


@dataclass(frozen=True)
class Fact:
    """One fact of where and how a run ran."""

    name: str
    read: Callable[[RunSpec, Environment], object]
    of_environment: bool = True  # whether env.json alone decides it


def _variables(spec: RunSpec, env: Environment) -> str:
    found = env.get("variables")
    if not isinstance(found, dict):
        return NOT_RECORDED
    return ", ".join(f"{name}={value}" for name, value in sorted(found.items())) or "none set"


FACTS = (
    Fact("device", lambda spec, env: env.get("device", spec.device)),
    Fact("device, in detail", lambda spec, env: env.get("device_detail")),
    Fact(INSTRUCTIONS, lambda spec, env: env.get("instruction_set", NOT_RECORDED)),
    Fact("variables that choose kernels", _variables),
    Fact("backend", lambda spec, env: env.get("backend", spec.backend)),
    Fact("engine", lambda spec, env: env.get("engine")),
    Fact("CPU threads", lambda spec, env: env.get("threads", spec.threads)),
    Fact("precision", lambda spec, env: spec.precision, of_environment=False),
    Fact("deterministic", lambda spec, env: spec.deterministic, of_environment=False),
    Fact("the same run again", lambda spec, env: env.get("repeatable")),
    Fact("Python", lambda spec, env: env.get("python")),
    Fact("platform", lambda spec, env: env.get("platform")),
    Fact("contract", lambda spec, env: spec.contract, of_environment=False),
)


def as_text(value: object) -> str:
    """Returns a recorded value as the pages write it: without folders, and a dash for no value."""
    return NONE if value in (None, "") else scrub(str(value))


def short_instructions(text: str) -> str:
    """Returns the instructions of a processor with a count for a family that has several names, as
    "avx, avx2, avx512 (13 kinds)"; a sentence on why they aren't known stays."""
    if text in ("", NONE) or text.startswith("not "):
        return text
    found = Counter(FAMILIES.sub(r"\1", word) for word in text.split())
    return ", ".join(f"{n} ({count} kinds)" if count > 1 else n for n, count in found.items())


def packages(env: Environment) -> dict[str, str]:
    """Returns by package the version that the run used, sorted by the package's name."""
    return {name: as_text(v) for name, v in sorted(env.get("versions", {}).items())}


def short(digest: str) -> str:
    """Returns the first digits of a digest, or of several joined by "+", with the kind if it's
    named."""
    parts = []
    for part in digest.split("+"):
        kind, _, digits = part.rpartition(":")
        parts.append(f"{DIGESTS.get(kind, kind)} {digits[:SHORT]}".strip())
    return " + ".join(parts)
