"""The networks of every paper: backbones, recurrent branch, product, softmax."""

import math
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from impl_torch.backbones import LAST, Layouts, lay_out, make_backbone
from impl_torch.device import dtype_of
from impl_torch.recurrent import Recurrent, layer_of, recur
from protocols.classes import CLASSES
from protocols.papers.backbones import load_backbones
from protocols.papers.variants import Variant, load_variants
from protocols.seeds import derive
from protocols.spec import RunSpec

BATCH_NORM_MOMENTUM = 0.01  # Keras has 0.99 for the same momentum
Features = tuple[torch.Tensor, ...]


class LastStates(nn.Module):
    """The last states of a bidirectional layer, (n, t, c) -> (n, 2 units), as Keras's
    Bidirectional. The backward half is the state at the first position, where that direction
    ends."""

    def __init__(self, rnn: type[Recurrent], inputs: int, units: int) -> None:
        super().__init__()
        self.rnn = rnn(inputs, units, batch_first=True, bidirectional=True)

    def forward(self, sequence: torch.Tensor) -> torch.Tensor:
        state = recur(self.rnn, sequence)[1]
        state = state[0] if isinstance(state, tuple) else state
        return torch.cat([state[0], state[1]], dim=1)


class PooledHead(nn.Module):
    """The head over pooled CNN features.
    The features go through Dense 512 with ReLU. The result is multiplied by the last states of both
    directions over the image's rows, if the variant reads rows. Dropout, if any, and Dense 4
    follow."""

    grey: torch.Tensor

    def __init__(self, variant: Variant, recipe: dict[str, Any], width: int) -> None:
        super().__init__()
        units = recipe["projection_units"]
        channels = [load_backbones()[name].channels for name in variant.backbones]
        self.project = nn.ModuleList(nn.Linear(c, units) for c in channels)
        self.reads_images = variant.sequence == "rows"  # `forward` does, beside the features
        self.rows: LastStates | None = None
        if self.reads_images:
            inputs = width // recipe["grey_pooling"]
            self.rows = LastStates(layer_of(variant, recipe), inputs, recipe["lstm_units"])
        self.classify = nn.Linear(units, len(CLASSES))
        grey = torch.tensor(recipe["grey"], dtype=torch.float64)
        self.register_buffer("grey", grey, persistent=False)
        self.pooling = recipe["grey_pooling"]
        self.kept = 1 - recipe["dropout"]

    def reduce(self, feature_map: torch.Tensor) -> torch.Tensor:
        """Gives what the head needs of a feature map (n, c, h, w): its mean (n, c)."""
        return feature_map.mean(dim=(2, 3))

    def forward(
        self, features: Features, images: torch.Tensor | None, keep: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Gives logits (n, 4) of `features`, (n, channels) per backbone, and `images`, uint8 (n, h,
        w, 3). `keep`, bool (n, units), says which units dropout keeps; None means no dropout.
        Raises ValueError if the head reads images and none are given."""
        pairs = zip(self.project, features, strict=True)
        product = reduce(torch.mul, (F.relu(project(feature)) for project, feature in pairs))
        if self.rows is not None:
            if images is None:
                raise ValueError("this head reads the images' rows")
            grey = (images.to(self.grey.dtype) * self.grey).sum(-1) / 255
            if self.pooling > 1:  # an incomplete last cell is left out
                grey = F.avg_pool2d(grey[:, None], self.pooling)[:, 0]
            product = product * self.rows(grey)
        return self.classify(product if keep is None else product * keep / self.kept)


class MapHead(nn.Module):
    """The head that reads the CNN's last map twice, pooled and as a sequence: product, dropout,
    Dense 4."""

    def __init__(self, variant: Variant, recipe: dict[str, Any]) -> None:
        super().__init__()
        channels, small = recipe["map_channels"], recipe["small_rnn_units"]
        rnn = layer_of(variant, recipe)
        of_map = load_backbones()[variant.backbones[0]].channels
        self.project = nn.Linear(of_map, recipe["projection_units"])
        self.reduce_map = nn.Conv2d(of_map, channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels, eps=1e-3, momentum=BATCH_NORM_MOMENTUM)
        self.small1 = rnn(channels, small, batch_first=True)
        self.small2 = rnn(small, small, batch_first=True)
        self.states = LastStates(rnn, small, recipe["rnn_units"])
        self.kept = 1 - recipe["dropout"]
        self.classify = nn.Linear(recipe["projection_units"], len(CLASSES))

    reads_images = False

    def reduce(self, feature_map: torch.Tensor) -> torch.Tensor:
        """Gives what the head needs of a feature map: all of it."""
        return feature_map

    def forward(
        self, features: Features, images: torch.Tensor | None, keep: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Gives logits (n, 4) of `features`, one map (n, channels, h, w); images are not read.

        `keep`, bool (n, units), says which units dropout keeps; it is None in inference mode.
        """
        (feature_map,) = features
        pooled = F.relu(self.project(feature_map.mean(dim=(2, 3))))
        x = F.max_pool2d(F.relu(self.norm(self.reduce_map(feature_map))), 2)
        sequence = x.flatten(2).transpose(1, 2)  # raster order, (n, positions, channels)
        for rnn in (self.small1, self.small2):
            sequence = recur(rnn, sequence)[0]
        product = pooled * self.states(sequence)
        return self.classify(product if keep is None else product * keep / self.kept)


def make_head(spec: RunSpec) -> PooledHead | MapHead:
    """Makes a variant's head with the run's random weights."""
    variant = load_variants()[spec.variant]
    torch.manual_seed(derive(spec.seed, "weights", "head"))
    head: PooledHead | MapHead
    if variant.pooled:
        head = PooledHead(variant, spec.recipe, spec.data["width"])
    else:
        head = MapHead(variant, spec.recipe)
    initialise_as_keras(head)
    return head.to(dtype_of(spec))


class Network(nn.Module):
    """A variant's network: uint8 RGB (n, h, w, 3) -> logits (n, 4).
    Its random weights are drawn part by part, so that a backbone is the same in every variant that
    has it."""

    def __init__(self, spec: RunSpec, layouts: Layouts | None = None) -> None:
        super().__init__()
        names = load_variants()[spec.variant].backbones
        backbones = []
        for name in names:
            torch.manual_seed(derive(spec.seed, "weights", name))
            backbones.append(make_backbone(name, spec.recipe))
            initialise_as_keras(backbones[-1])
        self.backbones = nn.ModuleList(backbones)
        self.head = make_head(spec)
        self.to(dtype_of(spec)).to(memory_format=torch.channels_last)
        self.layouts = {name: (layouts or {}).get(name, LAST) for name in names}
        for backbone, layout in zip(backbones, self.layouts.values(), strict=True):
            lay_out(backbone, layout)

    def features(self, images: torch.Tensor) -> Features:
        """Gives what the head reads of the backbones: one tensor per backbone."""
        return tuple(self.head.reduce(backbone(images)) for backbone in self.backbones)

    def forward(self, images: torch.Tensor, keep: torch.Tensor | None = None) -> torch.Tensor:
        return self.head(self.features(images), images, keep)


def initialise_as_keras(network: nn.Module) -> None:
    """Sets the weights that Keras starts from by default, drawn from torch's global generator.

    Kernels are Glorot uniform, recurrent kernels orthogonal, biases zero, the forget bias 1; batch
    normalisation has gamma 1, beta 0 and Keras's momentum. Keras's LSTM has one bias vector:
    torch's second one is zero and stays so.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):  # timm's ResNet starts some gammas at 0
            module.momentum = BATCH_NORM_MOMENTUM
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.LSTM | nn.GRU):
            _initialise_rnn(module)


def _initialise_rnn(rnn: nn.LSTM | nn.GRU) -> None:
    for name, parameter in rnn.named_parameters():
        if name.startswith("weight_ih"):
            nn.init.xavier_uniform_(parameter)
        elif name.startswith("weight_hh"):
            nn.init.orthogonal_(parameter)
        else:
            nn.init.zeros_(parameter)
            if isinstance(rnn, nn.LSTM) and name.startswith("bias_hh"):
                parameter.requires_grad_(False)
            elif isinstance(rnn, nn.LSTM):
                with torch.no_grad():
                    parameter[rnn.hidden_size : 2 * rnn.hidden_size] = 1  # forget gate


def penalised(head: nn.Module) -> list[torch.Tensor]:
    """Gives the tensors under the recipe's L2: kernels and recurrent kernels of the layers we
    add."""
    kernels: list[torch.Tensor] = []
    for module in head.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            kernels.append(module.weight)
        elif isinstance(module, nn.LSTM | nn.GRU):
            kernels += [p for name, p in module.named_parameters() if name.startswith("weight")]
    return kernels


@torch.no_grad()
def calibrate(network: Network, batches: list[torch.Tensor]) -> None:
    """Sets the backbones' moving statistics to the mean of the batches' own (biased) statistics.

    Each batch is normalised by its own statistics, as in training. This is for random backbones,
    before they are frozen: without it every image has the same features.
    """
    moving = {
        m: (m.get_buffer("running_mean"), m.get_buffer("running_var"))
        for m in network.backbones.modules()
        if isinstance(m, nn.BatchNorm2d)
    }
    sums = {m: [torch.zeros_like(mean), torch.zeros_like(var)] for m, (mean, var) in moving.items()}

    def collect(module: nn.BatchNorm2d, inputs: tuple[torch.Tensor]) -> None:
        var, mean = torch.var_mean(inputs[0], dim=(0, 2, 3), correction=0)
        sums[module][0] += mean / len(batches)
        sums[module][1] += var / len(batches)

    hooks = [m.register_forward_pre_hook(collect) for m in moving]
    network.backbones.train()
    for batch in batches:
        network.features(batch)
    for hook in hooks:
        hook.remove()
    for module, statistics in moving.items():
        for statistic, mean in zip(statistics, sums[module], strict=True):
            statistic.copy_(mean)


def keras_epsilon(epsilon: float, beta2: float, step: int) -> float:
    """Gives the epsilon with which torch's Adam takes Keras's step number `step` (counted from 1).

    Keras adds epsilon to sqrt(v) before the bias correction, torch after it.
    """
    return epsilon / math.sqrt(1 - beta2**step)
