"""Cards: what a reader saw, under one name whatever wire it came by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

WIEGAND_FORMATS = {26: (8, 16), 34: (16, 16), 37: (16, 19)}
"""Bits on the wire -> bits of facility code and card number, between two parity bits (SIA AC-01 is
the 26-bit one, 34 the common longer one, 37 is HID's H10304)."""


@dataclass(frozen=True, slots=True)
class Card:
    """A card by `id`: `w26:FACILITY:NUMBER` (or `w34`, `w37`), or `hid:DIGITS` of a USB reader.

    It is a name, not a secret: whoever reads a card once can copy it.
    """

    id: str


class CardReader(Protocol):
    """A source of cards, used from one thread."""

    def read(self, timeout_seconds: float) -> Card | None:
        """Return the next card, or None when none was shown in time.

        Raises `ReaderLost` when the reader is gone; the caller closes and reopens.
        """

    def close(self) -> None:
        """Release the device. Safe to call twice."""


def parse_wiegand(bits: Sequence[int]) -> Card | None:
    """Return the card of 26, 34 or 37 Wiegand bits (0 or 1, in the order of the wire), or None.

    The first bit makes the first half even, the last one the second half odd; of 37 bits the middle
    one counts in both halves. A frame that breaks this, or of another length, is noise or a cut wire.
    """
    fields = WIEGAND_FORMATS.get(len(bits))
    if fields is None or any(bit not in (0, 1) for bit in bits):
        return None
    half = (len(bits) + 1) // 2
    if sum(bits[:half]) % 2 != 0 or sum(bits[-half:]) % 2 != 1:
        return None
    end = 1 + fields[0]
    return Card(f"w{len(bits)}:{_number(bits[1:end])}:{_number(bits[end:-1])}")


def check_card_id(text: str) -> None:
    """Raise `ValueError` unless `text` is a name that some reader can give a card."""
    kind, *numbers = text.split(":")
    sizes = {f"w{bits}": fields for bits, fields in WIEGAND_FORMATS.items()}.get(kind)
    digits = all(number.isascii() and number.isdecimal() for number in numbers)
    if kind == "hid" and len(numbers) == 1 and digits:
        return
    if sizes is None or len(numbers) != 2 or not digits:
        raise ValueError(f"{text}: no card is named so; w26:FACILITY:NUMBER, w34, w37, or hid:DIGITS")
    for name, number, size in zip(("facility", "number"), numbers, sizes, strict=True):
        if int(number) >= 2**size:
            raise ValueError(f"{text}: {name} {number} does not fit: a {kind} card has up to {2**size - 1}")


def _number(bits: Sequence[int]) -> int:
    return int("".join(map(str, bits)), 2)
