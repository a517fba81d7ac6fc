"""Graphs in faster words compute the same."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

from edge.faces.vector_graph import BLOCK, fill_blocks, spell_out_prelus

onnx = pytest.importorskip("onnx")
from onnx import ModelProto, TensorProto, helper, numpy_helper  # noqa: E402 - after the check that it is here

RANDOM = np.random.default_rng(11)


def weight(name: str, *shape: int) -> TensorProto:
    return numpy_helper.from_array(RANDOM.uniform(-1, 1, shape).astype(np.float32), name)


def network(*, ending: str = "Relu") -> ModelProto:
    """Return conv, prelu, channelwise conv, prelu, conv with 13 channels between, and `ending`."""
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["a"], kernel_shape=[3, 3], pads=[1] * 4),
        helper.make_node("PRelu", ["a", "s1"], ["b"]),
        helper.make_node("Conv", ["b", "w2", "b2"], ["c"], kernel_shape=[3, 3], pads=[1] * 4, group=13),
        helper.make_node("PRelu", ["c", "s2"], ["d"]),
        helper.make_node(ending, ["d"], ["e"])
        if ending != "Relu"
        else helper.make_node("Conv", ["d", "w3"], ["e"], kernel_shape=[1, 1]),
        helper.make_node("Relu", ["e"], ["y"]),
    ]
    weights = [weight("w1", 13, 3, 3, 3), weight("b1", 13), weight("w2", 13, 1, 3, 3), weight("b2", 13)]
    weights += [weight("s1", 13, 1, 1), weight("s2", 13, 1, 1), weight("w3", 5, 13, 1, 1)]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, 12, 12])
        for name, channels in (("x", 3), ("y", 5 if ending == "Relu" else 13))
    ]
    graph = helper.make_graph(nodes, "small", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def outputs(model: ModelProto) -> np.ndarray:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    picture = np.random.default_rng(1).uniform(-2, 2, (1, 3, 12, 12)).astype(np.float32)
    return np.asarray(session.run(None, {"x": picture})[0])


def channels(model: ModelProto) -> list[int]:
    weights = {item.name: item.dims[0] for item in model.graph.initializer}
    return [weights[node.input[1]] for node in model.graph.node if node.op_type == "Conv"]


def test_a_prelu_that_is_spelt_out_gives_the_same_bits() -> None:
    model = network()
    before = outputs(model)
    spell_out_prelus(model)
    assert "PRelu" not in {node.op_type for node in model.graph.node}
    assert np.count_nonzero(before) > before.size / 10
    assert np.array_equal(outputs(model), before)


def test_hidden_layers_fill_their_blocks_and_the_last_stays_as_it_is() -> None:
    model = network()
    before = outputs(model)
    fill_blocks(model)
    assert channels(model) == [BLOCK, BLOCK, 5]
    np.testing.assert_allclose(outputs(model), before, rtol=1e-5, atol=1e-5)


def test_both_together_compute_nearly_the_same() -> None:
    model = network()
    before = outputs(model)
    fill_blocks(model)
    spell_out_prelus(model)
    np.testing.assert_allclose(outputs(model), before, rtol=1e-5, atol=1e-5)


def test_what_anything_else_reads_keeps_its_channels() -> None:
    model = network(ending="Sigmoid")
    fill_blocks(model)
    assert channels(model) == [13, 13]
