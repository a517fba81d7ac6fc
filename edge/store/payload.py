"""One event as text: canonical JSON, checked to carry no picture and no embedding.

Canonical means: keys sorted, no spaces, UTF-8, numbers as Python's `json` writes them. Equal
events give equal bytes, and that is what the hash chain covers.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from edge.errors import EventRefused

MAX_TEXT = 512
"""Longest text in an event: the smallest embedding, 128 float32, is 684 characters of base64."""
MAX_NUMBERS = 96
"""Most numbers in one event: the smallest embedding has 128."""
MAX_BYTES = 16 * 1024
"""Largest event; one batch of 100 typical ones (400 bytes) stays far below a broker's limit."""


def canonical(value: Any) -> str:
    """Return `value` as canonical JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def checked_data(data: dict[str, Any]) -> dict[str, Any]:
    """Return `data` as plain JSON values.

    Numpy scalars become Python numbers and numbers that JSON does not have (NaN, infinity)
    become null. Raises `EventRefused` for arrays, bytes, other objects, and for anything long
    enough to hold an embedding or a picture.
    """
    plain = {_key(key): _plain(item, f"data.{key}") for key, item in data.items()}
    if (numbers := _count_numbers(plain)) > MAX_NUMBERS:
        raise EventRefused(f"data: {numbers} numbers; at most {MAX_NUMBERS}, so that no embedding gets in")
    if (size := len(canonical(plain).encode())) > MAX_BYTES:
        raise EventRefused(f"data: {size} bytes; at most {MAX_BYTES}, log the rest elsewhere")
    return plain


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise EventRefused(f"data: key {key!r} must be text")
    if len(key) > MAX_TEXT:
        raise EventRefused(f"data: a key of {len(key)} characters; at most {MAX_TEXT}")
    return _text(key, "data key")


def _plain(value: Any, where: str) -> Any:
    match value:
        case None | bool() | np.bool_():
            return value if value is None else bool(value)
        case str():
            return _text(value, where)
        case int() | np.integer():
            return int(value)
        case float() | np.floating():
            return float(value) if math.isfinite(value) else None
        case dict():
            return {_key(key): _plain(item, f"{where}.{key}") for key, item in value.items()}
        case list() | tuple():
            return [_plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    raise EventRefused(f"{where}: {type(value).__name__} has no place in an event; give numbers or text")


def _text(value: str, where: str) -> str:
    if len(value) > MAX_TEXT:
        raise EventRefused(f"{where}: text of {len(value)} characters; at most {MAX_TEXT}")
    # A lone surrogate (from an undecodable file name) has no UTF-8 form; keep it readable.
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def _count_numbers(value: Any) -> int:
    if isinstance(value, dict):
        return sum(_count_numbers(item) for item in value.values())
    if isinstance(value, list):
        return sum(_count_numbers(item) for item in value)
    return int(isinstance(value, int | float) and not isinstance(value, bool))
