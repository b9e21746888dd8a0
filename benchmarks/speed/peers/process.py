"""Runs a peer in a process of its own, round by round: `python -m benchmarks.speed.peers.process`.

The peer's framework keeps its own settings and threads, whatever ours set in theirs. Between rounds
the process waits for a line and uses no processor.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np

from benchmarks.processes.children import common, piped
from protocols.files import ROOT
from protocols.spec import RunSpec

QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # the GPU is shared with our twins
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}
ONEDNN = {"TF_ENABLE_ONEDNN_OPTS": "1"}  # the Keras twin sets this in each of its processes
ASKED = "with oneDNN asked for"  # ends the names of peers that ask for it too; few users do


def environment(module: str, settings: dict[str, str]) -> dict[str, str]:
    """Returns the variables of a peer's process: this process's and `settings`. A plain peer keeps
    its framework's defaults where ours sets something."""
    hidden = ONEDNN if module.startswith("plain") else ()
    inherited = {k: v for k, v in os.environ.items() if k not in hidden}
    return inherited | common() | QUIET | settings


class PeerProcess:
    """Makes `module.function(**words)` in a new process; each call runs once what this returned.
    Words are what JSON holds, and `spec` is a RunSpec.

    The first call, or `ready`, waits until the peer is made. `settings`: the process's variables.
    """

    def __init__(
        self, module: str, function: str, settings: dict[str, str] | None = None, **words: Any
    ) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed in close)
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "benchmarks.speed.peers.process",
                module,
                function,
                json.dumps(words, default=RunSpec.to_json),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=ROOT,
            env=environment(module, settings or {}),
            text=True,
            encoding="utf-8",
        )
        self._questions, self._answers = piped(self.process.stdin), piped(self.process.stdout)
        self._made = False

    def ready(self) -> None:
        """Waits until the peer is made. Raises RuntimeError with what the process printed on
        failure."""
        if not self._made:
            self._answer()
            self._made = True

    def __call__(self, *words: Any) -> float:
        """Returns the seconds of one run with these words, measured inside the process."""
        return self.run(*words)[0]

    def run(self, *words: Any) -> tuple[float, Any]:
        """Returns the seconds of one run, and what it gave; None for what JSON doesn't hold."""
        self.ready()
        self._questions.write(json.dumps(words) + "\n")
        self._questions.flush()
        seconds, found = self._answer()
        return seconds, found

    def _answer(self) -> Any:
        line = self._answers.readline()
        if not line:
            self._errors.seek(0)
            raise RuntimeError(self._errors.read().decode(errors="replace")[-2000:])
        return json.loads(line)

    def close(self) -> None:
        """Ends the process."""
        self._questions.close()
        self.process.wait()
        self._answers.close()
        self._errors.close()


def asks_for_onednn(spec: RunSpec) -> bool:
    """Returns whether our twin asks for oneDNN; plain Keras is then measured in both ways."""
    return (spec.backend, spec.device) == ("tensorflow", "cpu")


def normal_images(spec: RunSpec, count: int) -> np.ndarray:
    """Returns made-up images as a backbone reads them: float32 (count, h, w, 3)."""
    shape = count, spec.data["height"], spec.data["width"], 3
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def main() -> None:
    """Makes the peer of MODULE FUNCTION WORDS, and runs it for each line until stdin closes."""
    module, function, words = sys.argv[1:]
    out = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)  # frameworks print to stderr, for what they print is no answer
    make = getattr(importlib.import_module(f"benchmarks.speed.peers.{module}"), function)
    given = json.loads(words)
    call = make(**given | {"spec": RunSpec.from_json(given["spec"])})
    out.write("null\n")
    for line in sys.stdin:
        more = json.loads(line)
        start = time.perf_counter()
        found = call(*more)
        seconds = time.perf_counter() - start
        out.write(json.dumps([seconds, found], default=lambda _: None) + "\n")


if __name__ == "__main__":
    main()
