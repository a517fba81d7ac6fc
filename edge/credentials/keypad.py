"""From keys to what was typed: `number * PIN #` on a keypad, a card number from a keyboard wedge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.credentials.card import MOST_TYPED, Card

if TYPE_CHECKING:
    from collections.abc import Callable

SEPARATOR, ENTER, CLEAR = "*", "#", "clear"

LOST = "lost"
"""Stands for keys that never arrived: nobody knows how many, or which."""

IDLE_SECONDS = 10.0
"""A half-typed line is dropped after this pause: the next person must not inherit it."""

WEDGE_SECONDS = 1.0
"""A wedge types its whole card within tens of milliseconds; a person at its keys takes longer."""

LEAST_CARD_KEYS = 4
"""Fewer keys without Enter are somebody's finger and not a reader."""

MAX_CARD_KEYS = MOST_TYPED
"""Whatever is longer is not one card."""
HEX = frozenset("0123456789ABCDEF")

MAX_KEYS = 24
"""Longest number, separator and longest PIN together make 21; a line that grows on is dropped."""


@dataclass(frozen=True, slots=True)
class TypedPin:
    """A number and a PIN. The PIN is not shown in `repr`."""

    number: str
    pin: str = field(repr=False)


@dataclass(slots=True)
class _Line:
    """Keys since the line began, and the time of the last one (monotonic seconds)."""

    keys: list[str] = field(default_factory=list)
    last: float = 0.0
    is_spoiled: bool = False
    """To its end: what is left of a line could be somebody else's number."""

    def add(self, key: str, now: float) -> None:
        self.last = now
        self.keys.append(key)
        self.is_spoiled = self.is_spoiled or key == LOST or len(self.keys) > MAX_KEYS
        if self.is_spoiled:
            self.keys.clear()

    def take(self) -> str:
        text = "".join(self.keys)
        self.keys.clear()
        self.is_spoiled = False
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
        """Take a key of `KeyDevice`; return what was typed when `#` ends a whole line, else None.

        Keys other than `0`..`9`, `*`, `#` and `clear` are not part of a line.
        """
        if key == CLEAR or now - self._line.last > IDLE_SECONDS:
            self._line.take()
        if key == ENTER:
            number, star, pin = self._line.take().partition(SEPARATOR)
            # Nothing for half a line: a lone # must not count as a wrong PIN.
            return TypedPin(number, pin) if number and star and pin else None
        if key == LOST or key in "0123456789*":
            self._line.add(key, now)
        return None


class Wedge:
    """Collects keys of a card reader that types like a keyboard. One thread, monotonic seconds.

    A card is read whole or not at all: with a part missing, two cards would have the same name. `on_refused`
    gets the reason why something was not taken for a card.
    """

    def __init__(self, on_refused: Callable[[str], object] = lambda _why: None) -> None:
        self._keys: list[str] = []
        self._began = self._last = float("-inf")
        self._on_refused = on_refused

    def press(self, key: str, now: float) -> Card | None:
        """Take a key; return the card when `#` (Enter) ends a number typed in one go, else None."""
        if now - self._last > WEDGE_SECONDS:
            self._drop_line()
        if not self._keys:
            self._began = now
        self._last = now
        if key == CLEAR:
            self._keys.clear()
            return None
        if key != ENTER:
            self._keys.append(key)
            # One key too many is enough to refuse it: a reader that never stops must not fill the memory.
            del self._keys[MAX_CARD_KEYS + 1 :]
            return None
        typed, self._keys = "".join(self._keys), []
        return self._card(typed, now - self._began)

    def _drop_line(self) -> None:
        """Forget a line without an end: somebody typed it and left, or a reader never ends one."""
        is_by_hand = self._last - self._began > WEDGE_SECONDS
        if len(self._keys) >= LEAST_CARD_KEYS and not is_by_hand:
            why = f"{len(self._keys)} signs without an end; set the reader to send Enter after each card"
            self._on_refused(f"what the reader typed is no card: {why}")
        self._keys.clear()

    def _card(self, typed: str, seconds: float) -> Card | None:
        flaw = _flaw(typed, seconds)
        if typed and flaw is not None:
            self._on_refused(f"what the reader typed is no card: {flaw}")
        return Card(f"hid:{typed.upper()}") if typed and flaw is None else None


def _flaw(typed: str, seconds: float) -> str | None:
    if seconds > WEDGE_SECONDS:
        return f"it took {seconds:.1f} s to type, a reader types within {WEDGE_SECONDS:g} s"
    if len(typed) > MAX_CARD_KEYS:
        return f"it has more than {MAX_CARD_KEYS} signs"
    if not set(typed.upper()) <= HEX:
        return "it holds other signs than 0-9 and A-F; set the reader to decimal or hex"
    return None
