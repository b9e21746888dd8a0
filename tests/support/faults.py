"""Faults of a pair of twins: each takes out something that makes the two compute the same."""

import dataclasses
from functools import partial

import numpy as np
from torch import nn

import impl_keras.parity
import impl_keras.train
import impl_torch.train
from impl_torch import bridge
from impl_torch.backbones import SamePadMaxPool
from impl_torch.models import LastStates


def without_gates(pair, monkeypatch):
    """Leaves the GRU's gates in PyTorch's order."""
    slots = {k: dataclasses.replace(slot, gates=0) for k, slot in pair.torch.slots.items()}
    monkeypatch.setattr(pair.torch, "slots", slots)


def epsilon(pair, monkeypatch):
    """Puts in timm's epsilon of batch normalisation."""
    for module in pair.torch.network.backbones.modules():
        if isinstance(module, nn.BatchNorm2d):
            monkeypatch.setattr(module, "eps", 1e-5)


def max_padding(pair, monkeypatch):
    """Puts in timm's max pooling of Xception, padded on both sides."""
    for module in pair.torch.network.modules():
        if isinstance(module, SamePadMaxPool):
            monkeypatch.setattr(module, "forward", nn.MaxPool2d(3, 2, 1).forward)


def backward_half(pair, monkeypatch):
    """Takes a bidirectional layer's states at the last position, in both directions."""
    monkeypatch.setattr(LastStates, "forward", lambda self, x: self.rnn(x)[0][:, -1])


def symmetric(pair, monkeypatch):
    """Puts in the padding of PyTorch's own EfficientNets."""
    for module in pair.torch.network.backbones.modules():
        if type(module).__name__ == "Conv2dSame":
            monkeypatch.setattr(module, "padding", tuple(k // 2 for k in module.kernel_size))
            monkeypatch.setattr(module, "forward", partial(nn.Conv2d.forward, module))


def padding_counted(pair, monkeypatch):
    """Puts in timm's average pooling of InceptionV3, which counts the padding's zeros."""
    for module in pair.torch.network.modules():
        if type(module).__name__ == "WithoutPadding":
            monkeypatch.setattr(module, "forward", lambda x: x)


def stride(pair, monkeypatch):
    """Puts in ResNet v1.5, with the stride in the 3x3 convolution."""
    for name in ("layer2", "layer3", "layer4"):
        block = getattr(pair.torch.network.backbones[0][1], name)[0]
        monkeypatch.setattr(block.conv1, "stride", (1, 1))
        monkeypatch.setattr(block.conv2, "stride", (2, 2))


def beta_left(pair, monkeypatch):
    """Makes the bridge write zeros in place of one beta."""
    write = bridge.write

    def without(slots, arrays):
        key = next(k for k in arrays if k.endswith("/beta"))
        write(slots, arrays | {key: np.zeros_like(arrays[key])})

    monkeypatch.setattr(bridge, "write", without)


def own_epsilon(pair, monkeypatch):
    """Gives torch's Adam the epsilon of Keras unchanged."""
    monkeypatch.setattr(impl_torch.train, "keras_epsilon", lambda epsilon, beta2, step: epsilon)


def inside_the_root(pair, monkeypatch):
    """Puts in the RMSProp of Keras 3."""
    import keras

    def make(phase, recipe):
        words = {"rho": recipe["rmsprop_rho"], "epsilon": recipe["epsilon"]}
        return keras.optimizers.RMSprop(phase["rate"], **words)

    monkeypatch.setattr(impl_keras.train, "make_optimizer", make)
    monkeypatch.setattr(impl_keras.parity, "make_optimizer", make)


def second_bias(pair, monkeypatch):
    """Lets an LSTM's second bias be trained."""
    for name, parameter in pair.torch.network.named_parameters():
        if ".bias_hh" in name:
            monkeypatch.setattr(parameter, "requires_grad", True)


def exact_decay(pair, monkeypatch):
    """Sets beta2 to 0.999, which Keras on TensorFlow rounds to float32 (DIFFERENCES).
    The ladder sees the fault, though it is 6e-6."""
    for twin in (pair.torch.twin, pair.keras.twin):
        recipe = twin.recipe | {"adam_beta1": 0.9, "adam_beta2": 0.999}
        monkeypatch.setattr(twin, "recipe", recipe)
