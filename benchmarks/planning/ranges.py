"""Reads typed words: every number has its range here, and every path its greatest length.

Each function reads a word or raises RequestError with the end of a sentence, "takes ..., not ...",
whose beginning is the flag.
"""

import os
import re
from pathlib import Path

from protocols.errors import RequestError

SEEDS = (0, 2**32 - 1)
FOLDS = (0, 2**32 - 1)  # the plan checks which folds exist
GPUS = (0, 999)
JOBS = (1, 256)
LIST = "numbers as 0,1,2 or a range as 0-2: "
MANY = 1000  # the most numbers that a list of --seeds or --folds names
BELOW = 300  # bytes that the names below a typed folder take: a run's id, a file of the data

# The ranges of the values that --set changes. A whole number may be either end; a real number may
# be the lower end, but not the upper. The upper ends are far beyond what the papers' networks can
# use; the first step of a run finds out what a GPU can't hold.
WHOLE = {
    "epochs": (1, 10_000),
    "phase1_epochs": (1, 10_000),
    "phase2_epochs": (1, 10_000),
    "batch_size": (1, 10_000),
    "calibration_images": (1, 10_000),
    "grey_pooling": (1, 64),
    "lstm_units": (1, 4096),
    "projection_units": (1, 8192),
    "map_channels": (1, 8192),
}
REAL = {
    "label_smoothing": (0, 1),
    "rmsprop_rho": (0, 1),
    "adam_beta1": (0, 1),
    "adam_beta2": (0, 1),
    "rate": (0, 10),
    "phase1_rate": (0, 10),
    "phase2_rate": (0, 10),
    "epsilon": (1e-12, 1),
    "l2": (0, 10),
    "dropout": (0, 1),
    "resnet50_epsilon": (1e-12, 1),
}


def whole(text: str, least: int, most: int, words: str = "") -> int:
    """Returns a whole number that is typed in ASCII digits. `words`: what else the flag takes."""
    if re.fullmatch("[0-9]{1,30}", text) and least <= int(text) <= most:
        return int(text)
    raise RequestError(f"takes {words}a whole number from {least} to {most}, not {short(text)}")


def number(text: str, least: float, below: float) -> float:
    """Returns a number from `least` on and under `below` that is typed in ASCII digits."""
    if re.fullmatch(r"(?a:\d+\.?\d*|\.\d+)(e[+-]?[0-9]{1,3})?", text, re.IGNORECASE):
        value = float(text)
        if least <= value < below:
            return value
    raise RequestError(f"takes a number from {least:g} on, below {below:g}, not {short(text)}")


def numbers(text: str, least: int, most: int) -> tuple[int, ...]:
    """Returns the whole numbers of a list, "0,1,2" or "0-2,7", each once and in their order."""
    found: dict[int, None] = {}
    for part in text.split(","):
        ends = part.split("-", 1) if re.fullmatch("[0-9]+-[0-9]+", part) else [part]
        low, high = (whole(end, least, most, LIST) for end in (ends[0], ends[-1]))
        if high < low or len(found) + high - low >= MANY:
            raise RequestError(f"takes {LIST}1 to {MANY} of them, not {short(text)}")
        found |= dict.fromkeys(range(low, high + 1))
    return tuple(found)


def path(text: str) -> Path:
    """Returns an absolute path, for workers run in another folder. Links stay as they are named."""
    if not text or "\0" in text:
        raise RequestError(f"takes the path of a folder, not {text!r}")
    try:
        found = Path(os.path.expanduser(text)).absolute()  # Path's own raises for unknown users
    except FileNotFoundError:
        raise RequestError(
            f"takes no path without a beginning here, as {text!r}: the working directory was "
            "deleted; change into another one, or give an absolute path"
        ) from None
    longest, name = (os.pathconf("/", f"PC_{kind}_MAX") for kind in ("PATH", "NAME"))
    if len(os.fsencode(found)) + BELOW > longest:
        raise RequestError(f"takes a path of at most {longest - BELOW} bytes, not {short(text)}")
    if any(len(os.fsencode(part)) > name for part in found.parts):
        raise RequestError(f"takes a path of names of at most {name} bytes, not {short(text)}")
    return found


def short(text: str) -> str:
    """Returns a word as a message shows it: quoted, and of a long word only the beginning."""
    return repr(text) if len(text) <= 80 else f"{text[:60]!r} and {len(text) - 60} letters more"
