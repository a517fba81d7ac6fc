"""Graphs said in words that onnxruntime computes many numbers at a time for.

On x86 it keeps pictures in blocks of 16 channels, and its convolutions then run at full speed. Two
things break that off, and these networks have both after nearly every layer. A PRelu is computed one
number at a time, and the picture is put into another order before it and back behind it: more than half
of what an embedding costs. And channels whose number does not fill the blocks get the slow convolution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Weights = dict[str, NDArray[Any]]

BLOCK = 16
"""Channels to a block with AVX-512; with AVX2 it is 8, which 16 fills as well."""


def spell_out_prelus(model: Any) -> None:
    """Replace each PRelu of an `onnx.ModelProto` by what means the same, bit for bit, in place.

    relu(x) - slope * relu(-x): one of the two terms is always zero, so nothing is rounded anew. Both
    products are convolutions of one pixel and one channel, which have a fast way in every layout.
    """
    from onnx import helper  # noqa: PLC0415 - only while installing

    weights, nodes = _weights(model), []
    for node in model.graph.node:
        if node.op_type != "PRelu":
            nodes.append(node)
            continue
        (into, slope), (out,) = node.input, node.output
        slopes = weights[slope].reshape(-1, 1, 1, 1)
        count = len(slopes)
        weights |= {f"minus_{count}": -np.ones_like(slopes), f"{out}_slopes": -slopes}
        one_pixel = {"kernel_shape": [1, 1], "group": count}
        nodes += [
            helper.make_node("Relu", [into], [f"{out}_above"]),
            helper.make_node("Conv", [into, f"minus_{count}"], [f"{out}_minus"], **one_pixel),
            helper.make_node("Relu", [f"{out}_minus"], [f"{out}_below"]),
            helper.make_node("Conv", [f"{out}_below", f"{out}_slopes"], [f"{out}_bent"], **one_pixel),
            helper.make_node("Add", [f"{out}_bent", f"{out}_above"], [out]),
        ]
    _write(model, nodes, weights)


def fill_blocks(model: Any) -> None:
    """Add channels that are always zero until every hidden layer fills its blocks, in place.

    Hidden is what only PRelus and convolutions read. Sums then run over more zeros and in another order:
    outputs move by a millionth.
    """
    weights, readers = _weights(model), _readers(model)
    added: dict[str, int] = {}
    for node in model.graph.node:
        extra = added.get(node.input[0], 0) if node.input else 0
        if node.op_type == "Conv":
            added[node.output[0]] = _filled(node, weights, extra, is_hidden=_is_hidden(node, readers))
        elif node.op_type == "PRelu":
            # Slopes of the new channels are zero: what is always zero stays so.
            weights[node.input[1]] = _padded(weights[node.input[1]], extra)
            added[node.output[0]] = extra
    _write(model, list(model.graph.node), weights)


def _readers(model: Any) -> dict[str, list[Any]]:
    """Return the nodes that read each tensor."""
    readers: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    return readers


def _is_hidden(node: Any, readers: dict[str, list[Any]]) -> bool:
    """Return whether a convolution over all channels reads what `node` gives, and nothing else does."""
    nodes = readers.get(node.output[0], [])
    return bool(nodes) and all(
        (reader.op_type == "Conv" and _group(reader) is None)
        or (reader.op_type in {"Conv", "PRelu"} and _is_hidden(reader, readers))
        for reader in nodes
    )


def _group(node: Any) -> Any:
    """Return the attribute that says in how many groups the channels are taken, None for one."""
    return next((item for item in node.attribute if item.name == "group" and item.i != 1), None)


def _filled(node: Any, weights: Weights, extra: int, *, is_hidden: bool) -> int:
    """Widen one convolution whose input has `extra` channels more; return how many its output has."""
    group, filters = _group(node), weights[node.input[1]]
    if group is None:
        filters = np.pad(filters, [(0, 0), (0, extra), (0, 0), (0, 0)])
        extra = -len(filters) % BLOCK if is_hidden else 0
    else:
        group.i += extra
    weights[node.input[1]] = _padded(filters, extra)
    if len(node.input) > 2:
        weights[node.input[2]] = _padded(weights[node.input[2]], extra)
    return extra


def _padded(values: NDArray[Any], extra: int) -> NDArray[Any]:
    return np.pad(values, [(0, extra), *[(0, 0)] * (values.ndim - 1)])


def _weights(model: Any) -> Weights:
    from onnx import numpy_helper  # noqa: PLC0415

    return {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}


def _write(model: Any, nodes: list[Any], weights: Weights) -> None:
    """Give the graph these nodes, and of `weights` what they use."""
    from onnx import numpy_helper  # noqa: PLC0415

    graph = model.graph
    used = {name for node in nodes for name in node.input}
    for field in (graph.node, graph.initializer, graph.value_info):
        del field[:]
    graph.node.extend(nodes)
    graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(value), name)
        for name, value in weights.items()
        if name in used
    )
