"""Cards: what a reader saw, under one name whatever wire it came by."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.identity import narrow

if TYPE_CHECKING:
    from collections.abc import Sequence

WIEGAND_FORMATS = {26: (8, 16), 34: (16, 16), 37: (16, 19)}
"""Bits on the wire -> bits of facility code and card number, between two parity bits (SIA AC-01 is
the 26-bit one, 34 the common longer one, 37 is HID's H10304)."""
WIEGAND_PLAIN = 32
"""Readers of MIFARE serial numbers send these 32 bits as they are, without any parity."""
WIEGAND_SIZES = {f"w{bits}": fields for bits, fields in WIEGAND_FORMATS.items()} | {"w32": (32,)}
_PRINTED = re.compile(r"(\d{3}), ?(\d{5})", re.ASCII)
"""Facility code and number of a 26-bit card, as they are printed on it."""
MOST_TYPED = 32
"""Signs of a card of 128 bits in hex; a reader that types more is not believed."""
HEX_SIGNS = frozenset("0123456789ABCDEF")


@dataclass(frozen=True, slots=True)
class Card:
    """A card by `id`: `w26:FACILITY:NUMBER` (or `w34`, `w37`), `w32:NUMBER`, or `hid:NUMBER`.

    The latter is what a USB reader types, digits or hex in capitals. It is a name, not a secret: whoever
    reads a card once can copy it.
    """

    id: str


def parse_wiegand(bits: Sequence[int]) -> Card | None:
    """Return the card of 26, 32, 34 or 37 Wiegand bits (0 or 1, in the order of the wire), or None.

    The first bit makes the first half even, the last one the second half odd; of 37 bits the middle
    one counts in both halves. A frame that breaks this, or of another length, is noise or a cut wire.
    """
    if any(bit not in (0, 1) for bit in bits):
        return None
    if len(bits) == WIEGAND_PLAIN:
        return Card(f"w32:{_number(bits)}")
    fields = WIEGAND_FORMATS.get(len(bits))
    if fields is None:
        return None
    half = (len(bits) + 1) // 2  # of 37 bits 19: the middle one belongs to both halves
    if sum(bits[:half]) % 2 != 0 or sum(bits[-half:]) % 2 != 1:
        return None
    end = 1 + fields[0]
    return Card(f"w{len(bits)}:{_number(bits[1:end])}:{_number(bits[end:-1])}")


def card_id(text: str) -> str:
    """Return the one name of the card somebody wrote down; letters of a hex number become capitals.

    Signs may be wide, as a Chinese keyboard types them. 017,04711, as cards have it printed, is w26:17:4711,
    and hid:51:E6:96:21, as telephones show a card's number, hid:51E69621. Raises `ValueError` unless it is a
    name that some reader can give a card.
    """
    typed = narrow(text)
    if printed := _PRINTED.fullmatch(typed):
        typed = "w26:{}:{}".format(*printed.groups())
    kind, *numbers = typed.split(":")
    kind = kind.lower().strip()
    if kind == "hid" and (typed_hex := _hex_of(numbers)):
        return f"hid:{typed_hex}"
    sizes = WIEGAND_SIZES.get(kind)
    numbers = [number.strip() for number in numbers]
    digits = all(number.isascii() and number.isdecimal() for number in numbers)
    if sizes is None or len(numbers) != len(sizes) or not digits:
        kinds = "w26:FACILITY:NUMBER, w34, w37, w32:NUMBER, or hid: and what the reader types"
        bare = _hex_of([typed]) if sizes is None and kind != "hid" else ""
        meant = f"; did you mean hid:{bare}?" if bare else ""
        raise ValueError(f"{text}: no card is named so{meant}; {kinds}")
    for name, number, size in zip(("facility", "number")[-len(sizes) :], numbers, sizes, strict=True):
        if int(number) >= 2**size:
            raise ValueError(f"{text}: {name} {number} does not fit: a {kind} card has up to {2**size - 1}")
    return ":".join([kind, *(str(int(number)) for number in numbers)])


def _hex_of(parts: Sequence[str]) -> str:
    """Return the digits of a number in hex, also of bytes that are set apart; empty for anything else.

    Only bytes: 1-23 and 12-3, a facility and a number as some cards have them printed, are two cards, and
    neither is what the reader types.
    """
    groups = re.split(r"[ :-]", ":".join(parts).strip())
    is_one_name = len(groups) == 1 or all(len(group) == 2 for group in groups)
    signs = "".join(groups).upper().removeprefix("0X")
    is_typed = len(signs) <= MOST_TYPED and set(signs) <= HEX_SIGNS
    return signs if is_one_name and is_typed else ""


def _number(bits: Sequence[int]) -> int:
    return int("".join(map(str, bits)), 2)
