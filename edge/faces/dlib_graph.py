"""dlib's face network as an ONNX graph: 29 layers, 150x150 RGB in, 128 numbers out.

    picture -> 7x7/2 -> 3x3/2 max -> 14 residual blocks -> mean -> 256x128

Where a block halves the picture, its shortcut is averaged 2x2 and both ways are padded with
zeros at the end (bottom, right, higher channels) to the larger of the two, as dlib's `add_prev`
does. Each affine layer is folded into the convolution before it, in float64.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.errors import InstallError
from edge.faces.dlib_weights import read_network

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.faces.dlib_weights import Affine, Convolution, Network

    Layer = tuple[Convolution, Affine]

SIDE = 150
OPSET = 17
SCALE = 256.0  # dlib: (value - mean) / 256
STEM = (32, 3, 7, 2)
BLOCKS = (
    *[(32, 1)] * 3,
    *[(64, 2), (64, 1), (64, 1), (64, 1)],
    *[(128, 2), (128, 1), (128, 1)],
    *[(256, 2), (256, 1), (256, 1)],
    (256, 2),
)
"""Channels and stride of each residual block."""


def dlib_resnet(source: bytes) -> bytes:
    """Return the ONNX file made of `dlib_face_recognition_resnet_model_v1.dat`.

    Input `faces` (n, 3, 150, 150) float32 RGB 0..255, output (n, 128), not of unit length.
    Raises `InstallError` when `source` is anything else.
    """
    network = read_network(source)
    _check_layout(network)
    return _serialised(_build(network))


def _check_layout(network: Network) -> None:
    expected, channels = [STEM], STEM[0]
    for wide, stride in BLOCKS:
        expected += [(wide, channels, 3, stride), (wide, wide, 3, 1)]
        channels = wide
    for layer, affine, shape in zip(network.convolutions, network.affines, expected, strict=True):
        found = (*layer.filters.shape[:3], layer.stride[0])
        lengths = {len(layer.biases), len(affine.gain), len(affine.shift)}
        if found != shape or layer.stride[0] != layer.stride[1] or lengths != {shape[0]}:
            raise InstallError(f"not dlib's face network: a layer is {found}, {shape} is expected")
    if network.dense.shape != (BLOCKS[-1][0], 128):
        raise InstallError(f"not dlib's face network: the last layer is {network.dense.shape}")


@dataclass(slots=True)
class _Graph:
    """Nodes and weights as they are added. `shapes` holds (channels, side) of each value."""

    nodes: list[Any] = field(default_factory=list)
    weights: dict[str, NDArray[Any]] = field(default_factory=dict)
    shapes: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, kind: str, *inputs: str, shape: tuple[int, int], **attributes: Any) -> str:
        """Append one node and return the name of its output."""
        from onnx import helper  # noqa: PLC0415 - only while installing

        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name, **attributes))
        self.shapes[name] = shape
        return name

    def constant(self, value: NDArray[Any]) -> str:
        """Store one weight and return its name."""
        name = f"weight_{len(self.weights)}"
        self.weights[name] = value
        return name


def _build(network: Network) -> _Graph:
    graph = _Graph(shapes={"faces": (3, SIDE)})
    mean = graph.constant(np.array(network.mean, np.float32).reshape(1, 3, 1, 1))
    scale = graph.constant(np.array(SCALE, np.float32))
    value = graph.add("Div", graph.add("Sub", "faces", mean, shape=(3, SIDE)), scale, shape=(3, SIDE))
    layers = list(zip(network.convolutions, network.affines, strict=True))
    value = _relu(graph, _convolved(graph, value, *layers[0]))
    value = _pooled(graph, "MaxPool", value, side=3)
    for index in range(len(BLOCKS)):
        value = _block(graph, value, layers[1 + 2 * index], layers[2 + 2 * index])
    channels = graph.shapes[value][0]
    value = graph.add("GlobalAveragePool", value, shape=(channels, 1))
    value = graph.add("Flatten", value, shape=(channels, 1))
    graph.add("MatMul", value, graph.constant(network.dense), shape=(network.dense.shape[1], 1))
    return graph


def _block(graph: _Graph, value: str, first: Layer, second: Layer) -> str:
    main = _convolved(graph, _relu(graph, _convolved(graph, value, *first)), *second)
    shortcut = _pooled(graph, "AveragePool", value, side=2) if first[0].stride[0] == 2 else value
    channels, side = (max(pair) for pair in zip(graph.shapes[main], graph.shapes[shortcut], strict=True))
    main, shortcut = (_padded(graph, way, channels, side) for way in (main, shortcut))
    return _relu(graph, graph.add("Add", main, shortcut, shape=(channels, side)))


def _convolved(graph: _Graph, value: str, layer: Convolution, affine: Affine) -> str:
    gain = affine.gain.astype(np.float64)
    filters = (layer.filters * gain[:, None, None, None]).astype(np.float32)
    biases = (layer.biases * gain + affine.shift).astype(np.float32)
    kernel, stride, padding = layer.filters.shape[2], layer.stride[0], layer.padding[0]
    side = (graph.shapes[value][1] + 2 * padding - kernel) // stride + 1
    names = graph.constant(filters), graph.constant(biases)
    options = {
        "kernel_shape": [kernel] * 2,
        "strides": [stride] * 2,
        "pads": [*layer.padding, *layer.padding],
    }
    return graph.add("Conv", value, *names, shape=(len(biases), side), **options)


def _relu(graph: _Graph, value: str) -> str:
    return graph.add("Relu", value, shape=graph.shapes[value])


def _pooled(graph: _Graph, kind: str, value: str, side: int) -> str:
    """Pool with stride 2 and no padding; the size is rounded down."""
    channels, before = graph.shapes[value]
    after = (before - side) // 2 + 1
    return graph.add(kind, value, shape=(channels, after), kernel_shape=[side] * 2, strides=[2, 2])


def _padded(graph: _Graph, value: str, channels: int, side: int) -> str:
    has_channels, has_side = graph.shapes[value]
    if (has_channels, has_side) == (channels, side):
        return value
    more = [0, 0, 0, 0, 0, channels - has_channels, side - has_side, side - has_side]
    pads = graph.constant(np.array(more, np.int64))
    return graph.add("Pad", value, pads, shape=(channels, side))


def _serialised(graph: _Graph) -> bytes:
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415 - only while installing

    last = graph.nodes[-1].output[0]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "dlib-resnet",
            [helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["count", 3, SIDE, SIDE])],
            [helper.make_tensor_value_info(last, TensorProto.FLOAT, ["count", graph.shapes[last][0]])],
            [numpy_helper.from_array(value, name) for name, value in graph.weights.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=8,
    )
    return bytes(model.SerializeToString(deterministic=True))
