"""Galleries made with `face_recognition`: names and 128 numbers each, read from a plain file.

Nothing is ever unpickled: a pickle runs whatever its author wrote. Export it once, where it was
made, for example with `json.dump({name: encoding.tolist() for ...})`.

The encodings are dlib's own and not of unit length (1.28 to 1.62 on 40 faces); here they are
made unit, because similarity is the cosine everywhere. They belong to the model `dlib-resnet`.
dlib cuts the face out by its own landmarks; beside an embedding of the same photo cut out by
ours the cosine is .993 in the median of 100 faces, .983 at the fifth percentile, .964 at worst
(before the centre is subtracted).
"""

from __future__ import annotations

import io
import json
import tokenize
import zipfile
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.config.load import read_text
from edge.errors import ConfigError, EnrolmentRefused, IdentityRefused
from edge.identity import resident_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.domain import Embedding

MODEL = "dlib-resnet"
"""The manifest's name of the model these encodings are compared with."""

DIMENSIONS = 128
MOST_BYTES = 64 << 20  # a hundred thousand encodings; more is not a gallery of a house
SAME_PERSON = 0.47
"""Largest distance of two encodings, made unit, of one person: dlib's own 0.6 (its face recognition
example, and `face_recognition.compare_faces`) over the least length it gives, 1.28."""

LEAST_NORM, MOST_NORM = 0.5, 3.0  # unit vectors and dlib's own (1.28 to 1.62) pass, garbage does not
SHAPES = (
    'JSON {"name": [128 numbers] or a list of those}, or {"names": [...], "encodings": [...]}; '
    "npz with arrays names and encodings; npy with fields name and encoding, or (n, 128) numbers "
    "beside a .txt of the same name with one name a line"
)


_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    RecursionError,
    SyntaxError,
    tokenize.TokenError,  # numpy parses the header of an npy file as a Python literal
    zipfile.BadZipFile,
)


def read_encodings(path: Path, centre: Sequence[float] = ()) -> list[tuple[str, Embedding]]:
    """Return (name, unit embedding) pairs in the order of the file; a name may come repeatedly.

    `centre` is the model's: subtracted from the unit encoding, which is then made unit again, as
    the embedder does at the door. Without it the two would not be comparable.
    Reads .json, .npz and .npy, told apart by the suffix. Raises `EnrolmentRefused` when the file
    is of another kind, damaged, holds pickled objects, or an entry is not a 128-D encoding.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        pickled = path.suffix.lower() in {".pkl", ".pickle", ".dat"}
        rule = "pickles are never opened: they run code" if pickled else "unknown kind of file"
        raise EnrolmentRefused(f"{path.name}: {rule}; give {SHAPES}")
    try:
        if path.stat().st_size > MOST_BYTES:
            raise EnrolmentRefused(f"{path.name}: larger than {MOST_BYTES >> 20} MB; split it")
        pairs = [(str(name), value) for name, value in reader(path)]
    except ConfigError as error:
        raise EnrolmentRefused(str(error)) from error
    except _UNREADABLE as error:
        if isinstance(error, EnrolmentRefused):
            raise
        raise EnrolmentRefused(f"{path.name} cannot be read: {error}; give {SHAPES}") from error
    if not pairs:
        raise EnrolmentRefused(f"{path.name} holds no encodings; give {SHAPES}")
    middle = np.asarray(centre if len(centre) else np.zeros(DIMENSIONS), np.float64)
    found = [(_name(path, name), _unit(path, name, value, middle)) for name, value in pairs]
    _require_one_person_a_name(
        path, [(name, value) for (name, _), (_, value) in zip(found, pairs, strict=True)]
    )
    return found


def _require_one_person_a_name(path: Path, pairs: Sequence[tuple[str, Any]]) -> None:
    """Refuse a name whose encodings fall apart into groups that dlib takes for different people."""
    by_name: dict[str, list[NDArray[np.float64]]] = {}
    for name, value in pairs:
        vector = np.asarray(value, dtype=np.float64)
        by_name.setdefault(name, []).append(vector / np.linalg.norm(vector))
    for name, encodings in by_name.items():
        # Each time the nearest of those left joins: a chain of alike pictures is one person, a gap is two.
        near, waiting = [encodings[0]], encodings[1:]
        while waiting:
            distances = [min(float(np.linalg.norm(one - other)) for other in near) for one in waiting]
            closest = int(np.argmin(distances))
            if distances[closest] > SAME_PERSON:
                raise EnrolmentRefused(
                    f"{path.name}: the encodings of {name!r}, made unit, are {distances[closest]:.2f} apart,"
                    f" one person's at most {SAME_PERSON}: give two people of one name a name each, or leave"
                    " the odd picture out"
                )
            near.append(waiting.pop(closest))


def _name(path: Path, name: str) -> str:
    try:
        return resident_id(name)  # a name becomes the id where no other is given
    except IdentityRefused as error:
        raise EnrolmentRefused(f"{path.name}: {error}; every encoding needs one") from error


def _unit(path: Path, name: str, value: Any, centre: NDArray[np.float64]) -> Embedding:
    try:
        vector = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise EnrolmentRefused(f"{path.name}: the encoding of {name!r} is not numbers: {error}") from error
    if vector.shape != (DIMENSIONS,):
        raise EnrolmentRefused(f"{path.name}: the encoding of {name!r} has shape {vector.shape}, not (128,)")
    # An overflow gives infinity, which the next line refuses.
    with np.errstate(over="ignore"):
        norm = float(np.linalg.norm(vector))
    if not LEAST_NORM <= norm <= MOST_NORM:
        rule = f"its length is {norm:.3g}, dlib's are {LEAST_NORM} to {MOST_NORM}"
        raise EnrolmentRefused(f"{path.name}: the encoding of {name!r} is not dlib's: {rule}")
    # As the embedder does at the door: unit length, minus the centre, unit length again.
    moved = vector / norm - centre
    return np.asarray(moved / np.linalg.norm(moved), dtype=np.float32)


def _without_doubles(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; one that names somebody twice would lose the first without a word."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise EnrolmentRefused(f"{path.name}: {twice!r} stands there twice; give everybody an own name")
    return found


def _json(path: Path) -> Iterator[tuple[Any, Any]]:
    data = json.loads(read_text(path), object_pairs_hook=partial(_without_doubles, path))
    if not isinstance(data, dict):
        raise EnrolmentRefused(f"{path.name}: a JSON object is needed, this is a {type(data).__name__}")
    if set(data) == {"names", "encodings"}:
        yield from zip(data["names"], data["encodings"], strict=True)
        return
    for name, value in data.items():
        nested = isinstance(value, list) and value and isinstance(value[0], list)
        yield from ((name, one) for one in (value if nested else [value]))


def _npz(path: Path) -> Iterator[tuple[Any, Any]]:
    with zipfile.ZipFile(path) as archive:
        # The sizes that the archive claims; zipfile reads no more than these of each member.
        if sum(member.file_size for member in archive.infolist()) > MOST_BYTES:
            raise EnrolmentRefused(f"{path.name}: unpacks to more than {MOST_BYTES >> 20} MB; split it")
        names, encodings = (_array(path, archive.read(f"{key}.npy")) for key in ("names", "encodings"))
    yield from zip(names.tolist(), encodings, strict=True)


def _npy(path: Path) -> Iterator[tuple[Any, Any]]:
    array = _array(path, path.read_bytes())
    if array.dtype.names:
        yield from zip(array["name"].tolist(), array["encoding"], strict=True)
        return
    beside = path.with_suffix(".txt")
    if not beside.is_file():
        raise EnrolmentRefused(f"{path.name} holds no names: put {beside.name} beside it, one name a line")
    yield from zip(read_text(beside).splitlines(), array, strict=True)


def _array(path: Path, data: bytes) -> NDArray[Any]:
    """Return one array; its header is checked first, so that it cannot claim more than is there."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    # Version 1.0 has two bytes for the length of the header, 2.0 and 3.0 four.
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(stream)
    if dtype.hasobject:
        rule = "which are never opened: they run code"
        raise EnrolmentRefused(f"{path.name} holds pickled objects, {rule}; give {SHAPES}")
    if prod(shape) * dtype.itemsize > len(data) or min(shape, default=0) < 0:
        raise EnrolmentRefused(f"{path.name} is cut short: it claims an array of {shape}")
    stream.seek(0)
    array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array


READERS: dict[str, Callable[[Path], Iterator[tuple[Any, Any]]]] = {".json": _json, ".npz": _npz, ".npy": _npy}
