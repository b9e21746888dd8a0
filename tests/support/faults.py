"""Faults of a pair of twins: each takes out what makes the two compute the same."""

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
    """The GRU's gates in PyTorch's order."""
    slots = {k: dataclasses.replace(slot, gates=0) for k, slot in pair.torch.slots.items()}
    monkeypatch.setattr(pair.torch, "slots", slots)


def epsilon(pair, monkeypatch):
    """timm's epsilon of batch normalisation."""
    for module in pair.torch.network.backbones.modules():
        if isinstance(module, nn.BatchNorm2d):
            monkeypatch.setattr(module, "eps", 1e-5)


def max_padding(pair, monkeypatch):
    """timm's max pooling of Xception, padded on both sides."""
    for module in pair.torch.network.modules():
        if isinstance(module, SamePadMaxPool):
            monkeypatch.setattr(module, "forward", nn.MaxPool2d(3, 2, 1).forward)


def backward_half(pair, monkeypatch):
    """A bidirectional layer's states at the last position, of both directions."""
    monkeypatch.setattr(LastStates, "forward", lambda self, x: self.rnn(x)[0][:, -1])


def symmetric(pair, monkeypatch):
    """Padding of PyTorch's own EfficientNets."""
    for module in pair.torch.network.backbones.modules():
        if type(module).__name__ == "Conv2dSame":
            monkeypatch.setattr(module, "padding", tuple(k // 2 for k in module.kernel_size))
            monkeypatch.setattr(module, "forward", partial(nn.Conv2d.forward, module))


def padding_counted(pair, monkeypatch):
    """timm's average pooling of InceptionV3, which counts the padding's zeros."""
    for module in pair.torch.network.modules():
        if type(module).__name__ == "WithoutPadding":
            monkeypatch.setattr(module, "forward", lambda x: x)


def stride(pair, monkeypatch):
    """ResNet v1.5: the stride in the 3x3 convolution."""
    for name in ("layer2", "layer3", "layer4"):
        block = getattr(pair.torch.network.backbones[0][1], name)[0]
        monkeypatch.setattr(block.conv1, "stride", (1, 1))
        monkeypatch.setattr(block.conv2, "stride", (2, 2))


def beta_left(pair, monkeypatch):
    """A bridge that leaves a beta where it was."""
    write = bridge.write

    def without(slots, arrays):
        key = next(k for k in arrays if k.endswith("/beta"))
        write(slots, arrays | {key: np.zeros_like(arrays[key])})

    monkeypatch.setattr(bridge, "write", without)


def own_epsilon(pair, monkeypatch):
    """torch's Adam with Keras's epsilon as it is."""
    monkeypatch.setattr(impl_torch.train, "keras_epsilon", lambda epsilon, beta2, step: epsilon)


def inside_the_root(pair, monkeypatch):
    """RMSProp as Keras 3 has it."""
    import keras

    def make(phase, recipe):
        words = {"rho": recipe["rmsprop_rho"], "epsilon": recipe["epsilon"]}
        return keras.optimizers.RMSprop(phase["rate"], **words)

    monkeypatch.setattr(impl_keras.train, "make_optimizer", make)
    monkeypatch.setattr(impl_keras.parity, "make_optimizer", make)


def second_bias(pair, monkeypatch):
    """An LSTM's second bias trained."""
    for name, parameter in pair.torch.network.named_parameters():
        if ".bias_hh" in name:
            monkeypatch.setattr(parameter, "requires_grad", True)


def exact_decay(pair, monkeypatch):
    """0.999, which Keras on TensorFlow rounds to float32 (DIFFERENCES): seen, though it is 6e-6."""
    for twin in (pair.torch.twin, pair.keras.twin):
        recipe = twin.recipe | {"adam_beta1": 0.9, "adam_beta2": 0.999}
        monkeypatch.setattr(twin, "recipe", recipe)
