"""Gives child processes what they need beyond their work: where they import, where they keep files.

A child starts in the project's folder, whatever folder the command was typed in.
"""

import os
from pathlib import Path
from typing import IO, AnyStr

from protocols.files import ROOT, default_cache

# The folders of the cache where the libraries keep what they download or compile. Without these
# variables they take the user's home or /tmp. KERAS_HOME also hides the user's keras.json.
KEPT = {
    "CUDA_CACHE_PATH": "cuda",
    "HF_HOME": "huggingface",
    "KERAS_HOME": "keras",
    "MPLCONFIGDIR": "matplotlib",
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "TORCH_HOME": "torch",
    "TRITON_CACHE_DIR": "triton",
    "XDG_CACHE_HOME": "others",
}


def common(cache: Path | None = None) -> dict[str, str]:
    """Returns the environment variables that all child processes share. Raises RequestError where
    there is neither a `cache` nor a home for the usual one."""
    place = cache or default_cache()
    kept = {name: str(place / folder) for name, folder in KEPT.items()}
    return {"PYTHONPATH": _python_path(), **kept}


def piped(stream: IO[AnyStr] | None) -> IO[AnyStr]:
    """Returns a child's stream that was asked for as a pipe. Raises ValueError if it wasn't."""
    if stream is None:
        raise ValueError("the process was started without this pipe")
    return stream


def _python_path() -> str:
    """Returns PYTHONPATH: the project, then the folders that were given, where an interpreter may
    find its packages. The folders are absolute, as they were meant where the command was typed."""
    given = os.environ.get("PYTHONPATH", "")
    folders = [os.path.abspath(folder) for folder in given.split(os.pathsep)] if given else []
    return os.pathsep.join(dict.fromkeys([str(ROOT), *folders]))
