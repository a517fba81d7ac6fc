"""What a name, a vector or a picture leaves in raw bytes, and the search for it through a folder."""

from __future__ import annotations

import base64
from urllib.parse import quote

import numpy as np

PICTURES = {
    "PNG": b"\x89PNG\r\n\x1a\n",
    "JPEG": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "JPEG tables": b"\xff\xd8\xff\xdb\x00C",
    "Exif": b"Exif\x00\x00",
    "WebP": b"WEBPVP8",
    "AVIF": b"ftypavif",
}


def text_traces(text):
    """Return every form in which `text` might lie on a disk, by name."""
    encodings = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "gb18030")
    found = {f"{text} in {name}": text.encode(name) for name in encodings}
    for name, plain in list(found.items()):
        found |= _wrapped(name, plain)
    escaped = text.encode("unicode_escape")
    return found | {f"{text} escaped": escaped, f"{text} quoted": quote(text).encode()}


def vector_traces(name, vector):
    """Return runs of eight bytes of `vector` in the number formats a matcher or a file may use."""
    kinds = {
        "float32": vector.astype("<f4"),
        "float32 big-endian": vector.astype(">f4"),
        "float16": vector.astype("<f2"),
        "float64": vector.astype("<f8"),
        "int8": np.clip(np.rint(vector * 127), -127, 127).astype(np.int8),
    }
    found = {}
    for kind, row in kinds.items():
        data = row.tobytes()
        for start in range(0, len(data) - 7, 8):
            run = data[start : start + 8]
            if len(set(run)) > 3:  # zeros are everywhere
                found[f"{name} as {kind} from byte {start}"] = run
    middle = vector.astype("<f4").tobytes()[8:32]
    return found | _wrapped(f"{name} as float32", middle)


def pixel_traces(name, image):
    """Return a run of raw pixels of `image` that is not one colour."""
    rows = image.reshape(image.shape[0], -1)
    busiest = max(rows, key=lambda row: len(np.unique(row)))
    start = int(np.argmax(np.abs(np.diff(busiest.astype(int)))))
    run = busiest[max(start - 24, 0) : start + 24].tobytes()
    return {f"pixels of {name}": run} if len(set(run)) > 8 else {}


def found_in(folder, traces):
    """Return where which trace lies in the raw bytes of the files under `folder`."""
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert files, "there is something to look through"
    hits = []
    for path, content in files.items():
        hits += [f"{path.relative_to(folder)}: {name}" for name, run in traces.items() if run in content]
    return hits


def _wrapped(name, plain):
    """Return base64 at each of its three alignments, and hex."""
    found = {f"{name}, hex": plain.hex().encode(), f"{name}, HEX": plain.hex().upper().encode()}
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + plain)
        inner = text[4 if shift else 0 : -4]
        if len(inner) >= 8:
            found[f"{name}, base64 at {shift}"] = inner
    return found
