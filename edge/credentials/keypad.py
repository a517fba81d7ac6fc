"""From keys to what was typed: `number * PIN #` on a keypad, a card number from a keyboard wedge."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.credentials.card import Card

SEPARATOR, ENTER, CLEAR = "*", "#", "clear"

IDLE_SECONDS = 10.0
"""A half-typed line is dropped after this pause: the next person must not inherit it."""

WEDGE_SECONDS = 1.0
"""A wedge types its whole card within tens of milliseconds; a person at its keys takes longer."""

MAX_KEYS = 24
"""Longest number, separator and longest PIN together make 21; a line that grows on is dropped."""


@dataclass(frozen=True, slots=True)
class TypedPin:
    """A number and a PIN. The PIN is not shown in `repr`."""

    number: str
    pin: str = field(repr=False)


@dataclass(slots=True)
class _Line:
    """Keys since the line began; `seconds` is the longest life after the first or the last key."""

    keys: list[str] = field(default_factory=list)
    began: float = 0.0
    last: float = 0.0

    def add(self, key: str, now: float) -> None:
        self.began = self.began if self.keys else now
        self.last = now
        self.keys.append(key)
        if len(self.keys) > MAX_KEYS:
            self.keys.clear()

    def take(self) -> str:
        text = "".join(self.keys)
        self.keys.clear()
        return text


class Keypad:
    """Collects keys into PINs. One thread; times are monotonic seconds."""

    def __init__(self) -> None:
        self._line = _Line()

    @property
    def typed(self) -> int:
        """How many keys of a line have been pressed: for the display's dots."""
        return len(self._line.keys)

    def press(self, key: str, now: float) -> TypedPin | None:
        """Take `0`..`9`, `*`, `#` or `clear`; return what was typed when `#` ends a line, else None."""
        if key == CLEAR or now - self._line.last > IDLE_SECONDS:
            self._line.take()
        if key == ENTER:
            number, star, pin = self._line.take().partition(SEPARATOR)
            return TypedPin(number, pin) if number and star and pin else None
        if key in "0123456789*":
            self._line.add(key, now)
        return None


class Wedge:
    """Collects keys of a card reader that types like a keyboard. One thread, monotonic seconds."""

    def __init__(self) -> None:
        self._line = _Line()

    def press(self, key: str, now: float) -> Card | None:
        """Take a key; return the card when `#` (Enter) ends a number typed in one go, else None."""
        if self._line.keys and now - self._line.began > WEDGE_SECONDS:
            self._line.take()
        if key == ENTER:
            number = self._line.take()
            return Card(f"hid:{number}") if number.isdigit() else None
        if key != CLEAR:
            self._line.add(key, now)
        return None
