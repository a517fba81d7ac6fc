"""An ONNX file without its large weights, which are named instead: this file, from here, so many bytes.

onnxruntime maps what is named so and drops it when it has its own layout of it. Given the whole file it
holds each weight three times for a moment: 22 MB more at the start for the networks of a door.

The file is read as far as its weights, in the wire format of protocol buffers: a field is a number and its
bytes. https://onnx.ai/onnx/repo-docs/ExternalData.html
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEAST_BYTES = 1 << 16
"""Smaller weights stay: what is mapped takes whole pages."""

GRAPH, INITIALISER = 7, 5  # of ModelProto, GraphProto
RAW_DATA, EXTERNAL_DATA, DATA_LOCATION, EXTERNAL = 9, 13, 14, 1  # of TensorProto
KEY, VALUE = 1, 2  # of StringStringEntryProto
VARINT, EIGHT_BYTES, WITH_LENGTH, FOUR_BYTES = 0, 1, 2, 5  # wire types


class _Field(NamedTuple):
    """Field `number` of a message: its bytes from `start` to `stop`, of which the content from `content`."""

    number: int
    start: int
    content: int
    stop: int


def outline(path: Path) -> bytes:
    """Return the ONNX file at `path` with its large weights named, to be opened beside that file.

    Raises `ValueError` or `IndexError` when it is not written as protocol buffers are.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return b"".join(
            _message(GRAPH, _graph(data, field, path.name)) if field.number == GRAPH else _whole(data, field)
            for field in _fields(data, 0, len(data))
        )


def _graph(data: mmap.mmap, graph: _Field, name: str) -> bytes:
    return b"".join(
        _message(INITIALISER, _tensor(data, field, name))
        if field.number == INITIALISER and field.stop - field.content >= LEAST_BYTES
        else _whole(data, field)
        for field in _fields(data, graph.content, graph.stop)
    )


def _tensor(data: mmap.mmap, tensor: _Field, name: str) -> bytes:
    fields = list(_fields(data, tensor.content, tensor.stop))
    large = {f for f in fields if f.number == RAW_DATA and f.stop - f.content >= LEAST_BYTES}
    if not large:
        return data[tensor.content : tensor.stop]
    (raw,) = large
    place = {"location": name, "offset": str(raw.content), "length": str(raw.stop - raw.content)}
    entries = (_message(KEY, key.encode()) + _message(VALUE, value.encode()) for key, value in place.items())
    kept = (_whole(data, field) for field in fields if field.number not in {RAW_DATA, DATA_LOCATION})
    said = b"".join(_message(EXTERNAL_DATA, entry) for entry in entries)
    return b"".join(kept) + said + _varint(DATA_LOCATION << 3 | VARINT) + _varint(EXTERNAL)


def _fields(data: mmap.mmap, at: int, stop: int) -> Iterator[_Field]:
    while at < stop:
        start = at
        key, at = _read_varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            end = _read_varint(data, at)[1]
        elif wire == WITH_LENGTH:
            length, at = _read_varint(data, at)
            end = at + length
        elif wire in {EIGHT_BYTES, FOUR_BYTES}:
            end = at + (8 if wire == EIGHT_BYTES else 4)
        else:
            raise ValueError(f"field {number} has the unknown wire type {wire}")
        if end > stop:
            raise ValueError(f"field {number} ends beyond what it is in")
        yield _Field(number, start, at, end)
        at = end


def _whole(data: mmap.mmap, field: _Field) -> bytes:
    return data[field.start : field.stop]


def _read_varint(data: mmap.mmap, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _message(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | WITH_LENGTH) + _varint(len(content)) + content
