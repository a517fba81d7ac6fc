"""Tensors out of a PyTorch checkpoint of the old (pre-zip) format, without running it.

A checkpoint is a pickle, and a pickle is a program. Here its opcodes are listed by the standard
library's disassembler, which executes nothing, and only the few that describe a dictionary of
tensors are understood; everything else refuses the file.
"""

from __future__ import annotations

import math
import pickletools
import struct
import warnings
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.errors import ModelCorrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

MAGIC = 0x1950A86A20F9469CFC6C  # torch.serialization.MAGIC_NUMBER
PROTOCOL = 1001  # torch.serialization.PROTOCOL_VERSION
MOST_OPCODES = 100_000  # the two known files have 18,000
MOST_DIMENSIONS = 8
STORAGES: dict[str, np.dtype[Any]] = {
    "torch FloatStorage": np.dtype("<f4"),
    "torch LongStorage": np.dtype("<i8"),
}
ORDERED = "collections OrderedDict"
REBUILD = "torch._utils _rebuild_tensor_v2"


@dataclass(frozen=True, slots=True)
class _Name:
    """A global the pickle names; it is only ever compared with the lists above."""

    name: str


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    dtype: np.dtype[Any]
    length: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]


class _Mark:
    """Where a tuple, list or dictionary on the stack begins."""


def read_tensors(content: bytes) -> dict[str, NDArray[Any]]:
    """Return the tensors of a checkpoint by name, as arrays of their own (float32 or int64).

    Raises `ModelCorrupt` for anything that is not a plain dictionary of contiguous tensors in
    the old format, naming the first thing that was not understood.
    """
    stream = BytesIO(content)
    # The format: five pickles in a row (magic, protocol, sizes, state, keys), then each storage's numbers.
    try:
        if _unpickled(stream) != MAGIC or _unpickled(stream) != PROTOCOL:
            raise ModelCorrupt("not a PyTorch checkpoint of the old format")
        # Sizes of C types on the machine that wrote it; storages are of fixed sizes.
        _unpickled(stream)
        state = _unpickled(stream)
        keys = _unpickled(stream)
        return _filled(state, _storages(stream, keys, _wanted(state)))
    except (ValueError, IndexError, TypeError, KeyError, struct.error, RecursionError) as error:
        if isinstance(error, ModelCorrupt):
            raise
        raise ModelCorrupt(f"damaged PyTorch checkpoint: {error}") from error


def _wanted(state: Any) -> dict[str, _Storage]:
    if type(state) is not dict or not state:
        raise ModelCorrupt("the checkpoint is not a dictionary of tensors")
    for name, tensor in state.items():
        if type(name) is not str or type(tensor) is not _Tensor:
            raise ModelCorrupt(f"the checkpoint's {name!r:.60} is not a tensor")
    return {tensor.storage.key: tensor.storage for tensor in state.values()}


def _storages(stream: BytesIO, keys: Any, wanted: Mapping[str, _Storage]) -> dict[str, NDArray[Any]]:
    """Read the numbers behind the pickles: for each key a length and that many values."""
    if type(keys) is not list or sorted(keys) != sorted(wanted):
        raise ModelCorrupt("the checkpoint's list of storages is not that of its tensors")
    found = {}
    for key in keys:
        storage = wanted[key]
        (length,) = struct.unpack("<q", stream.read(8))
        raw = stream.read(storage.length * storage.dtype.itemsize) if length == storage.length else b""
        found[key] = np.frombuffer(raw, storage.dtype)
        if len(found[key]) != storage.length:
            raise ModelCorrupt(f"storage {key!r:.60} of the checkpoint is cut short or of another length")
    # Nothing may hide behind what was understood.
    if stream.read(1):
        raise ModelCorrupt("the checkpoint goes on after its last storage")
    return found


def _filled(state: Mapping[str, _Tensor], storages: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    arrays = {}
    for name, tensor in state.items():
        size = math.prod(tensor.shape)
        # Within its storage: `_tensor` has seen to it, and copied so that no array keeps the whole file
        # alive.
        values = storages[tensor.storage.key][tensor.offset : tensor.offset + size]
        arrays[name] = values.reshape(tensor.shape).copy()
    return arrays


def _unpickled(stream: BytesIO) -> Any:
    """Return the value of the next pickle in `stream`, which is left just behind it."""
    machine = _Machine()
    with warnings.catch_warnings():
        # Of odd escapes in a damaged text Python only warns; the machine refuses such a text anyway.
        warnings.simplefilter("ignore", DeprecationWarning)
        for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if count >= MOST_OPCODES:
                raise ModelCorrupt(f"the checkpoint's description has more than {MOST_OPCODES} steps")
            if opcode.name == "STOP":
                break
            machine.step(opcode.name, argument)
    return machine.result()


class _Machine:
    """The stack and the memo of a pickle, with the dozen opcodes that build plain values."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """Do one opcode. Raises `ModelCorrupt` when it is not one of the plain ones."""
        if name in PLAIN:
            self._stack.append(PLAIN[name](argument))
        elif name in TUPLES:
            self._stack.append(tuple(self._popped(TUPLES[name])))
        elif name in ACTIONS:
            ACTIONS[name](self, argument)
        else:
            raise ModelCorrupt(f"the checkpoint wants pickle opcode {name}, which is refused")

    def result(self) -> Any:
        """Return the one value that is left."""
        if len(self._stack) != 1:
            raise ModelCorrupt("the checkpoint's description does not end with one value")
        return self._stack[0]

    def _popped(self, count: int) -> list[Any]:
        if count > len(self._stack):
            raise ModelCorrupt("the checkpoint takes more values than it gave")
        values = self._stack[len(self._stack) - count :]
        del self._stack[len(self._stack) - count :]
        return values

    def _since_mark(self) -> list[Any]:
        at = max(index for index, value in enumerate(self._stack) if type(value) is _Mark)
        values = self._stack[at + 1 :]
        del self._stack[at:]
        return values

    def tuple(self, _: Any) -> None:
        """Make a tuple of what lies above the mark."""
        self._stack.append(tuple(self._since_mark()))

    def put(self, argument: Any) -> None:
        """Remember the top value."""
        self._memo[int(argument)] = self._stack[-1]

    def get(self, argument: Any) -> None:
        """Push a remembered value."""
        self._stack.append(self._memo[int(argument)])

    def append_all(self, _: Any) -> None:
        """Append what lies above the mark to the list below it."""
        values = self._since_mark()
        self._top(list).extend(values)

    def set_item(self, _: Any) -> None:
        """Put one pair into the dictionary below it."""
        key, value = self._popped(2)
        self._top(dict)[key] = value

    def set_items(self, _: Any) -> None:
        """Put the pairs above the mark into the dictionary below it."""
        values = self._since_mark()
        self._top(dict).update(zip(values[::2], values[1::2], strict=True))

    def build(self, _: Any) -> None:
        """Drop the attributes of a dictionary (module versions): nothing needs them."""
        self._popped(1)
        self._top(dict)

    def name(self, argument: Any) -> None:
        """Push the name of a global that is on the list."""
        if argument not in {*STORAGES, ORDERED, REBUILD}:
            raise ModelCorrupt(f"the checkpoint names {argument!r:.80}, which is refused")
        self._stack.append(_Name(argument))

    def reduce(self, _: Any) -> None:
        """Make the dictionary or the tensor that a call would have made."""
        target, arguments = self._popped(2)
        if target == _Name(ORDERED) and arguments == ():
            self._stack.append({})
        elif target == _Name(REBUILD):
            self._stack.append(_tensor(*arguments))
        else:
            raise ModelCorrupt(f"the checkpoint calls {target!r:.80}, which is refused")

    def storage(self, _: Any) -> None:
        """Push the storage that a persistent id describes."""
        (description,) = self._popped(1)
        kind, what, key, _device, length, view = description
        if kind != "storage" or type(what) is not _Name or what.name not in STORAGES or view is not None:
            raise ModelCorrupt(f"the checkpoint refers to {description!r:.80}, which is refused")
        self._stack.append(_Storage(_text(key), STORAGES[what.name], _count(length)))

    def _top(self, kind: type[Any]) -> Any:
        if not self._stack or type(self._stack[-1]) is not kind:
            raise ModelCorrupt(f"the checkpoint fills something that is not a {kind.__name__}")
        return self._stack[-1]


PLAIN: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("LONG1", "BININT", "BININT1", "BININT2", "BINUNICODE"), lambda argument: argument),
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "MARK": lambda _: _Mark(),
    "EMPTY_LIST": lambda _: [],
    "EMPTY_DICT": lambda _: {},
}
TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda _, __: None,
    "TUPLE": _Machine.tuple,
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _Machine.put),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.get),
    "APPENDS": _Machine.append_all,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "BUILD": _Machine.build,
    "GLOBAL": _Machine.name,
    "REDUCE": _Machine.reduce,
    "BINPERSID": _Machine.storage,
}


def _tensor(storage: Any, offset: Any, shape: Any, stride: Any, _grad: Any, _hooks: Any) -> _Tensor:
    """Return a contiguous tensor that lies within its storage; refuse any other."""
    sides = tuple(_count(side) for side in shape)
    steps = tuple(math.prod(sides[index + 1 :]) for index in range(len(sides)))
    if type(storage) is not _Storage or len(sides) > MOST_DIMENSIONS or tuple(stride) != steps:
        raise ModelCorrupt(f"the checkpoint has a tensor of shape {sides} that is not laid out plainly")
    if _count(offset) + math.prod(sides) > storage.length:
        raise ModelCorrupt(f"a tensor of shape {sides} reaches beyond its storage of {storage.length}")
    return _Tensor(storage, offset, sides)


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**31:
        raise ModelCorrupt(f"the checkpoint counts {value!r:.40}")
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ModelCorrupt(f"the checkpoint names a storage {value!r:.40}")
    return value
