"""Recurrent layers: those of PyTorch, and the same computed step by step, with any gates."""

import contextlib
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from protocols.papers.variants import Variant

Recurrent = nn.LSTM | nn.GRU


def recur(rnn: Recurrent, sequence: torch.Tensor) -> tuple[torch.Tensor, Any]:
    """Gives `rnn(sequence)`, also where oneDNN has no LSTM in bfloat16: on CPUs without AVX-512."""
    lacks = (
        isinstance(rnn, nn.LSTM)
        and not sequence.is_cuda
        and torch.is_autocast_enabled("cpu")
        and torch.backends.cpu.get_cpu_capability() != "AVX512"
    )
    with torch.backends.mkldnn.flags(enabled=False) if lacks else contextlib.nullcontext():
        return rnn(sequence)


def hard_sigmoid(x: torch.Tensor) -> torch.Tensor:
    """Gives the hard sigmoid of Keras of 2018: min(max(0.2 x + 0.5, 0), 1).
    PyTorch's own hard sigmoid is relu6(x + 3) / 6."""
    return (0.2 * x + 0.5).clamp(0, 1)


def _steps(rnn: Recurrent, x: torch.Tensor, direction: str) -> tuple[list[torch.Tensor], Any]:
    """Computes one direction of a recurrent layer over `x` (n, t, c): the states by position, the
    last state. It computes what nn.LSTM and nn.GRU do, with their weights but with the layer's own
    gates."""
    w, u, b_w, b_u = (
        getattr(rnn, f"{name}_l0{direction}")
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    gate = getattr(rnn, "gate", torch.sigmoid)
    inputs, states = F.linear(x, w, b_w), []
    h = c = x.new_zeros(x.shape[0], rnn.hidden_size)
    positions = range(x.shape[1])
    for t in reversed(positions) if direction else positions:
        own, back = inputs[:, t], F.linear(h, u, b_u)
        if isinstance(rnn, nn.LSTM):
            i, f, g, o = (own + back).chunk(4, dim=1)
            c = gate(f) * c + gate(i) * g.tanh()
            h = gate(o) * c.tanh()
        else:
            (r, z, n), (r_back, z_back, n_back) = own.chunk(3, dim=1), back.chunk(3, dim=1)
            z = gate(z + z_back)
            h = (1 - z) * (n + gate(r + r_back) * n_back).tanh() + z * h
        states.append(h)
    return (states[::-1] if direction else states), h


def by_steps(rnn: Recurrent, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Gives what nn.LSTM or nn.GRU (one layer) gives: all states, and the last states h.

    PyTorch's own layers have no rule for vmap, and no gates but the sigmoid.
    """
    found = [_steps(rnn, x, d) for d in ("", "_reverse")[: 1 + rnn.bidirectional]]
    states = torch.cat([torch.stack(s, dim=1) for s, _ in found], dim=2)
    return states, torch.stack([h for _, h in found])


class HardLSTM(nn.LSTM):
    """An nn.LSTM, with its weights and their names, but with the gates of Keras of 2018."""

    gate = staticmethod(hard_sigmoid)
    forward = by_steps  # type: ignore[assignment]  # PyTorch's takes packed sequences too


class HardGRU(nn.GRU):
    """An nn.GRU, with its weights and their names, but with the gates of Keras of 2018."""

    gate = staticmethod(hard_sigmoid)
    forward = by_steps  # type: ignore[assignment]  # PyTorch's takes packed sequences too


LAYERS: dict[tuple[str, str], type[Recurrent]] = {
    ("lstm", "sigmoid"): nn.LSTM,
    ("gru", "sigmoid"): nn.GRU,
    ("lstm", "hard_sigmoid"): HardLSTM,
    ("gru", "hard_sigmoid"): HardGRU,
}


def layer_of(variant: Variant, recipe: dict[str, Any]) -> type[Recurrent]:
    """Gives the class of a network's recurrent layer: its cell, with the recipe's gates."""
    return LAYERS[variant.cell, recipe["recurrent_activation"]]


def computed_by(head: nn.Module) -> str:
    """Gives what computes a head's recurrent layers: "cudnn", "scan" for our own loop over the
    steps, "aten" for PyTorch's own code for CPUs; "none" without such layers."""
    found = set()
    for rnn in head.modules():
        if not isinstance(rnn, nn.LSTM | nn.GRU):
            continue
        if isinstance(rnn, HardLSTM | HardGRU) or "forward" in vars(rnn):  # see together.py
            found.add("scan")
        else:
            on_cudnn = torch.backends.cudnn.is_acceptable(rnn.weight_ih_l0)
            found.add("cudnn" if on_cudnn else "aten")
    return ", ".join(sorted(found)) or "none"
