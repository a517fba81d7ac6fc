"""Recipes: small graphs made here, then the published ones against what they computed before."""

from __future__ import annotations

import numpy as np
import pytest

from edge.errors import InstallError
from edge.faces.install import LARGEST_DIFFERENCE
from edge.faces.manifest import load_manifest
from edge.faces.prepare import agreement, prepare, runnable
from edge.faces.sface_graph import shrink

onnx = pytest.importorskip("onnx")
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper  # noqa: E402 - after the check that it is here

RANDOM = np.random.default_rng(5)
START = RANDOM.bit_generator.state


def tensor(name: str, *shape: int, least: float = -1.0) -> TensorProto:
    return numpy_helper.from_array(RANDOM.uniform(least, 1, shape).astype(np.float32), name)


def normalisation(into: str, out: str, channels: int) -> tuple[NodeProto, list[TensorProto]]:
    names = [f"{out}_{part}" for part in ("gamma", "beta", "mean", "var")]
    values = [tensor(name, channels, least=0.3) for name in names]
    return helper.make_node("BatchNormalization", [into, *names], [out], epsilon=1e-3), values


def small_sface(*, dense: bool = True) -> ModelProto:
    """Return conv, norm, prelu, norm, dropout, flatten, dense, norm: SFace's chain on 8x8 pixels.

    With the same weights whatever was drawn before: how far rounding leads astray depends on them.
    """
    RANDOM.bit_generator.state = START
    first, one = normalisation("a", "b", 4)
    second, two = normalisation("c", "d", 4)
    third, three = normalisation("f", "fc1", 6)
    nodes = [
        helper.make_node("Conv", ["data", "filters"], ["a"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        first,
        helper.make_node("PRelu", ["b", "slope"], ["c"]),
        second,
        helper.make_node("Dropout", ["d"], ["dropped"]),
        helper.make_node("Flatten", ["dropped"], ["e"]),
        *([helper.make_node("Gemm", ["e", "matrix", "bias"], ["f"], transB=1), third] if dense else []),
    ]
    weights = [tensor("filters", 4, 3, 3, 3), tensor("slope", 4, 1, 1), *one, *two, *three]
    weights += [tensor("matrix", 6, 256), tensor("bias", 6)]
    data = helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, 8, 8])
    out = helper.make_tensor_value_info("fc1" if dense else "e", TensorProto.FLOAT, [1, 6 if dense else 256])
    graph = helper.make_graph(nodes, "small", [data], [out], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_a_shrunken_network_computes_nearly_the_same(tmp_path) -> None:
    model = small_sface()
    (tmp_path / "before.onnx").write_bytes(model.SerializeToString())
    shrink(model)
    (tmp_path / "after.onnx").write_bytes(model.SerializeToString())
    kinds = [node.op_type for node in model.graph.node]
    assert not {"BatchNormalization", "Dropout", "Gemm"} & set(kinds)
    assert 0 < agreement(tmp_path / "before.onnx", tmp_path / "after.onnx") < 0.02


def test_a_graph_without_one_dense_layer_at_the_end_is_refused() -> None:
    with pytest.raises(InstallError, match="not SFace"):
        shrink(small_sface(dense=False))


def blocked(axis: int, block: int) -> tuple[ModelProto, np.ndarray]:
    """Return a product with block-quantised weights, and the weights it stands for."""
    codes = RANDOM.integers(-128, 128, (6, 10)).astype(np.int8)
    scale = RANDOM.uniform(0.01, 0.02, (6, 3) if axis else (2, 10)).astype(np.float32)
    nodes = [
        helper.make_node("DequantizeLinear", ["codes", "scale"], ["w"], axis=axis, block_size=block),
        helper.make_node("MatMul", ["input", "w"], ["out"]),
    ]
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 6, 6])]
    inputs.append(helper.make_tensor_value_info("dangling", TensorProto.FLOAT, [9]))
    graph = helper.make_graph(
        nodes,
        "blocked",
        inputs,
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 3, 6, 10])],
        [numpy_helper.from_array(codes, "codes"), numpy_helper.from_array(scale, "scale")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return model, codes * np.repeat(scale, block, axis)[:6, :10]


@pytest.mark.parametrize(("axis", "block"), [(1, 4), (0, 3)])
def test_blocks_are_dequantised_and_dangling_inputs_dropped(axis: int, block: int) -> None:
    model, expected = blocked(axis, block)
    made = onnx.load_model_from_string(prepare("yunet", model.SerializeToString()))
    (weights,) = (numpy_helper.to_array(item) for item in made.graph.initializer)
    assert np.allclose(weights, expected, atol=1e-6)
    assert [item.name for item in made.graph.input] == ["input"]
    assert [side.dim_param for side in made.graph.input[0].type.tensor_type.shape.dim][2:] == [
        "height",
        "width",
    ]
    assert [node.op_type for node in made.graph.node] == ["MatMul"]


def test_preparing_twice_gives_the_same_bytes() -> None:
    source = blocked(1, 4)[0].SerializeToString()
    assert prepare("yunet", source) == prepare("yunet", source)


def test_the_original_stays_quantised_for_the_comparison() -> None:
    kept = onnx.load_model_from_string(runnable(blocked(1, 4)[0].SerializeToString()))
    assert [node.op_type for node in kept.graph.node] == ["DequantizeLinear", "MatMul"]
    assert [item.name for item in kept.graph.input] == ["input"]


def test_every_recipe_that_reads_a_graph_has_a_tolerance() -> None:
    graphs = ("yunet", "sface", "faceplugin")
    assert {load_manifest().model(name).prepare for name in graphs} == set(LARGEST_DIFFERENCE)
