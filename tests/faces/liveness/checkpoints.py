"""Checkpoints of the old PyTorch format, written opcode by opcode, and random MiniFASNet weights."""

from __future__ import annotations

import struct

import numpy as np

STORAGE = {"float32": "FloatStorage", "int64": "LongStorage"}


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def integer(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def integers(values) -> bytes:
    return b"(" + b"".join(integer(value) for value in values) + b"t"


def name(module: str, attribute: str) -> bytes:
    return b"c" + module.encode() + b"\n" + attribute.encode() + b"\n"


def strides(shape) -> list[int]:
    return [int(np.prod(shape[index + 1 :])) for index in range(len(shape))]


def tensor(
    key: str, array: np.ndarray, *, shape=None, stride=None, offset=0, kind=None, length=None
) -> bytes:
    shape = array.shape if shape is None else shape
    storage = b"(" + text("storage") + (kind or name("torch", STORAGE[str(array.dtype)])) + text(key)
    storage += text("cpu") + integer(array.size if length is None else length) + b"NtQ"
    layout = integers(shape) + integers(strides(shape) if stride is None else stride)
    hooks = name("collections", "OrderedDict") + b")R"
    return (
        name("torch._utils", "_rebuild_tensor_v2")
        + b"("
        + storage
        + integer(offset)
        + layout
        + b"\x89"
        + hooks
        + b"tR"
    )


def pickled(body: bytes) -> bytes:
    return b"\x80\x02" + body + b"."


HEADER = (
    pickled(b"\x8a\x0a" + (0x1950A86A20F9469CFC6C).to_bytes(10, "little"))
    + pickled(b"M\xe9\x03")
    + pickled(b"}")
)


def data(array: np.ndarray) -> bytes:
    return struct.pack("<q", array.size) + array.tobytes()


def checkpoint(arrays: dict[str, np.ndarray], body: bytes | None = None) -> bytes:
    """A whole file; `body` replaces the pickle that describes the tensors."""
    keys = [str(1000 + index) for index in range(len(arrays))]
    state = name("collections", "OrderedDict") + b")R"
    for key, (label, array) in zip(keys, arrays.items(), strict=True):
        state += text(label) + tensor(key, array) + b"s"
    listed = b"](" + b"".join(text(key) for key in keys) + b"e"
    return (
        HEADER
        + pickled(state if body is None else body)
        + pickled(listed)
        + b"".join(map(data, arrays.values()))
    )


class Weights(dict[str, np.ndarray]):
    """Random weights, added layer by layer under the names of the published network."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def norm(self, label: str, channels: int) -> None:
        for part in ("weight", "running_var"):
            self[f"{label}.{part}"] = self.rng.uniform(0.5, 1.5, channels).astype(np.float32)
        for part in ("bias", "running_mean"):
            self[f"{label}.{part}"] = self.rng.normal(0, 0.3, channels).astype(np.float32)
        self[f"{label}.num_batches_tracked"] = np.array(7, np.int64)

    def conv(self, label: str, shape: tuple[int, ...], bn: str) -> None:
        spread = np.sqrt(2 / np.prod(shape[1:]))
        self[f"{label}.weight"] = self.rng.normal(0, spread, shape).astype(np.float32)
        self.norm(bn, shape[0])

    def layer(self, label: str, shape: tuple[int, ...], *, active: bool = True) -> None:
        self.conv(f"{label}.conv", shape, f"{label}.bn")
        if active:
            self[f"{label}.prelu.weight"] = self.rng.uniform(0, 0.5, shape[0]).astype(np.float32)

    def block(self, label: str, before: int, inside: int, after: int) -> None:
        self.layer(f"{label}.conv", (inside, before, 1, 1))
        self.layer(f"{label}.conv_dw", (inside, 1, 3, 3))
        self.layer(f"{label}.project", (after, inside, 1, 1), active=False)

    def excitation(self, label: str, channels: int) -> None:
        self.conv(f"{label}.fc1", (2, channels, 1, 1), f"{label}.bn1")
        self.conv(f"{label}.fc2", (channels, 2, 1, 1), f"{label}.bn2")


STAGES = (("conv_23", "conv_3", 4, 4, 4), ("conv_34", "conv_4", 6, 4, 6), ("conv_45", "conv_5", 2, 6, 6))


def random_weights(seed: int, *, excited: bool) -> dict[str, np.ndarray]:
    """Weights of a MiniFASNet with very few channels; the names and the chain are the real ones."""
    weights = Weights(seed)
    weights.layer("conv1", (4, 3, 3, 3))
    weights.layer("conv2_dw", (4, 1, 3, 3))
    for entry, stage, count, before, channels in STAGES:
        weights.block(entry, before, 5, channels)
        for index in range(count):
            weights.block(f"{stage}.model.{index}", channels, 3, channels)
        if excited:
            weights.excitation(f"{stage}.model.{count - 1}.se_module", channels)
    weights.layer("conv_6_sep", (8, 6, 1, 1))
    weights.layer("conv_6_dw", (8, 1, 5, 5), active=False)
    weights["linear.weight"] = weights.rng.normal(0, 0.3, (7, 8)).astype(np.float32)
    weights.norm("bn", 7)
    weights["prob.weight"] = weights.rng.normal(0, 0.3, (3, 7)).astype(np.float32)
    return {f"module.{label}": value for label, value in weights.items()}
