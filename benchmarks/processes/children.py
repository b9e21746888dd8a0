"""What every child process is given, beyond what its work needs: where it imports, what it keeps.

A child starts in the project's folder, whatever folder the command was typed in.
"""

import os
from pathlib import Path
from typing import IO, AnyStr

from protocols.files import ROOT, default_cache

# Where the libraries keep what they download or compile, as folders of the cache; without these
# names they take the user's home or /tmp. KERAS_HOME also hides the user's keras.json.
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
    """The variables that all child processes share. Raises RequestError where there is neither a
    `cache` nor a home for the usual one."""
    return {"PYTHONPATH": _python_path(), **caches(cache or default_cache())}


def caches(cache: Path) -> dict[str, str]:
    """The variables that put below `cache` all that the libraries keep."""
    return {name: str(cache / folder) for name, folder in KEPT.items()}


def piped(stream: IO[AnyStr] | None) -> IO[AnyStr]:
    """A child's stream that was asked for as a pipe. Raises ValueError if it wasn't."""
    if stream is None:
        raise ValueError("the process was started without this pipe")
    return stream


def _python_path() -> str:
    """The project first, then what was there: an interpreter may find its packages so. Absolute, as
    they were meant in the folder where the command was typed."""
    given = os.environ.get("PYTHONPATH", "")
    folders = [os.path.abspath(folder) for folder in given.split(os.pathsep)] if given else []
    return os.pathsep.join(dict.fromkeys([str(ROOT), *folders]))
