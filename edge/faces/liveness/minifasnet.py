"""The Silent-Face networks as ONNX graphs, built from their weights alone.

MiniFASNet (Apache-2.0, minivision-ai/Silent-Face-Anti-Spoofing) is a chain of inverted residual
blocks; V1SE adds squeeze-and-excitation to the last block of each stage. The shapes of the
weights tell everything but the strides: the stem and the three stage entries halve the picture.
Batch normalisation is folded into the weights, element by element, so the bytes are the same on
every machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.errors import ModelCorrupt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

SIDE_PX = 80
EPSILON = 1e-5  # torch.nn.BatchNorm's default, left alone by the authors
STAGES = (("conv_23", "conv_3"), ("conv_34", "conv_4"), ("conv_45", "conv_5"))
OPSET = 13


def minifasnet_graph(tensors: Mapping[str, NDArray[Any]]) -> Any:
    """Return the `onnx.ModelProto` of a MiniFASNet with these weights.

    Input `input` (faces, 3, 80, 80) float32 BGR 0..255; output `logits` (faces, 3) before the
    softmax, index 1 = live. Raises `ModelCorrupt` when a weight is missing or of a wrong shape.
    """
    from onnx import TensorProto, helper  # noqa: PLC0415 - only while a model is installed

    builder = _Builder({name.removeprefix("module."): value for name, value in tensors.items()})
    builder.network()
    shape_in, shape_out = ["faces", 3, SIDE_PX, SIDE_PX], ["faces", 3]
    graph = helper.make_graph(
        builder.nodes,
        "minifasnet",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape_in)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape_out)],
        builder.weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="facegate")


class _Builder:
    """Appends one layer after another; `top` is the name of what the last one gave."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        self._tensors = tensors
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def network(self) -> None:
        """Append the whole chain, from `input` to `logits`."""
        top = self._activated("conv1", "input", stride=2)
        top = self._activated("conv2_dw", top)
        for entry, stage in STAGES:
            top = self._block(entry, top, stride=2)
            top = self._stage(stage, top)
        top = self._activated("conv_6_sep", top)
        top = self._convolved("conv_6_dw", top, padding=0)
        self._head(self._node("Flatten", "flat", [top], axis=1))

    def _stage(self, name: str, top: str) -> str:
        blocks = {key.split(".")[2] for key in self._tensors if key.startswith(f"{name}.model.")}
        for index in sorted(blocks, key=int):
            block = f"{name}.model.{index}"
            grown = self._block(block, top)
            if f"{block}.se_module.fc1.weight" in self._tensors:
                grown = self._excited(f"{block}.se_module", grown)
            top = self._node("Add", f"{block}.sum", [top, grown])
        return top

    def _block(self, name: str, top: str, stride: int = 1) -> str:
        top = self._activated(f"{name}.conv", top)
        top = self._activated(f"{name}.conv_dw", top, stride=stride)
        return self._convolved(f"{name}.project", top)

    def _excited(self, name: str, top: str) -> str:
        squeezed = self._node("GlobalAveragePool", f"{name}.pool", [top])
        squeezed = self._filtered(f"{name}.fc1", f"{name}.bn1", squeezed)
        squeezed = self._node("Relu", f"{name}.relu", [squeezed])
        squeezed = self._filtered(f"{name}.fc2", f"{name}.bn2", squeezed)
        gate = self._node("Sigmoid", f"{name}.sigmoid", [squeezed])
        return self._node("Mul", f"{name}.scaled", [top, gate])

    def _activated(self, name: str, top: str, stride: int = 1) -> str:
        top = self._convolved(name, top, stride)
        slope = self._weight(f"{name}.slope", self._tensor(f"{name}.prelu.weight")[:, None, None])
        return self._node("PRelu", f"{name}.prelu", [top, slope])

    def _convolved(self, name: str, top: str, stride: int = 1, padding: int | None = None) -> str:
        return self._filtered(f"{name}.conv", f"{name}.bn", top, stride, padding)

    def _filtered(self, name: str, norm: str, top: str, stride: int = 1, padding: int | None = None) -> str:
        """Append a convolution with its batch normalisation; 3x3 keeps the size, 1x1 needs no border."""
        kernel = self._tensor(f"{name}.weight")
        if kernel.ndim != 4:
            raise ModelCorrupt(f"weight {name} has shape {kernel.shape}: it is not a convolution")
        scale, shift = self._normalisation(norm)
        side = kernel.shape[-1]
        border = side // 2 if padding is None else padding
        inputs = [
            top,
            self._weight(f"{name}.w", kernel * scale[:, None, None, None]),
            self._weight(f"{name}.b", shift),
        ]
        depthwise = kernel.shape[1] == 1
        return self._node(
            "Conv",
            f"{name}.out",
            inputs,
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[border] * 4,
            group=kernel.shape[0] if depthwise else 1,
        )

    def _head(self, top: str) -> None:
        scale, shift = self._normalisation("bn")
        linear = self._weight("linear.w", self._tensor("linear.weight") * scale[:, None])
        top = self._node("Gemm", "embedding", [top, linear, self._weight("linear.b", shift)], transB=1)
        self._node("Gemm", "logits", [top, self._weight("prob.w", self._tensor("prob.weight"))], transB=1)

    def _normalisation(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (scale, shift) of a batch normalisation in evaluation mode."""
        mean, variance = self._tensor(f"{name}.running_mean"), self._tensor(f"{name}.running_var")
        scale = self._tensor(f"{name}.weight") / np.sqrt(variance + EPSILON)
        return scale, self._tensor(f"{name}.bias") - mean * scale

    def _tensor(self, name: str) -> NDArray[np.float64]:
        if name not in self._tensors:
            raise ModelCorrupt(f"the weights have no {name}: they are not of a MiniFASNet")
        return self._tensors[name].astype(np.float64)

    def _weight(self, name: str, values: NDArray[np.float64]) -> str:
        from onnx import numpy_helper  # noqa: PLC0415

        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name

    def _node(self, kind: str, output: str, inputs: list[str], **attributes: Any) -> str:
        from onnx import helper  # noqa: PLC0415

        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output
