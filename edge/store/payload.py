"""One event as text: canonical JSON that carries no picture and no embedding, whatever it was given.

Canonical means: keys sorted, no spaces, UTF-8, numbers as Python's `json` writes them. Equal
events give equal bytes, and that is what the hash chain covers.

Nothing is refused: an event that was refused would be an entry or a silent alarm without a trace.
What does not fit is cut or left out, and `cut` names it.
"""

from __future__ import annotations

import json
import math
import sys
from numbers import Integral, Rational, Real
from typing import Any

MAX_TEXT = 512
"""Longest text in an event: the smallest embedding, 128 float32, is 684 characters of base64."""
MAX_WORD = 128
"""A text that was too long and holds a longer run without a space may be an encoded embedding."""
KEPT_OF_WORDS = 48
"""Kept of both ends of such a text: 96 characters of base64 are 18 numbers, a path is still known by them."""
MAX_NUMBERS = 96
"""Most numbers in one event: the smallest embedding has 128."""
FEW_NUMBERS = 16
"""A value with more goes first when an event has too many: what decides comes as single numbers."""
MAX_BYTES = 16 * 1024
"""Largest event; one batch of 100 typical ones (400 bytes) stays far below a broker's limit."""
MAX_DEPTH = 8
MOST_NAMED = 16
MAX_WHOLE = 2**63
"""Beyond this readers in other languages round."""


def canonical(value: Any) -> str:
    """Return `value` as canonical JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def fitted_data(data: dict[str, Any]) -> dict[str, Any]:
    """Return `data` as plain JSON values that fit into an event.

    Numpy scalars become Python numbers, and numbers that JSON does not have (NaN, infinity) become
    null. Arrays, bytes and other objects, and anything long enough to hold an embedding or a picture,
    are left out with a word about what was there; long texts are cut. `cut` then lists the keys.
    """
    cut: list[str] = []
    plain: dict[str, Any] = {}
    for key, value in data.items():
        name = fitted_text(str(key))
        fitted = _Fitting()
        plain[name] = fitted.plain(value)
        if fitted.has_cut or name != key:
            cut.append(name)
    cut += _leave_numbers_out(plain)
    cut += _leave_bytes_out(plain)
    if cut:
        plain["cut"] = sorted(set(cut))[:MOST_NAMED]
    return plain


def fitted_text(value: str, most: int = MAX_TEXT) -> str:
    """Return `value` as text of at most `most` characters that has a UTF-8 form."""
    # A lone surrogate (from an undecodable file name) has no UTF-8 form; keep it readable.
    text = str(value).encode("utf-8", "backslashreplace").decode("utf-8")
    if len(text) <= most:
        return text
    if most == MAX_TEXT and max(map(len, text.split()), default=0) > MAX_WORD:
        return f"{text[:KEPT_OF_WORDS]}… ({len(text)} characters) …{text[-KEPT_OF_WORDS:]}"
    return text[: most - 1] + "…"


class _Fitting:
    """Makes one value plain and remembers whether anything of it was lost."""

    def __init__(self) -> None:
        self.has_cut = False

    def plain(self, value: Any, depth: int = 0) -> Any:
        match value:
            case None | str():
                return value and self._text(value)
            case _ if _is_truth(value):
                return bool(value)
            case int() | Integral() if abs(int(value)) <= MAX_WHOLE:  # numpy's numbers are registered as such
                return int(value)
            case float() | Real() if isinstance(value, float) or not isinstance(value, Rational):
                return float(value) if math.isfinite(value) else None
            case dict() | list() | tuple() if depth < MAX_DEPTH:
                return self._container(value, depth + 1)
        self.has_cut = True
        return f"left out: {type(value).__name__}"

    def _container(self, value: dict[Any, Any] | list[Any] | tuple[Any, ...], depth: int) -> Any:
        if isinstance(value, dict):
            return {self._text(str(key)): self.plain(item, depth) for key, item in value.items()}
        return [self.plain(item, depth) for item in value]

    def _text(self, value: str) -> str:
        text = fitted_text(value)
        self.has_cut |= len(value) > MAX_TEXT
        return text


def _is_truth(value: Any) -> bool:
    """Return whether `value` is a truth value; where numpy is not loaded, it can be none of numpy's."""
    numpy = sys.modules.get("numpy")
    return isinstance(value, bool) or (numpy is not None and isinstance(value, numpy.bool_))


def _leave_numbers_out(plain: dict[str, Any]) -> list[str]:
    """Leave numbers out of `plain` when it has too many, and return from where.

    Lists go first, the longest before the others. When the single numbers alone are too many they may
    be an embedding spread over keys: then all of them go.
    """
    sizes = {key: _numbers(value) for key, value in plain.items()}
    total, left_out = sum(sizes.values()), []
    for key in sorted((key for key in sizes if sizes[key] > FEW_NUMBERS), key=lambda key: -sizes[key]):
        if total > MAX_NUMBERS:
            total -= sizes[key]
            left_out.append(key)
    if total > MAX_NUMBERS:
        left_out = [key for key in sizes if sizes[key]]
    for key in left_out:
        plain[key] = f"left out: {sizes[key]} numbers"
    return left_out


def _leave_bytes_out(plain: dict[str, Any]) -> list[str]:
    """Leave the largest values out of `plain` until it fits, and return which."""
    sizes = {key: len(canonical({key: value}).encode()) for key, value in plain.items()}
    total, left_out = sum(sizes.values()), []
    for key in sorted(sizes, key=lambda key: -sizes[key]):
        if total <= MAX_BYTES:
            break
        total -= sizes[key]
        left_out.append(key)
        del plain[key]
    return left_out


def _numbers(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(_numbers, value.values()))
    if isinstance(value, list):
        return sum(map(_numbers, value))
    return int(isinstance(value, int | float) and not isinstance(value, bool))
