"""Starts the kernels of a step as one: they are recorded as a CUDA graph, and then replayed.

A recording keeps each address and each number of the host that it met. So a step that is recorded
reads its batch from tensors that stay where they are, changes its state in place, and takes nothing
from the host that differs from step to step. It must not ask the device for a number either.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch

WARM_UP = 3  # calls before a recording: they choose kernels and allocate what stays
Call = Callable[[], torch.Tensor]


class Recorder(Protocol):
    """The interface of what records calls on a device."""

    def fits(self) -> bool:
        """Tells whether the device has the memory that a recording takes."""

    def warm_up(self, call: Call) -> torch.Tensor:
        """Makes the call as it is, before a recording of it."""

    def record(self, call: Call) -> Call:
        """Gives a function that repeats the call, which isn't made now. What the function gives is
        overwritten by its next call. Raises RuntimeError if the call can't be recorded."""


class CudaGraphs:
    """The Recorder of a GPU, as PyTorch's notes on CUDA graphs have it."""

    def __init__(self) -> None:
        self.stream = torch.cuda.Stream()

    def fits(self) -> bool:
        """Tells whether the recording fits beside the calls that are made as they are. The run's
        peak so far, beyond what it holds now, bounds what each of the two takes."""
        held = torch.cuda.memory_allocated()
        needed = torch.cuda.max_memory_allocated() - held
        free = torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved() - held
        return free >= 2 * needed

    def warm_up(self, call: Call) -> torch.Tensor:
        """Makes the call on a stream of its own; whatever comes after waits for it."""
        here = torch.cuda.current_stream()
        self.stream.wait_stream(here)
        with torch.cuda.stream(self.stream):
            found = call()
        here.wait_stream(self.stream)
        return found.clone()  # what `found` holds belongs to the other stream

    def record(self, call: Call) -> Call:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):  # takes memory of its own, which stays the graph's
            found = call()

        def replay() -> torch.Tensor:
            graph.replay()
            return found

        return replay


class GraphedStep:
    """A training step that is replayed for batches of `size`; other batches, and the first
    `WARM_UP`, take the step as it is. Where it can't be recorded, all batches do.

    `step` takes tensors whose axis 1 is the batch, and gives the step's figures.
    """

    def __init__(
        self, step: Callable[..., torch.Tensor], size: int, recorder: Recorder | None
    ) -> None:
        self.step, self.size, self.recorder = step, size, recorder
        self.begin()

    def begin(self) -> None:
        """Forgets the recording. Whoever gives the state other addresses must call this."""
        self.warm, self.refused = 0, ""
        self.inputs: tuple[torch.Tensor, ...] = ()
        self.replay: Call | None = None

    def __call__(self, *batch: torch.Tensor) -> torch.Tensor:
        if self.recorder is None or self.refused or batch[0].shape[1] != self.size:
            return self.step(*batch)
        if not self.inputs:
            self.inputs = tuple(torch.empty_like(x) for x in batch)
        for place, values in zip(self.inputs, batch, strict=True):
            place.copy_(values)
        call = partial(self.step, *self.inputs)
        if self.warm < WARM_UP:
            self.warm += 1
            return self.recorder.warm_up(call)
        if self.replay is None:
            self.replay = self._recorded(self.recorder, call)
        return call() if self.replay is None else self.replay().clone()

    @property
    def engine(self) -> str:
        """What env.json says of how the steps ran."""
        if self.replay is not None:
            return f"CUDA graph for batches of {self.size}, eager for others"
        if self.recorder is None:
            return "eager"
        reason = self.refused or f"it needs more than {WARM_UP} batches of {self.size}"
        return f"eager without a CUDA graph: {reason}"

    def _recorded(self, recorder: Recorder, call: Call) -> Call | None:
        """Gives the recording; None, with the reason in `refused`, where there is none."""
        try:
            if recorder.fits():
                return recorder.record(call)
            self.refused = "the GPU has too little memory for it"
        except RuntimeError as error:  # the run goes on as it would without a recording
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            self.refused = "".join(c for c in first if c.isprintable())
        print(self.engine, file=sys.stderr)
        return None
