"""What env.json says of a run's machine."""

from typing import Any

SHORT = 12  # hexadecimal digits shown of a digest


NOT_RECORDED = "not recorded"  # of runs made before it was


KINDS = {"md5": "MD5", "sha256": "SHA-256"}


def short(digest: str) -> str:
    """The first digits of a digest, or of several joined by "+"; the kind if it is named."""
    parts = []
    for part in digest.split("+"):
        kind, _, digits = part.rpartition(":")
        parts.append(f"{KINDS.get(kind, kind)} {digits[:SHORT]}".strip())
    return " + ".join(parts)


def instructions_of(env: dict[str, Any]) -> str:
    """The processor's instructions that kernels are chosen by, as env.json has them."""
    return str(env.get("instruction_set", NOT_RECORDED))


def variables_of(env: dict[str, Any]) -> str:
    """The variables of the environment that choose kernels, as env.json has them."""
    found = env.get("variables")
    if not isinstance(found, dict):
        return NOT_RECORDED
    return ", ".join(f"{name}={value}" for name, value in sorted(found.items())) or "none set"
