"""dlib's serialised face network, read without dlib: every number in it, and nothing executed.

The file is a chain of records. Each layer writes its sub-network first, so tags appear in the
order from input to output; what lies between two records (training state) is skipped. A file
that is cut short, damaged or another network is refused before any graph is made of it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from math import ldexp, prod
from typing import TYPE_CHECKING

import numpy as np

from edge.errors import InstallError

if TYPE_CHECKING:
    from numpy.typing import NDArray

TAGS = ("input_rgb_image_sized", "con_4", "affine_", "relu_", "max_pool_2", "avg_pool_2", "add_prev_", "fc_2")
RECORDS = {
    "input_rgb_image_sized": 1,
    "con_4": 29,
    "affine_": 29,
    "relu_": 29,
    "max_pool_2": 1,
    "avg_pool_2": 5,
    "add_prev_": 14,
    "fc_2": 1,
}
"""How many of each the published network has: 109 in all."""

MOST_INT_BYTES = 8
LARGEST_EXPONENT = 1024  # above it dlib writes infinity and not-a-number


@dataclass(frozen=True, slots=True, eq=False)
class Convolution:
    """Filters (out, in, height, width) and biases (out,) float32; strides and paddings in pixels."""

    filters: NDArray[np.float32]
    biases: NDArray[np.float32]
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """Per-channel gain and shift, (channels,) float32 each."""

    gain: NDArray[np.float32]
    shift: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """The face network's numbers in order. `mean` is RGB, `dense` (in, out) float32."""

    mean: tuple[float, float, float]
    convolutions: tuple[Convolution, ...]
    affines: tuple[Affine, ...]
    dense: NDArray[np.float32]


class _Cursor:
    """Reads dlib's portable encodings; every read past the end is an `InstallError`."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise InstallError(f"the dlib file ends within a record at byte {self.at}: it is damaged")
        taken = self.data[self.at : self.at + count]
        self.at += count
        return taken

    def integer(self) -> int:
        """One control byte (low nibble: how many bytes, bit 7: negative), then little-endian magnitude."""
        control = self.take(1)[0]
        count = control & 0x0F
        if not 1 <= count <= MOST_INT_BYTES or control & 0x70:
            raise InstallError(f"the dlib file has no integer at byte {self.at - 1}: it is damaged")
        magnitude = int.from_bytes(self.take(count), "little")
        return -magnitude if control & 0x80 else magnitude

    def integers(self, count: int) -> tuple[int, ...]:
        return tuple(self.integer() for _ in range(count))

    def real(self) -> float:
        """Mantissa and exponent of two."""
        mantissa, exponent = self.integers(2)
        if abs(exponent) > LARGEST_EXPONENT:
            raise InstallError(f"the dlib file has a number that is not finite before byte {self.at}")
        return ldexp(mantissa, exponent)

    def tensor(self) -> NDArray[np.float32]:
        version, *shape = self.integers(5)
        if version != 2 or min(shape) < 0:
            raise InstallError(f"the dlib file has no tensor of version 2 before byte {self.at}")
        values = np.frombuffer(self.take(4 * prod(shape)), dtype="<f4").astype(np.float32)
        if not np.isfinite(values).all():
            raise InstallError(f"the dlib file has weights that are not finite before byte {self.at}")
        return values

    def alias(self) -> tuple[int, ...]:
        """Return the shape of a part of a tensor: four sizes."""
        _, *shape = self.integers(5)
        return tuple(shape)


def read_network(data: bytes) -> Network:
    """Return the numbers of `dlib_face_recognition_resnet_model_v1.dat`.

    Raises `InstallError` when the file is cut short, damaged, or another network.
    """
    cursor, counts = _Cursor(data), Counter[str]()
    mean: tuple[float, ...] = ()
    convolutions, affines, dense = [], [], np.empty((0, 0), np.float32)
    while tag := _next_tag(cursor):
        counts[tag] += 1
        if tag == "input_rgb_image_sized":
            mean = tuple(cursor.real() for _ in range(3))
        elif tag == "con_4":
            convolutions.append(_convolution(cursor))
        elif tag == "affine_":
            affines.append(_affine(cursor))
        elif tag == "fc_2":
            dense = _dense(cursor)
    if counts != RECORDS:
        found = ", ".join(f"{counts[tag]} {tag}" for tag in TAGS)
        raise InstallError(f"not dlib's face network, or damaged: it has {found}; 109 records are expected")
    return Network((mean[0], mean[1], mean[2]), tuple(convolutions), tuple(affines), dense)


_TAG = re.compile(b"|".join(re.escape(bytes([1, len(tag)]) + tag.encode()) for tag in TAGS))


def _next_tag(cursor: _Cursor) -> str:
    """Move behind the next length-prefixed tag and return it, or an empty string at the end.

    Parsed records are stepped over, so weight bytes are never mistaken for a tag.
    """
    found = _TAG.search(cursor.data, cursor.at)
    if found is None:
        return ""
    cursor.at = found.end()
    return found.group()[2:].decode()


def _convolution(cursor: _Cursor) -> Convolution:
    values = cursor.tensor()
    count, height, width, stride_y, stride_x, pad_y, pad_x = cursor.integers(7)
    # One tensor holds the filters and behind them the biases; an alias each tells their shapes.
    shape, _ = cursor.alias(), cursor.alias()
    if len(values) != prod(shape) + count or shape[0] != count or shape[2:] != (height, width):
        raise InstallError(f"the dlib file has a convolution of no sensible shape {shape}: it is damaged")
    filters = values[: prod(shape)].reshape(shape)
    return Convolution(filters, values[prod(shape) :], (stride_y, stride_x), (pad_y, pad_x))


def _affine(cursor: _Cursor) -> Affine:
    values = cursor.tensor()
    half = len(values) // 2
    return Affine(values[:half], values[half:])


def _dense(cursor: _Cursor) -> NDArray[np.float32]:
    outputs, inputs = cursor.integers(2)
    values = cursor.tensor()
    if outputs < 1 or inputs < 1 or len(values) != inputs * outputs:
        raise InstallError(f"the dlib file has a dense layer of no sensible shape {inputs}x{outputs}")
    return values.reshape(inputs, outputs)
