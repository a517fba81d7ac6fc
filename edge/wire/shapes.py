"""What a payload looks like, said once: parsers check with it, and the AsyncAPI document prints it.

A shape answers two questions. `flaw(value)` is what a decoded JSON value has against it, as the
end of a sentence (`None`: nothing); it is strict, so `true` is no number and `1.0` no whole one.
`schema()` is the same rule as JSON Schema (draft 7), which may be narrower where it cannot say it
exactly, never wider: whatever the schema admits, `flaw` admits.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from edge.errors import SyncError

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST = 2**53 - 1
"""The largest whole number that every JSON reader keeps exact (RFC 8259, section 6)."""

TIME = re.compile(
    r"(?!0000)\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
    r"[T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d([.,]\d{1,6})?)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)"
)
"""RFC 3339, with seconds that may be left out; what people write into spreadsheets."""

PRINTABLE = r"^[^\u0000-\u001f\u007f-\u00a0\u2028\u2029\ud800-\udfff]*$"
"""As near as a JSON Schema pattern comes to Python's `str.isprintable`."""


class Shape(Protocol):
    """A rule for one JSON value."""

    def flaw(self, value: Any) -> str | None:
        """Return what is wrong with `value`, such as ` must be a whole number`; None when nothing."""

    def schema(self) -> dict[str, Any]:
        """Return the rule as JSON Schema."""


def require(shape: Shape, value: Any, where: str) -> None:
    """Raise `SyncError` naming the place and the rule unless `value` has this shape."""
    if flaw := shape.flaw(value):
        raise SyncError(f"{where}{flaw}")


@dataclass(frozen=True, slots=True)
class Text:
    """Text of `least` to `most` characters, all of them printable unless `is_free`.

    `pattern` must match the whole text.
    """

    most: int
    least: int = 1
    pattern: str | None = None
    is_free: bool = False
    about: str = ""

    def flaw(self, value: Any) -> str | None:
        """See `Shape`."""
        if not isinstance(value, str) or not self.least <= len(value) <= self.most:
            return f" must be {self.least} to {self.most} characters"
        if not self.is_free and not value.isprintable():
            return " must be printable"
        if self.pattern is not None and not re.fullmatch(self.pattern, value):
            return f" must match {self.pattern}"
        return None

    def schema(self) -> dict[str, Any]:
        """See `Shape`."""
        pattern = PRINTABLE if self.pattern is None else f"^{self.pattern}$"
        limits = {"type": "string", "minLength": self.least, "maxLength": self.most}
        return told(limits if self.is_free else limits | {"pattern": pattern}, self.about)


@dataclass(frozen=True, slots=True)
class Time:
    """A moment with its time zone, as RFC 3339 writes it; the seconds may be left out."""

    about: str = ""

    def flaw(self, value: Any) -> str | None:
        """See `Shape`."""
        if not isinstance(value, str) or not TIME.fullmatch(value):
            return " must be an ISO time with its zone, such as 2026-03-01T08:00:00Z"
        try:
            datetime.fromisoformat(value).astimezone(UTC)  # a day before the first one does not exist
        except (ValueError, OverflowError):
            return " must be a day that exists"
        return None

    def schema(self) -> dict[str, Any]:
        """See `Shape`."""
        return told({"type": "string", "format": "date-time", "pattern": f"^{TIME.pattern}$"}, self.about)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from `least` to `most`."""

    least: int = 0
    most: int = MOST
    about: str = ""

    def flaw(self, value: Any) -> str | None:
        """See `Shape`."""
        # Not `isinstance`: bool is a subclass of int, and `true` is not a number in JSON.
        if type(value) is not int or not self.least <= value <= self.most:
            return f" must be a whole number from {self.least} to {self.most}"
        return None

    def schema(self) -> dict[str, Any]:
        """See `Shape`."""
        return told({"type": "integer", "minimum": self.least, "maximum": self.most}, self.about)


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number from `least` to `most`."""

    least: float
    most: float
    about: str = ""

    def flaw(self, value: Any) -> str | None:
        """See `Shape`."""
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            # NaN is Python's JSON, not JSON; in the comparison below it would be told as too large or too
            # small.
            or (isinstance(value, float) and math.isnan(value))
        ):
            return " must be a number"
        if not self.least <= value <= self.most:
            return f" must be {self.least:g} to {self.most:g}"
        return None

    def schema(self) -> dict[str, Any]:
        """See `Shape`."""
        return told({"type": "number", "minimum": self.least, "maximum": self.most}, self.about)


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    about: str = ""

    def flaw(self, value: Any) -> str | None:
        """See `Shape`."""
        return None if isinstance(value, bool) else " must be true or false"

    def schema(self) -> dict[str, Any]:
        """See `Shape`."""
        return told({"type": "boolean"}, self.about)


@dataclass(frozen=True, slots=True)
class Exactly:
    """One whole number and no other: a version."""

    value: int

    def flaw(self, value: Any) -> str | None:
        """See `Shape`."""
        # By type: in Python `True == 1` and `1.0 == 1`.
        return None if type(value) is int and value == self.value else f" must be {self.value}"

    def schema(self) -> dict[str, Any]:
        """See `Shape`."""
        return {"type": "integer", "const": self.value}


@dataclass(frozen=True, slots=True)
class Word:
    """One of these words; a `StrEnum` is a collection of words."""

    words: Iterable[str]
    about: str = ""

    def flaw(self, value: Any) -> str | None:
        """See `Shape`."""
        words = [str(word) for word in self.words]
        if isinstance(value, str) and value in words:
            return None
        return f" must be {' or '.join((', '.join(words[:-1]), words[-1]) if words[1:] else words)}"

    def schema(self) -> dict[str, Any]:
        """See `Shape`."""
        return told({"type": "string", "enum": [str(word) for word in self.words]}, self.about)


def printable(text: str) -> str:
    """Return the text with a question mark for each sign that a terminal, page or database might obey."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def told(schema: dict[str, Any], about: str) -> dict[str, Any]:
    """Return a schema with its description, if there is one."""
    return schema | {"description": about} if about else schema
