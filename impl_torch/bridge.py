"""Gives and takes this twin's weights under their Keras names and in their Keras layouts.

The names are those of protocols/weights/start.py. Every tensor of the state has exactly one place,
but for those that Keras doesn't have: batch counters, the second bias of an LSTM (always zero) and
the gammas of InceptionV3 (always one).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from timm.models.xception import SeparableConv2d
from torch import nn

from impl_torch.models import MapHead, Network, PooledHead
from impl_torch.recurrent import Recurrent
from protocols.papers.variants import load_variants
from protocols.spec import RunSpec
from protocols.weights.start import HEAD, Arrays, Start, check_same, shapes_of

NORM = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean",
        "moving_variance": "running_var"}  # fmt: skip
Value = Callable[[torch.Tensor], torch.Tensor | None]
Layers = Callable[[nn.Module], Iterator[tuple[str, nn.Module]]]
BACKBONES: dict[str, Layers] = {}  # by backbone: timm's layers with their names in Keras


def layers_of(backbone: str) -> Callable[[Layers], Layers]:
    """Registers the function that gives the layers of timm's network by their names in Keras."""
    return partial(BACKBONES.setdefault, backbone)


@dataclass(frozen=True)
class Slot:
    """The place of a Keras array: one tensor, or two tensors that the array holds stacked.

    `axes` transpose a tensor of torch to the order of Keras. `gates` is the number of gates of a
    GRU; its first two are the other way round in Keras (z r h; torch has r z n).
    """

    tensors: tuple[torch.Tensor, ...]
    axes: tuple[int, ...] | None = None  # torch -> Keras
    gates: int = 0

    def read(self, value: Value) -> np.ndarray | None:
        """Gives `value` of the tensors (the tensors themselves or their gradients) in Keras's
        layout. The answer is None if a tensor has no such value."""
        found = [v for t in self.tensors if (v := value(t)) is not None]
        if len(found) < len(self.tensors):
            return None
        arrays = [self._swapped(v.detach().cpu().numpy()) for v in found]
        if self.axes:
            arrays = [a.transpose(self.axes) for a in arrays]
        return np.ascontiguousarray(arrays[0] if len(arrays) == 1 else np.stack(arrays))

    def write(self, array: np.ndarray) -> None:
        """Takes an array in Keras's layout."""
        arrays = [array] if len(self.tensors) == 1 else list(array)
        with torch.no_grad():
            for tensor, a in zip(self.tensors, arrays, strict=True):
                turned = a.transpose(np.argsort(self.axes)) if self.axes else a
                tensor.copy_(torch.from_numpy(np.ascontiguousarray(self._swapped(turned))))

    def _swapped(self, array: np.ndarray) -> np.ndarray:
        if not self.gates:
            return array
        first, second, *rest = np.split(array, self.gates)
        return np.concatenate([second, first, *rest])


Slots = dict[str, Slot]


def _layer(module: nn.Module) -> Slots:
    """Gives the places of a convolution's, a batch normalisation's or a dense layer's arrays.
    Raises TypeError for a layer of another type."""
    if isinstance(module, nn.BatchNorm2d):
        names = {k: n for k, n in NORM.items() if k != "gamma" or module.weight.requires_grad}
        return {name: Slot((getattr(module, theirs),)) for name, theirs in names.items()}
    if isinstance(module, SeparableConv2d):
        return {
            "depthwise_kernel": Slot((module.conv1.weight,), (2, 3, 0, 1)),
            "pointwise_kernel": Slot((module.pointwise.weight,), (2, 3, 1, 0)),
        }
    if isinstance(module, nn.Conv2d):
        depthwise = module.groups > 1
        found = {"kernel": Slot((module.weight,), (2, 3, 0, 1) if depthwise else (2, 3, 1, 0))}
    elif isinstance(module, nn.Linear):
        found = {"kernel": Slot((module.weight,), (1, 0))}
    else:
        raise TypeError(f"the bridge knows no layer of type {type(module).__name__}")
    if module.bias is not None:
        found["bias"] = Slot((module.bias,))
    return found


def _recurrent(rnn: Recurrent, direction: str = "") -> Slots:
    """Gives the places of the arrays of one direction.
    The second bias of an LSTM stays zero and has no place; a GRU has both biases, stacked."""
    w, u, b_w, b_u = (
        getattr(rnn, f"{name}_l0{direction}")
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    gates = 3 if isinstance(rnn, nn.GRU) else 0
    return {
        "kernel": Slot((w,), (1, 0), gates),
        "recurrent_kernel": Slot((u,), (1, 0), gates),
        "bias": Slot((b_w, b_u), None, gates) if gates else Slot((b_w,)),
    }


def _head(head: PooledHead | MapHead, backbones: tuple[str, ...]) -> Iterator[tuple[str, Slots]]:
    if isinstance(head, PooledHead):
        for name, project in zip(backbones, head.project, strict=True):
            yield f"project_{name}", _layer(project)
        both = {"rows": head.rows} if head.rows is not None else {}
    else:
        for name in ("project", "reduce_map", "norm"):
            yield name, _layer(getattr(head, name))
        for name in ("small1", "small2"):
            yield name, _recurrent(getattr(head, name))
        both = {"states": head.states}
    for name, states in both.items():
        yield f"{name}/forward", _recurrent(states.rnn)
        yield f"{name}/backward", _recurrent(states.rnn, "_reverse")
    yield "classify", _layer(head.classify)


@layers_of("xception")
def _xception(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for i in (1, 2):
        yield f"block1_conv{i}", getattr(model, f"conv{i}")
        yield f"block1_conv{i}_bn", getattr(model, f"bn{i}")
    skips = 0
    for i in range(1, 13):  # timm counts the blocks without the stem
        block = getattr(model, f"block{i}")
        layers = [m for m in block.rep if isinstance(m, SeparableConv2d | nn.BatchNorm2d)]
        for j, (conv, norm) in enumerate(zip(layers[::2], layers[1::2], strict=True), 1):
            yield f"block{i + 1}_sepconv{j}", conv
            yield f"block{i + 1}_sepconv{j}_bn", norm
        if block.skip is not None:
            counted = f"_{skips}" if skips else ""
            yield f"conv2d{counted}", block.skip
            yield f"batch_normalization{counted}", block.skipbn
            skips += 1
    for j in (1, 2):
        yield f"block14_sepconv{j}", getattr(model, f"conv{j + 2}")
        yield f"block14_sepconv{j}_bn", getattr(model, f"bn{j + 2}")


@layers_of("inception_v3")
def _inception_v3(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Counts the layers: both libraries make them in the same order, and Keras names them by
    number."""
    for kind, name in ((nn.Conv2d, "conv2d"), (nn.BatchNorm2d, "batch_normalization")):
        for i, module in enumerate(m for m in model.modules() if isinstance(m, kind)):
            yield f"{name}_{i}" if i else name, module


@layers_of("resnet50")
def _resnet50(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    yield "conv1_conv", model.get_submodule("conv1")
    yield "conv1_bn", model.get_submodule("bn1")
    for stage in range(1, 5):
        for i, block in enumerate(getattr(model, f"layer{stage}"), 1):
            name = f"conv{stage + 1}_block{i}"
            if block.downsample is not None:
                yield f"{name}_0_conv", block.downsample[0]
                yield f"{name}_0_bn", block.downsample[1]
            for j in (1, 2, 3):
                yield f"{name}_{j}_conv", getattr(block, f"conv{j}")
                yield f"{name}_{j}_bn", getattr(block, f"bn{j}")


@layers_of("efficientnet_lite0")
def _efficientnet_lite0(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Gives timm's own names: the layers of the Keras twin are ours and bear timm's names."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
            yield name, module


def head_slots(head: PooledHead | MapHead, variant: str) -> Slots:
    """Gives the places of a variant's head, by "head/layer/weight"."""
    layers = _head(head, load_variants()[variant].backbones)
    return {f"{HEAD}/{layer}/{k}": slot for layer, found in layers for k, slot in found.items()}


def backbone_slots(name: str, backbone: nn.Module) -> Slots:
    """Gives the places of one backbone, by "name of the backbone/layer/weight"."""
    layers = BACKBONES[name](backbone.get_submodule("1"))  # "0" preprocesses
    return {f"{name}/{layer}/{k}": s for layer, m in layers for k, s in _layer(m).items()}


def slots(network: Network, variant: str) -> Slots:
    """Gives the places of the whole network.
    Raises ValueError if a tensor of the network has no place, or if two arrays have the same
    place."""
    found: Slots = {}
    for name, backbone in zip(load_variants()[variant].backbones, network.backbones, strict=True):
        found |= backbone_slots(name, backbone)
    found |= head_slots(network.head, variant)
    places = [t.data_ptr() for slot in found.values() for t in slot.tensors]
    here = {t.data_ptr() for t in network.state_dict().values()} - _without(network)
    if len(places) != len(set(places)) or set(places) != here:
        raise ValueError(f"{variant}: the bridge is no bijection on this network's tensors")
    return found


def _without(network: Network) -> set[int]:
    """Gives the addresses of the tensors that Keras doesn't have."""
    found = set()
    for name, tensor in network.state_dict(keep_vars=True).items():
        counter, second = name.endswith("num_batches_tracked"), ".bias_hh" in name
        gamma = name.endswith("weight") and tensor.ndim == 1  # no kernel has one axis
        frozen = not tensor.requires_grad
        if counter or ((second or gamma) and frozen):
            found.add(tensor.data_ptr())
    return found


def read(found: Slots, value: Value = lambda tensor: tensor) -> Arrays:
    """Gives the arrays by their keys; each is `value` of its tensors (the tensors themselves by
    default) and left out where that is None."""
    arrays = {key: slot.read(value) for key, slot in found.items()}
    return {key: array for key, array in arrays.items() if array is not None}


def write(found: Slots, arrays: Arrays) -> None:
    """Writes all the arrays into the network. Raises ValueError if keys or shapes differ."""
    check_same(shapes_of(read(found)), shapes_of(arrays), "the arrays given")
    for key, slot in found.items():
        slot.write(arrays[key])


def begin(network: Network, spec: RunSpec, start: Start) -> None:
    """Gives the network what a run starts from, where this isn't the twin's own random weights."""
    names = load_variants()[spec.variant].backbones
    for name, backbone in zip(names, network.backbones, strict=True):
        found = backbone_slots(name, backbone)
        if arrays := start.backbone(spec, name, shapes_of(read(found))):
            write(found, arrays)
    begin_head(network.head, spec, start)


def begin_head(head: PooledHead | MapHead, spec: RunSpec, start: Start) -> None:
    """Gives a head what a run starts from, where this isn't the twin's own random weights."""
    found = head_slots(head, spec.variant)
    if arrays := start.head(spec, shapes_of(read(found))):
        write(found, arrays)
