"""Weights are named instead of copied, and the network computes the same."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.faces.outline import LEAST_BYTES, outline
from edge.faces.weights import is_mapped, open_session

onnx = pytest.importorskip("onnx")
from onnx import ModelProto, TensorProto, helper, numpy_helper  # noqa: E402 - after the check that it is here

RANDOM = np.random.default_rng(5)
LARGE = RANDOM.uniform(-1, 1, (256, 128)).astype(np.float32)
SMALL = RANDOM.uniform(-1, 1, (128, 8)).astype(np.float32)


def network(large: TensorProto | None = None) -> ModelProto:
    weights = [large or numpy_helper.from_array(LARGE, "large"), numpy_helper.from_array(SMALL, "small")]
    nodes = [
        helper.make_node("MatMul", ["x", "large"], ["a"]),
        helper.make_node("MatMul", ["a", "small"], ["y"]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, n]) for name, n in (("x", 256), ("y", 8))
    ]
    graph = helper.make_graph(nodes, "two", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def test_large_weights_are_named_and_nothing_else_changes(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(network(), str(path))

    found = onnx.load_from_string(outline(path))

    large, small = found.graph.initializer
    named = {entry.key: entry.value for entry in large.external_data}
    raw = path.read_bytes()[int(named["offset"]) :][: int(named["length"])]
    assert (large.data_location, named["location"]) == (TensorProto.EXTERNAL, "net.onnx")
    assert raw == LARGE.tobytes()
    assert not large.raw_data
    large.ClearField("external_data")
    large.ClearField("data_location")
    large.raw_data = raw
    assert found == network()
    assert (small.name, small.raw_data) == ("small", SMALL.tobytes())


def test_the_answers_are_the_same_to_the_last_bit(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(network(), str(path))
    one = RANDOM.uniform(-1, 1, (1, 256)).astype(np.float32)

    whole = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"x": one})[0]

    assert open_session(path).run(None, {"x": one})[0].tobytes() == whole.tobytes()


def test_no_weights_stay_on_the_card(tmp_path: Path) -> None:
    """Nothing replaces what is added; on an ARM board without its own layout, weights of convolutions."""
    path = tmp_path / "net.onnx"
    weights = numpy_helper.from_array(LARGE.reshape(1, -1), "added")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, LARGE.size]) for name in "xy"]
    node = helper.make_node("Add", ["x", "added"], ["y"])
    graph = helper.make_graph([node], "sum", ends[:1], ends[1:], [weights])
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))

    session = open_session(path)

    assert not is_mapped(path)
    path.write_bytes(b"")  # as a card that is gone
    found = session.run(None, {"x": np.zeros((1, LARGE.size), np.float32)})[0]
    assert found.tobytes() == LARGE.tobytes()


def test_a_network_may_be_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    onnx.save(network(), str(tmp_path / "kept" / "net.onnx"))
    (tmp_path / "link.onnx").symlink_to(tmp_path / "kept" / "net.onnx")

    found = open_session(tmp_path / "link.onnx").run(None, {"x": np.ones((1, 256), np.float32)})

    assert found[0].shape == (1, 8)


def test_weights_that_are_not_raw_stay(tmp_path: Path) -> None:
    listed = helper.make_tensor("large", TensorProto.FLOAT, LARGE.shape, LARGE.ravel().tolist())
    path = tmp_path / "net.onnx"
    onnx.save(network(listed), str(path))

    assert outline(path) == path.read_bytes()


@given(st.binary(min_size=1, max_size=60), st.integers(0, 2 * LEAST_BYTES))
def test_a_damaged_file_is_read_as_it_is_or_refused(damage: bytes, at: int) -> None:
    """Never another error, never for ever; onnxruntime judges what could be read."""
    content = network().SerializeToString()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        path.write_bytes(content[:at] + damage + content[at + len(damage) :])
        with suppress(ValueError, IndexError):
            outline(path)
