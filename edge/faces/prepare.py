"""Recipes that turn a published file into one that onnxruntime runs fast, done once at install.

Each is deterministic: the same bytes on every machine, whose SHA-256 the manifest holds. Only
this module and the dlib converter import `onnx`, and only when a recipe runs.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.errors import InstallError
from edge.extras import way_to_install
from edge.faces.vector_graph import fill_blocks, spell_out_prelus

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

IR_VERSION = 8  # read by every onnxruntime since 1.10
FROM_ELSEWHERE = "or give --from a folder with the prepared file of another machine"


def can_prepare() -> bool:
    """Return whether the recipes have what they need, without loading it."""
    return find_spec("onnx") is not None


def needs_onnx() -> str:
    """Return what to say when they have not."""
    return f"preparing a model needs onnx: {way_to_install('models')}, {FROM_ELSEWHERE}"


def prepare(recipe: str, source: bytes) -> bytes:
    """Return the file made ready by `recipe`, one of `RECIPES`.

    Raises `InstallError` when the recipe is unknown, `onnx` is not installed, or `source` is
    not the kind of file the recipe expects.
    """
    if recipe not in RECIPES:
        raise InstallError(f"no recipe is called {recipe!r}: there are {', '.join(RECIPES)}")
    try:
        return RECIPES[recipe](source)
    except ImportError as error:
        raise InstallError(needs_onnx()) from error


def _untouched(source: bytes) -> bytes:
    return source


def _yunet(source: bytes) -> bytes:
    """Dequantise; free height and width (every reshape in the graph is [1, -1, k])."""
    model = _dequantised(source)
    _name_dimensions(model.graph.input[0], {2: "height", 3: "width"})
    for output in model.graph.output:
        _name_dimensions(output, {1: f"cells_{output.name}"})
    return _serialised(model)


def _sface(source: bytes) -> bytes:
    """Dequantise, fold the normalisations, keep the last layer in eight bits. One face at a time."""
    from edge.faces.sface_graph import shrink  # noqa: PLC0415 - only while installing

    model = _dequantised(source)
    shrink(model)
    spell_out_prelus(model)
    return _serialised(model)


def _minifasnet(source: bytes) -> bytes:
    """Read a checkpoint's tensors without running it, and build the graph around them."""
    from edge.faces.liveness.minifasnet import minifasnet_graph  # noqa: PLC0415
    from edge.faces.liveness.pth import read_tensors  # noqa: PLC0415

    return _vectors(minifasnet_graph(read_tensors(source)))


def _faceplugin(source: bytes) -> bytes:
    return _vectors(_dequantised(source))


def _vectors(model: Any) -> bytes:
    fill_blocks(model)
    spell_out_prelus(model)
    return _serialised(model)


def _dlib(source: bytes) -> bytes:
    from edge.faces.dlib_graph import dlib_resnet  # noqa: PLC0415 - only one model needs it

    return dlib_resnet(source)


RECIPES: dict[str, Callable[[bytes], bytes]] = {
    "none": _untouched,
    "dlib-resnet": _dlib,
    "yunet": _yunet,
    "sface": _sface,
    "minifasnet": _minifasnet,
    "faceplugin": _faceplugin,
}


def _parsed(source: bytes) -> Any:
    import onnx  # noqa: PLC0415

    try:
        return onnx.load_model_from_string(source)
    except Exception as error:
        raise InstallError(f"not an ONNX file: {error}") from error


def _serialised(model: Any) -> bytes:
    model.ir_version = IR_VERSION
    return bytes(model.SerializeToString(deterministic=True))


def _dequantised(source: bytes) -> Any:
    """Return the model with weights in float32 and only true inputs.

    onnxruntime does not fold block-wise DequantizeLinear, and runs it again for every face:
    46 ms instead of 28.
    """
    from onnx import numpy_helper  # noqa: PLC0415

    model = _parsed(source)
    graph = model.graph
    weights = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    nodes = [node for node in graph.node if not _fold(node, weights)]
    used = {name for node in nodes for name in node.input}
    inputs = [item for item in graph.input if item.name in used and item.name not in weights]
    for field in (graph.node, graph.input, graph.initializer, graph.value_info):
        del field[:]
    graph.node.extend(nodes)
    graph.input.extend(inputs)
    graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(value), name)
        for name, value in weights.items()
        if name in used
    )
    return model


def _fold(node: Any, weights: dict[str, NDArray[Any]]) -> bool:
    """Compute a node of constants into `weights`; return whether it was one."""
    if node.op_type == "DequantizeLinear" and node.input[0] in weights:
        weights[node.output[0]] = _floats(node, weights)
        return True
    if node.op_type == "Reshape" and all(name in weights for name in node.input):
        weights[node.output[0]] = weights[node.input[0]].reshape(weights[node.input[1]])
        return True
    return False


def _floats(node: Any, weights: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Return (quantised - zero) * scale, one scale and zero per block, per axis or for all."""
    options = {item.name: item.i for item in node.attribute}
    axis, block = options.get("axis", 1), options.get("block_size", 0)
    quantised, scale = weights[node.input[0]], weights[node.input[1]]
    zero = weights[node.input[2]] if len(node.input) > 2 else np.zeros_like(scale, quantised.dtype)
    scale, zero = (_spread(value, quantised.shape, axis, block) for value in (scale, zero))
    floats: NDArray[np.float32] = (quantised.astype(np.float32) - zero.astype(np.float32)) * scale
    return floats


def _spread(value: NDArray[Any], shape: tuple[int, ...], axis: int, block: int) -> NDArray[Any]:
    if value.size == 1:
        return value.reshape(())
    if block:
        return np.repeat(value, block, axis)[tuple(slice(0, length) for length in shape)]
    return value.reshape([-1 if index == axis else 1 for index in range(len(shape))])


def _name_dimensions(value: Any, names: dict[int, str]) -> None:
    for index, name in names.items():
        value.type.tensor_type.shape.dim[index].dim_param = name


def runnable(source: bytes) -> bytes:
    """Return the published graph, still quantised, as onnxruntime accepts it: to compare against.

    Its dangling inputs are dropped, and the block size of a scale that has only one value.
    """
    model = _parsed(source)
    single = {item.name for item in model.graph.initializer if list(item.dims) in ([], [1])}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[1] in single:
            attributes = [item for item in node.attribute if item.name != "block_size"]
            del node.attribute[:]
            node.attribute.extend(attributes)
    used = {name for node in model.graph.node for name in node.input}
    weights = {item.name for item in model.graph.initializer}
    inputs = [item for item in model.graph.input if item.name in used and item.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    return bytes(model.SerializeToString())


def agreement(original: Path, prepared: Path) -> float:
    """Return the largest difference of any output, relative to that output's largest value.

    Both graphs are fed one picture of seeded noise, of the size the original is fixed to.
    """
    from edge.faces.weights import open_session  # noqa: PLC0415 - onnxruntime is only needed here

    first, second = open_session(original), open_session(prepared)
    shape = [side if isinstance(side, int) else 1 for side in first.get_inputs()[0].shape]
    picture = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
    expected = first.run(None, {first.get_inputs()[0].name: picture})
    found = second.run(None, {second.get_inputs()[0].name: picture})
    return max(float(np.abs(a - b).max() / np.abs(a).max()) for a, b in zip(expected, found, strict=True))
