"""Tells what computes a network's recurrent layers: cuDNN's own layer, or a loop over the steps."""

from typing import Any

from keras import layers

from impl_keras.models import Network
from impl_keras.step import backend
from protocols.papers.backbones import load_backbones
from protocols.spec import RunSpec

# The operations of a traced function, of JAX or TensorFlow, by which each is known.
KNOWN = {"cudnn": {"rnn_fwd", "CudnnRNN", "CudnnRNNV2", "CudnnRNNV3"}, "scan": {"scan", "While"}}


def computed_by(network: Network, spec: RunSpec) -> str:
    """Gives "cudnn" or "scan", both joined by a comma where layers differ; "none" without recurrent
    layers. On a GPU this is seen in a trace of the head, since Keras itself decides, layer by
    layer, and says nothing where it falls back to the loop."""
    if not any(
        isinstance(layer, layers.RNN | layers.Bidirectional) for layer in network.body.layers
    ):
        return "none"
    if spec.device == "cpu":
        return "scan"
    found = traced(network, spec)
    return ", ".join(word for word, names in KNOWN.items() if names & found)


def traced(network: Network, spec: RunSpec) -> set[str]:
    """Gives the names of the operations of the head's training pass over one batch."""
    count, data = spec.recipe["batch_size"], spec.data
    known = [load_backbones()[name] for name in network.variant.backbones]
    shapes = [(one.channels,) if network.pooled else network.map_shape for one in known]
    arrays: list[Any] = [((count, *shape), network.dtype) for shape in shapes]
    if network.reads_images:
        arrays.append(((count, data["height"], data["width"], 3), "uint8"))

    def head(*inputs: Any) -> Any:
        images = inputs[-1] if network.reads_images else None
        return network.head(list(inputs[: len(shapes)]), images, training=True)

    return backend.operations(head, network.head_parts, arrays)
