"""What names a person: one rule for ids and names, asked wherever one enters the system.

A flat number as it is written on the door is the normal case: `3栋1203`, `flat 12`, `Müller`. What
people cannot see or tell apart (composed and decomposed letters, wide digits, letters and blanks, radicals in
place of characters as a copy out of a PDF has them, signs without a shape that spreadsheets and chat programs
leave behind) is made one at the entrance, by `tidied`.
"""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from typing import TYPE_CHECKING, NewType

from edge.errors import IdentityRefused
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Iterable

ResidentId = NewType("ResidentId", str)
"""An id that passed `resident_id`."""

MOST_ID, MOST_NAME, MOST_LEVEL = 128, 200, 64
"""Characters."""

_WIDE = {sign: sign - 0xFEE0 for sign in range(0xFF01, 0xFF5F)}
"""The wide forms of ASCII, U+FF01 to U+FF5E, as a Chinese keyboard types them when it is set so."""
_WIDE_WORDS = {sign: narrow for sign, narrow in _WIDE.items() if chr(narrow).isalnum()}
"""Digits and letters alone: in a name the wide brackets of 张三（租客） are meant."""

_RADICALS = {
    sign: whole
    for sign in (*range(0x2E80, 0x2EF4), *range(0x2F00, 0x2FD6))
    if (whole := unicodedata.normalize("NFKC", chr(sign))) != chr(sign)
}
"""What a copy out of a PDF has for 金, 一 and 200 others: radicals, which look the same."""
_SEEN_AS: dict[int, int | str] = {**_WIDE_WORDS, **_RADICALS, 0x2800: " "}
_SHAPELESS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Signs without a shape that are no format signs (category Cf): fillers and selectors of a variant."""
_DASHES = dict.fromkeys((*range(0x2010, 0x2016), 0x2212, 0xFE58, 0xFE63), ord("-"))
"""What word processors and telephones make of the `-` that somebody types."""
_IN_IDS = _WIDE | _DASHES

_BLANKS = re.compile(r"[^\S\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]+")
"""Blanks of every width; a line break or a tab inside is a mistake, and no blank."""
_BETWEEN_LEVELS = re.compile(r"[,;，；、､﹐﹑﹔︐︑︔،؛\s]+")
"""Commas and semicolons as keyboards of any script write them."""


def tidied(text: str) -> str:
    """Return `text` as it is meant: composed, digits, letters and blanks of one width, nothing invisible."""
    shown = _SHAPELESS.sub("", unicodedata.normalize("NFC", text).translate(_SEEN_AS))
    seen = "".join(sign for sign in shown if unicodedata.category(sign) != "Cf")
    return _BLANKS.sub(" ", unicodedata.normalize("NFC", seen)).strip()  # letters may have met their accents


def narrow(text: str) -> str:
    """Return a number or a time as it is meant, whatever keyboard typed it: w26：17：4711 is w26:17:4711.

    A Chinese keyboard types wide digits, letters and signs; word processors make long dashes.
    """
    return tidied(text.translate(_IN_IDS))


def is_identity(text: object) -> bool:
    """Return whether `text` may be a resident's id as it stands: 1 to 128 printable characters."""
    return isinstance(text, str) and 0 < len(text) <= MOST_ID and text.isprintable()


def resident_id(text: str) -> ResidentId:
    """Return the id somebody typed, tidied, without wide signs, each dash a `-`. Raises `IdentityRefused`."""
    tidy = _named("error.resident_id", narrow(text), MOST_ID)
    if not {".", ".."}.isdisjoint(tidy.split("/")):  # browsers take these out of an address
        raise IdentityRefused(message("error.resident_id_dots", id=_visible(tidy)))
    return ResidentId(tidy)


def kept_spellings(ids: Iterable[str]) -> dict[str, str]:
    """Return the ids that stand as an earlier version kept them, by how they would be kept today.

    A list that is read again means those people, and nobody new: `3–1203` was not always made `3-1203`. Where
    both are kept they are two people.
    """
    kept = set(ids)
    spellings: dict[str, str] = {}
    for one in sorted(kept):
        with suppress(IdentityRefused):
            if (today := resident_id(one)) not in kept:
                spellings.setdefault(today, one)
    return spellings


def person_name(text: str) -> str:
    """Return the name somebody typed, tidied. Raises `IdentityRefused`."""
    return _named("error.resident_name", text, MOST_NAME)


def access_levels(text: str) -> tuple[str, ...]:
    """Return the access levels in `text`, separated by commas or semicolons of any script, or by blanks.

    Raises `IdentityRefused` for one that is too long or not printable.
    """
    names = (part for part in _BETWEEN_LEVELS.split(tidied(text)) if part)
    return tuple(dict.fromkeys(_named("error.access_level", name, MOST_LEVEL) for name in names))


def _named(refusal: str, text: str, longest: int) -> str:
    tidy = tidied(text)
    if not 0 < len(tidy) <= longest or not tidy.isprintable():
        raise IdentityRefused(message(refusal, id=_visible(tidy), most=longest))
    return tidy


def _visible(text: str) -> str:
    """Return the beginning of a refused text with what cannot be shown or encoded escaped."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text[:40])
