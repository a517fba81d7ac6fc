"""Finds pictures, embeddings and names in bytes, in whatever wrapping they travel."""

import base64
import gzip
import json
import re
import zlib

import numpy as np

MOST_NUMBERS = 100
"""An event may carry 96 numbers; the shortest embedding has 128."""
SHORTEST = 96
"""Texts under this cannot hold the shortest vector, 128 int8: 172 characters of base64."""
DEEPEST = 8
LETTERS = 5
"""A shorter name stands in some id or word by chance."""
VECTOR_BYTES = {dimension * size for dimension in (128, 512) for size in (4, 2, 1)}
"""float32, float16 and int8 vectors of the embedders in the manifest."""
BASE64 = re.compile(r"[A-Za-z0-9+/_-]{96,}={0,2}")
HEX = re.compile(r"(?:[0-9a-fA-F]{2}){96,}")
NUMBERS = re.compile(r"(?:-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?[\s,;]+){99,}")
MAGIC = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"GIF8": "GIF"}


class Secrets:
    """Bytes that must appear nowhere, such as templates: thousands cost a payload no more than one.

    A table of the first bytes of all pieces says of every place in a payload at once whether one can begin
    there; the few places that are left are looked up.
    """

    PIECE = 16
    """Bytes of a secret, from a multiple of it on, that betray it."""

    def __init__(self, *secrets):
        self._pieces: set[bytes] = set()
        self._begins = np.zeros(2**16, bool)
        for secret in secrets:
            self.add(secret)

    def add(self, secret):
        """Look for this one, too, from now on."""
        for at in range(0, len(secret) - self.PIECE + 1, self.PIECE):
            piece = secret[at : at + self.PIECE]
            self._pieces.add(piece)
            self._begins[int.from_bytes(piece[:2], "little")] = True

    def stand_in(self, raw):
        """Say whether a piece of a secret stands somewhere in these bytes."""
        places = len(raw) - self.PIECE + 1
        if places < 1 or not self._pieces:
            return False
        pairs = np.ndarray((places,), "<u2", raw, strides=(1,))  # of neighbouring bytes, at every place
        may_begin = np.flatnonzero(self._begins[pairs]).tolist()
        return any(raw[at : at + self.PIECE] in self._pieces for at in may_begin)


NOTHING = Secrets()


def findings(payload, known=NOTHING):
    """Return what a payload holds that must not travel, `known` secrets among it: words for people."""
    found = set()
    for part in unwrapped(payload):
        if isinstance(part, bytes):
            found |= {what for what in (_picture(part), _vector(part)) if what}
        elif _is_long_list(part):
            found.add("a long list of numbers")
        raw = part if isinstance(part, bytes) else part.encode() if isinstance(part, str) else b""
        if known.stand_in(raw):
            found.add("bytes of a template")
    return sorted(found)


def index(names):
    """Return names by their first letters, for `names_in`."""
    found: dict[bytes, set[bytes]] = {}
    for name in names:
        found.setdefault(name[:LETTERS], set()).add(name)
    return found


def names_in(payload, indexed):
    """Return the names that stand in a payload, however it is wrapped; only those of 5 letters or more."""
    texts = {part for part in unwrapped(payload) if isinstance(part, str)}
    return sorted({name for text in texts for name in _names_in(text, indexed)})


def _names_in(text, indexed):
    for at in range(len(text) - LETTERS + 1):
        for name in indexed.get(text[at : at + LETTERS], ()):
            if text.startswith(name, at):
                yield name


def unwrapped(payload, depth=0):
    """Yield the payload and all that is inside it: JSON values, base64, hex, deflated bytes."""
    if depth > DEEPEST:
        return
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        yield payload
        yield from _inflated(payload, depth)
        return
    yield from _of_text(text, depth)


def _of_text(text, depth):
    yield text
    if text[:1] in {"{", "["} and depth <= DEEPEST:
        try:
            yield from _of_value(json.loads(text), depth)
        except (ValueError, RecursionError):
            pass
        else:
            return
    if len(text) < SHORTEST:
        return
    if NUMBERS.search(text):
        yield [0.0] * MOST_NUMBERS
    joined = re.sub(r"\s+", "", text)
    for token in HEX.findall(joined):
        yield from unwrapped(bytes.fromhex(token), depth + 1)
    for token in BASE64.findall(joined):
        yield from _of_base64(token.rstrip("="), depth)


def _of_base64(token, depth):
    standard = token.replace("-", "+").replace("_", "/")
    if len(standard) % 4 != 1:
        yield from unwrapped(base64.b64decode(standard + "=" * (-len(standard) % 4)), depth + 1)


def _of_value(value, depth):
    if isinstance(value, str):
        yield from _of_text(value, depth + 1)
    elif isinstance(value, list | dict):
        if isinstance(value, list) or len(value) >= MOST_NUMBERS:
            yield list(value.values()) if isinstance(value, dict) else value
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(key, str):
                yield key
            yield from _of_value(item, depth)


def _inflated(raw, depth):
    for inflate in (zlib.decompress, gzip.decompress):
        try:
            inside = inflate(raw)
        except (zlib.error, OSError, EOFError):
            continue
        yield from unwrapped(inside, depth + 1)


def _picture(raw):
    for magic, kind in MAGIC.items():
        if magic in raw[:4096]:
            return f"a picture ({kind})"
    is_webp = raw[:4] == b"RIFF" and raw[8:12] == b"WEBP"
    is_heif = raw[4:8] == b"ftyp"
    is_bmp = raw[:2] == b"BM" and int.from_bytes(raw[2:6], "little") == len(raw)
    return "a picture" if is_webp or is_heif or is_bmp else None


def _vector(raw):
    if len(raw) in VECTOR_BYTES:
        return f"{len(raw)} bytes, as long as a vector"
    return "a run of small float32 numbers" if any(_run(raw[start:]) for start in range(4)) else None


def _run(raw):
    """Say whether 128 float32 in a row could be parts of a unit vector: random bytes never are."""
    numbers = np.frombuffer(raw[: len(raw) // 4 * 4], np.float32)
    size = np.abs(np.nan_to_num(numbers, nan=9.0, posinf=9.0, neginf=9.0))
    fits = np.flatnonzero((size > 1) | ((size < 1e-9) & (size > 0)) | (size == 0))
    edges = np.concatenate(([-1], fits, [len(numbers)]))
    return bool(np.diff(edges).max() > 128)


def _is_long_list(value):
    return isinstance(value, list) and _count(value) >= MOST_NUMBERS


def _count(value):
    if isinstance(value, list):
        return sum(map(_count, value))
    return isinstance(value, int | float) and not isinstance(value, bool)
